//! The states.

use std::fmt;

/// A state of `lifecycle_msgs/msg/State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// Known to the messages; no node is ever in it.
    Unknown = 0,
    /// Nothing is loaded.
    Unconfigured = 1,
    /// Everything is loaded and warm, nothing moves.
    Inactive = 2,
    /// It plans and moves.
    Active = 3,
    /// The end.
    Finalized = 4,
    /// From unconfigured to inactive.
    Configuring = 10,
    /// From inactive to unconfigured.
    CleaningUp = 11,
    /// To finalized.
    ShuttingDown = 12,
    /// From inactive to active.
    Activating = 13,
    /// From active to inactive.
    Deactivating = 14,
    /// After an error, to unconfigured or finalized.
    ErrorProcessing = 15,
}

impl State {
    /// All, by id.
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Unconfigured,
        Self::Inactive,
        Self::Active,
        Self::Finalized,
        Self::Configuring,
        Self::CleaningUp,
        Self::ShuttingDown,
        Self::Activating,
        Self::Deactivating,
        Self::ErrorProcessing,
    ];

    /// The number in messages.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The name in messages.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unconfigured => "unconfigured",
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Finalized => "finalized",
            Self::Configuring => "configuring",
            Self::CleaningUp => "cleaningup",
            Self::ShuttingDown => "shuttingdown",
            Self::Activating => "activating",
            Self::Deactivating => "deactivating",
            Self::ErrorProcessing => "errorprocessing",
        }
    }

    /// Whether a node stays in it until it is told otherwise.
    pub fn is_primary(self) -> bool {
        matches!(
            self,
            Self::Unconfigured | Self::Inactive | Self::Active | Self::Finalized
        )
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
