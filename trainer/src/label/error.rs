//! Why a bag cannot be labelled.

use std::path::PathBuf;

use latco_bag::BagError;
use latco_bag::recording::RecordingError;
use latco_pictures::PictureError;

/// Why a bag cannot be labelled.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The bag cannot be read, or the copy not written.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// The bag cannot be read as a recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Labels and bag do not fit: everything that is wrong.
    #[error("{} cannot be labelled so:\n  {}", bag.display(), .problems.join("\n  "))]
    Refused {
        /// The bag.
        bag: PathBuf,
        /// One sentence each.
        problems: Vec<String>,
    },
    /// The file of ranges cannot be read.
    #[error("{}: {reason}", path.display())]
    Ranges {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The strip.
    #[error(transparent)]
    Picture(#[from] PictureError),
}
