//! The message types of this crate by their names.

use super::control::{DiagnosticArray, DiagnosticStatus, JointTrajectory, TwistStamped};
use super::message::RosMessage;
use super::sensor::{CompressedImage, Image, JointState};
use super::standard::{
    Bool, Duration, Empty, Float32, Float64, Float64MultiArray, Header, Int64, StringMessage, Time,
    UInt8MultiArray,
};

macro_rules! supported_types {
    ($($message:ident),* $(,)?) => {
        /// `(type name, definition)` of every message type of this crate.
        pub const SUPPORTED: &[(&str, &str)] =
            &[$((<$message as RosMessage>::TYPE, <$message as RosMessage>::DEFINITION)),*];
    };
}
supported_types!(
    Time,
    Duration,
    Header,
    Empty,
    Bool,
    Int64,
    Float32,
    Float64,
    StringMessage,
    Float64MultiArray,
    UInt8MultiArray,
    Image,
    CompressedImage,
    JointState,
    JointTrajectory,
    TwistStamped,
    DiagnosticStatus,
    DiagnosticArray,
);

/// A message type that this crate does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "message type `{found}` is not known: expected one of {}; \
     leave the topic out, or give the definition of its type",
    SUPPORTED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownType {
    /// The type name that was asked for.
    pub found: String,
}

/// Definition of the message type named `type_name` (`package/msg/Name`).
///
/// # Errors
/// [`UnknownType`] names the type and all known ones.
pub fn definition_of(type_name: &str) -> Result<&'static str, UnknownType> {
    SUPPORTED
        .iter()
        .find(|(name, _)| *name == type_name)
        .map(|(_, definition)| *definition)
        .ok_or_else(|| UnknownType {
            found: type_name.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_hold_every_type_that_they_use() {
        for (name, definition) in SUPPORTED {
            let sections: Vec<&str> = definition.split("MSG: ").skip(1).collect();
            let named: Vec<&str> = sections.iter().filter_map(|s| s.lines().next()).collect();
            for line in definition.lines().filter(|line| line.contains('/')) {
                if line.starts_with('#') || line.starts_with("MSG:") {
                    continue;
                }
                let used = line.split_whitespace().next().unwrap().replace("[]", "");
                assert!(named.contains(&used.as_str()), "{name} misses {used}");
            }
            for section in named {
                assert!(
                    definition.contains(&format!("{section} "))
                        || definition.contains(&format!("{section}[] "))
                );
            }
        }
    }

    #[test]
    fn an_unknown_type_is_named_with_the_known_ones() {
        let message = definition_of("nav_msgs/msg/Path").unwrap_err().to_string();
        assert!(message.contains("nav_msgs/msg/Path"), "{message}");
        assert!(message.contains("sensor_msgs/msg/Image"), "{message}");
    }
}
