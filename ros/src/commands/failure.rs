//! Why a command failed, and its exit status.

use crate::error_text::whole_message;

/// The reason why a command did not do what it was asked to; it decides the exit status.
#[derive(Debug)]
pub struct Failure {
    status: u8,
    error: anyhow::Error,
}

impl Failure {
    /// Makes a failure of a run or a check: status 1.
    pub fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: 1,
            error: error.into(),
        }
    }

    /// Makes a failure of usage, configuration, bundle or bag: status 2.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: 2,
            error: error.into(),
        }
    }

    /// Makes a failure by a fault that stopped the robot: status 3.
    pub fn fault(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: 3,
            error: error.into(),
        }
    }

    /// The exit status.
    pub fn status(&self) -> u8 {
        self.status
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&whole_message(&self.error))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(error)
    }
}
