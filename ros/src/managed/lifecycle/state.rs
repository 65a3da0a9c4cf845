//! The states of a managed node.

use std::fmt;

/// A state of `lifecycle_msgs/msg/State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// A state that only the messages know; no node is ever in it.
    Unknown = 0,
    /// Nothing is loaded.
    Unconfigured = 1,
    /// Everything is loaded and warm, and nothing moves.
    Inactive = 2,
    /// The node plans and moves.
    Active = 3,
    /// The node has ended.
    Finalized = 4,
    /// The node goes from unconfigured to inactive.
    Configuring = 10,
    /// The node goes from inactive to unconfigured.
    CleaningUp = 11,
    /// The node goes to finalized.
    ShuttingDown = 12,
    /// The node goes from inactive to active.
    Activating = 13,
    /// The node goes from active to inactive.
    Deactivating = 14,
    /// The node goes to unconfigured or finalized after an error.
    ErrorProcessing = 15,
}

impl State {
    /// All states, by id.
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

    /// Number of the state in messages.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// Name of the state in messages.
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

    /// Whether a node stays in the state until it is told otherwise.
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
