//! Errors of a demonstration.

use std::path::PathBuf;

use latco_models::BundleError;
use thiserror::Error;

use crate::child::ChildError;
use crate::recorder::RecordError;

/// The reason why a demonstration failed.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The bundle cannot be loaded, or ONNX Runtime is missing.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The output folder cannot be used.
    #[error("output folder {}: {reason}", folder.display())]
    Folder {
        /// The output folder.
        folder: PathBuf,
        /// Description of the fault.
        reason: String,
    },
    /// One of the two processes.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// A step of the demonstration took too long.
    #[error("{what} within {seconds} s; the logs are in {}", folder.display())]
    TimeLimit {
        /// Description of what did not happen.
        what: String,
        /// Time for which it was awaited, in seconds.
        seconds: u64,
        /// Folder of the logs.
        folder: PathBuf,
    },
    /// The demonstration was interrupted by Ctrl-C.
    #[error("interrupted after {episodes} episodes; the bag of it is {}", bag.display())]
    Interrupted {
        /// Number of episodes that came to their end.
        episodes: u64,
        /// Path of the bag.
        bag: PathBuf,
    },
    /// The recorder failed.
    #[error("recording: {0}")]
    Record(#[from] RecordError),
    /// Any other error.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}
