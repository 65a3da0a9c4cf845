//! The kinds of reward that a robot pays.

use std::str::FromStr;

use crate::error::EnvError;

latco_models::named! {
    /// The kinds of reward that [`Robot::reward`](crate::Robot::reward) pays.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub enum RewardKind {
        /// Pays for the result alone: for most tasks 1 where the task is solved, else 0.
        #[default]
        Sparse => "sparse",
        /// Pays for every part of the way: for most tasks minus the way that is left, in m.
        Dense => "dense",
    }
}

impl FromStr for RewardKind {
    type Err = EnvError;

    fn from_str(name: &str) -> Result<Self, EnvError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| EnvError::unknown("reward", name, Self::ALL.map(Self::name)))
    }
}
