//! What can go wrong when a robot or a policy is asked for by name.

use crate::render::{MAX_IMAGE_SIZE, MIN_IMAGE_SIZE};

/// A robot or policy that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// No task, policy or kind of reward has this name.
    #[error("unknown {what} `{found}`: choose one of {}", known.join(", "))]
    UnknownName {
        /// The kind of thing that was asked for: `task`, `policy` or `reward`.
        what: &'static str,
        /// The name that was asked for.
        found: String,
        /// All names of such things.
        known: Vec<&'static str>,
    },
    /// The picture would be too small to show the task, or is larger than any that is made.
    #[error(
        "image size {found}: expected {MIN_IMAGE_SIZE} to {MAX_IMAGE_SIZE} pixels \
         (64 by default, 32 for small models)"
    )]
    ImageSize {
        /// The size that was asked for, in pixels.
        found: usize,
    },
}

impl EnvError {
    /// No such thing has this name.
    pub(crate) fn unknown(
        what: &'static str,
        found: &str,
        known: impl Into<Vec<&'static str>>,
    ) -> Self {
        Self::UnknownName {
            what,
            found: found.to_owned(),
            known: known.into(),
        }
    }
}
