//! Why data cannot be used.

use std::path::PathBuf;

use latco_bag::BagError;

/// What is wrong with bags or npz files as training data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Nothing to read.
    #[error("no bags found: expected bag folders, .mcap or .db3 files, or folders that hold bags, found {}", list(.given))]
    NoBags {
        /// Paths given.
        given: Vec<PathBuf>,
    },
    /// Every bag failed.
    #[error("none of {} bags can be used:\n{}", .problems.len(), .problems.join("\n"))]
    AllFailed {
        /// One line per bag.
        problems: Vec<String>,
    },
    /// The bag cannot be read.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// A topic is missing.
    #[error(
        "{}: expected a topic `{topic}` of type {expected}, found {}; record it or remap the topic",
        bag.display(), found.join(", ")
    )]
    MissingTopic {
        /// Bag.
        bag: PathBuf,
        /// Topic.
        topic: &'static str,
        /// Its type.
        expected: &'static str,
        /// Topics of the bag.
        found: Vec<String>,
    },
    /// No image can be used.
    #[error("{}: expected images, found none that can be used{}", bag.display(), because(.problems))]
    NoFrames {
        /// Bag.
        bag: PathBuf,
        /// What was wrong with its messages.
        problems: Vec<String>,
    },
    /// Widths of actions or joints, or image sizes, differ from the other bags or the
    /// configuration.
    #[error("{}: expected {quantity} {expected}, found {found}; use only bags of one robot and one configuration", bag.display())]
    Mismatch {
        /// Bag.
        bag: PathBuf,
        /// What differs.
        quantity: &'static str,
        /// Of the configuration or the bags before.
        expected: String,
        /// Of this bag.
        found: String,
    },
    /// Episodes cannot be stored.
    #[error("cannot set images aside on disk: {0}; make room there or raise data.memory_mb")]
    Store(std::io::Error),
    /// What must be in memory is more than allowed.
    #[error(
        "data.memory_mb: expected at least {needed} for the joints, actions, rewards and image codes of these data, found {found}"
    )]
    Memory {
        /// Least limit, MB.
        needed: usize,
        /// The limit, MB.
        found: usize,
    },
    /// A setting that makes no sense.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// An npz file that is not an episode.
    #[error("{}: not an episode:\n{}\nthe file holds {}", path.display(), .problems.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"), .found.join(", "))]
    Npz {
        /// File.
        path: PathBuf,
        /// Everything that does not fit.
        problems: Vec<String>,
        /// `key dtype [shape]` of everything in the file.
        found: Vec<String>,
    },
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
