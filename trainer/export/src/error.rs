//! Errors of the export.

use std::path::PathBuf;

use latco_reference::WeightsError;
use thiserror::Error;

/// A bundle could not be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The weights contradict each other.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Gate factors were asked for of weights without a GRU.
    #[error("the weights have no GRU: expected dynamics of the kind dense, found gru_factors")]
    NoGru,
    /// The metadata contradict the weights or each other.
    #[error("the metadata are wrong:\n  - {}", .0.join("\n  - "))]
    Metadata(Vec<String>),
    /// A graph has no golden vectors, or they lack something.
    #[error("the golden vectors are wrong: {0}")]
    Golden(String),
    /// A file could not be written.
    #[error("{} cannot be written: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Manifest or golden vectors could not be serialised.
    #[error("{what} cannot be serialised: {reason}")]
    Serialise {
        /// The file.
        what: &'static str,
        /// The serialiser's reason.
        reason: String,
    },
}
