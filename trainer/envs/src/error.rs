//! What can go wrong when a robot or a policy is asked for by name.

use crate::{MAX_IMAGE_SIZE, MIN_IMAGE_SIZE, PolicyKind, RewardKind, TASKS};

/// A robot or policy that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// No task has this name.
    #[error("unknown task `{found}`: choose one of {}", TASKS.join(", "))]
    UnknownTask {
        /// The name that was asked for.
        found: String,
    },
    /// No policy has this name.
    #[error("unknown policy `{found}`: choose one of {}", PolicyKind::ALL.map(|k| k.name()).join(", "))]
    UnknownPolicy {
        /// The name that was asked for.
        found: String,
    },
    /// No kind of reward has this name.
    #[error("unknown reward `{found}`: choose one of {}", RewardKind::ALL.map(|k| k.name()).join(", "))]
    UnknownReward {
        /// The name that was asked for.
        found: String,
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
