//! Names of topics, services and message types.

use ros2_client::Name;

use super::error::NodeError;
use super::identity::{NameKind, NodeIdentity};

/// The absolute name: `~/x` becomes `/namespace/node/x`, `x` becomes `/namespace/x`, `/x` stays.
pub fn expand(namespace: &str, node: &str, name: &str) -> String {
    let namespace = namespace.trim_end_matches('/');
    match name.strip_prefix("~/") {
        Some(rest) => format!("{}/{rest}", node.trim_end_matches('/')),
        None if name.starts_with('/') => name.to_owned(),
        None => format!("{namespace}/{name}"),
    }
}

/// Resolves a name for the middleware. Names are always made absolute here: the middleware's own way doubles
/// the slash of the root namespace.
pub(super) fn resolve(
    identity: &NodeIdentity,
    name: &str,
    kind: NameKind,
) -> Result<Name, NodeError> {
    let full = identity.resolve(name, kind);
    Name::parse(&full).map_err(|e| NodeError::Name {
        what: match kind {
            NameKind::Topic => "topic",
            NameKind::Service => "service",
        },
        name: name.into(),
        reason: e.to_string(),
    })
}

/// A type as it stands on the wire, from `package/msg/Type`; also of the messages of services and actions, as
/// `package/srv/Type_Event` and `package/action/Type_FeedbackMessage`.
///
/// # Errors
/// [`NodeError::Type`] for a name of another form.
pub fn wire_type(name: &str) -> Result<String, NodeError> {
    let parts: Vec<&str> = name.split('/').collect();
    match parts[..] {
        [package, kind @ ("msg" | "srv" | "action"), ty]
            if !package.is_empty() && !ty.is_empty() =>
        {
            Ok(format!("{package}::{kind}::dds_::{ty}_"))
        }
        _ => Err(NodeError::Type(name.to_owned())),
    }
}

/// A topic and its type as they stand on the wire, from the absolute name and the type of [`wire_type`]: the inverse of
/// [`ros_name`].
///
/// # Errors
/// As those of [`wire_type`].
pub(crate) fn wire_name(topic: &str, ty: &str) -> Result<(String, String), NodeError> {
    Ok((format!("rt{topic}"), wire_type(ty)?))
}

/// The ROS names of a topic and its type as they stand on the wire, `rt/camera/image_raw` and
/// `sensor_msgs::msg::dds_::Image_`; `None` for what is not a ROS topic (services, foreign DDS).
pub fn ros_name(dds_topic: &str, dds_type: &str) -> Option<(String, String)> {
    let topic = dds_topic.strip_prefix("rt/")?;
    let (package, ty) = dds_type.split_once("::dds_::")?;
    let (package, kind) = package.split_once("::")?;
    let ty = ty.strip_suffix('_')?;
    Some((format!("/{topic}"), format!("{package}/{kind}/{ty}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_absolute() {
        assert_eq!(expand("/", "/latco", "~/status"), "/latco/status");
        assert_eq!(
            expand("/arm", "/arm/latco", "~/imagined/image"),
            "/arm/latco/imagined/image"
        );
        assert_eq!(
            expand("/", "/latco", "camera/image_raw"),
            "/camera/image_raw"
        );
        assert_eq!(
            expand("/arm", "/arm/latco", "joint_states"),
            "/arm/joint_states"
        );
        assert_eq!(
            expand("/arm", "/arm/latco", "/joint_states"),
            "/joint_states"
        );
    }

    #[test]
    fn names_on_the_wire_are_translated_back() {
        assert_eq!(
            ros_name("rt/camera/image_raw", "sensor_msgs::msg::dds_::Image_"),
            Some(("/camera/image_raw".into(), "sensor_msgs/msg/Image".into()))
        );
        for ty in [
            "sensor_msgs/msg/Image",
            "a/srv/B_Event",
            "a/action/B_FeedbackMessage",
        ] {
            let (topic, wire) = wire_name("/camera/image_raw", ty).unwrap();
            assert_eq!(topic, "rt/camera/image_raw");
            assert_eq!(
                ros_name(&topic, &wire),
                Some(("/camera/image_raw".into(), ty.into()))
            );
        }
        assert_eq!(
            ros_name(
                "rq/latco/resetRequest",
                "std_srvs::srv::dds_::Trigger_Request_"
            ),
            None
        );
        assert_eq!(ros_name("plain", "Plain"), None);
    }

    #[test]
    fn a_type_name_has_three_parts() {
        for bad in ["Image", "a/b/B", "/msg/x", "a/msg/", "sensor_msgs/Image"] {
            assert!(wire_type(bad).is_err(), "{bad}");
        }
    }
}
