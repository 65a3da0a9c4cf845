//! Errors of training data.

use std::path::PathBuf;

use latco_bag::BagError;
use latco_bag::recording::{ChoiceError, RecordingError};
use latco_envs::EnvError;

/// The reason why bags or npz files cannot be used as training data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is nothing to read.
    #[error("no bags found: expected bag folders, .mcap or .db3 files, or folders that hold bags, found {}", list(.given))]
    NoBags {
        /// Paths that were given.
        given: Vec<PathBuf>,
    },
    /// No bag can be used.
    #[error("none of {} bags can be used:\n{}", .problems.len(), .problems.join("\n"))]
    AllFailed {
        /// The problems, a line per bag.
        problems: Vec<String>,
    },
    /// The bag cannot be read.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// A topic that is needed is missing, or not clear.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// No image can be used.
    #[error("{}: expected images, found none that can be used{}", bag.display(), because(.problems))]
    NoFrames {
        /// Path of the bag.
        bag: PathBuf,
        /// Problems of its messages.
        problems: Vec<String>,
    },
    /// Widths of actions or joints, or image sizes, differ from the other bags or the
    /// configuration.
    #[error("{}: expected {quantity} {expected}, found {found}; use only bags of one robot, and set data.task, data.action_scale and data.joints to its own", bag.display())]
    Mismatch {
        /// Path of the bag.
        bag: PathBuf,
        /// Name of the quantity that differs.
        quantity: &'static str,
        /// Value of the configuration or of the bags before.
        expected: String,
        /// Value of this bag.
        found: String,
    },
    /// Episodes cannot be stored.
    #[error("cannot set images aside on disk: {0}; make room there or raise data.memory_mb")]
    Store(std::io::Error),
    /// The data that must be in memory is larger than the limit.
    #[error(
        "data.memory_mb: expected at least {needed} for the joints, actions, rewards and image codes of these data, found {found}"
    )]
    Memory {
        /// Least limit that would do, in MB.
        needed: usize,
        /// The limit in MB.
        found: usize,
    },
    /// A setting that makes no sense.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Description of the values that make sense.
        expected: &'static str,
        /// The value that was found.
        found: String,
    },
    /// The file of the robot is wrong.
    #[error(transparent)]
    Robot(#[from] EnvError),
    /// An npz file is not an episode.
    #[error("{}: not an episode:\n{}\nthe file holds {}", path.display(), .problems.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"), .found.join(", "))]
    Npz {
        /// Path of the file.
        path: PathBuf,
        /// Descriptions of everything that does not fit.
        problems: Vec<String>,
        /// Everything in the file, as `key dtype [shape]`.
        found: Vec<String>,
    },
}

impl From<RecordingError> for DataError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Bag(error) => Self::Bag(error),
            RecordingError::Choice(error) => Self::Choice(error),
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    match paths {
        [] => "no paths".to_owned(),
        paths => {
            let names: Vec<String> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            names.join(", ")
        }
    }
}

fn because(problems: &[String]) -> String {
    match problems {
        [] => String::new(),
        problems => format!(" ({})", problems.join("; ")),
    }
}
