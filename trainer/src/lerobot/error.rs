//! Errors of LeRobot data sets.

use std::path::{Path, PathBuf};

/// The reason why a LeRobot data set, or a file of it, cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct LeRobotError {
    /// The data set or the file.
    pub path: PathBuf,
    /// What was expected, what was found, and what to do.
    pub problem: String,
}

impl LeRobotError {
    /// Makes the error of `path`.
    pub fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self {
            path: path.to_path_buf(),
            problem: problem.into(),
        }
    }
}

/// Attaches a path to the errors of lower layers.
pub(super) trait At<T> {
    /// The value, or the error as one of `path`.
    fn at(self, path: &Path) -> Result<T, LeRobotError>;
}

impl<T, E: std::fmt::Display> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, LeRobotError> {
        self.map_err(|error| LeRobotError::new(path, error.to_string()))
    }
}
