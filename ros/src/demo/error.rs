//! Why there is no demonstration.

use std::path::PathBuf;

use latco_models::BundleError;
use thiserror::Error;

use crate::recorder::RecordError;

/// Why there is no demonstration.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The bundle, or ONNX Runtime.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The output folder.
    #[error("output folder {}: {reason}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A process ended that should not have.
    #[error("the {name} ended with {}: {last_words}", status.map_or("a signal".to_owned(), |s| format!("status {s}")))]
    Child {
        /// Which one.
        name: &'static str,
        /// Its exit status.
        status: Option<i32>,
        /// The end of its log.
        last_words: String,
    },
    /// It took too long.
    #[error("{what} within {seconds} s; the logs are in {}", folder.display())]
    TimeLimit {
        /// What did not happen.
        what: String,
        /// How long it was waited for.
        seconds: u64,
        /// Where the logs are.
        folder: PathBuf,
    },
    /// Ctrl-C.
    #[error("interrupted after {episodes} episodes; the bag of it is {}", bag.display())]
    Interrupted {
        /// Episodes that came to their end.
        episodes: u64,
        /// The bag.
        bag: PathBuf,
    },
    /// The recorder.
    #[error("recording: {0}")]
    Record(#[from] RecordError),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}
