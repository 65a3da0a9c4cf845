//! The tables and figures of Rybkin et al. 2021 on the simulated tasks, each with a Markdown file, a
//! CSV file and a plot in one folder.
//!
//! | module | what | in the paper |
//! |---|---|---|
//! | [`tables`] | planners on tasks, ablations, success by difficulty, the Lottery | tables 1 and 3, figures 4 and 7 |
//! | [`figures::optimisation`] | violation, reward and multipliers by iteration | figures 6 and 11 |
//! | [`figures::film`] | plans along the iterations, and what became of them | figures 1 and 5 |
//! | [`figures::reward_map`] | predicted and true reward by place | figure 12 |
//! | [`race`] | all planners from one start, side by side on a page | |
//!
//! What needs a training, table 2 and figures 8 to 10, is in the trainer's program, on the same cells.
//!
//! Which planners and variants are compared stands in [`rows`], what the paper found in [`paper`],
//! and how cells are kept, resumed and merged in [`cells`].
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use latco_experiments::{options::Common, tables};
//!
//! let common = Common { quick: true, ..Common::default() };
//! let args = tables::Args {
//!     common,
//!     parts: Default::default(),
//!     tasks: vec!["reach".into()],
//!     rows: Vec::new(),
//!     settings: Vec::new(),
//!     bundles: "models/bundles".into(),
//!     configs: "configs".into(),
//!     equal_ms: None,
//!     episodes: None,
//! };
//! let cells = args.experiment(&tables::PLANNERS)?.run(&mut |_| ControlFlow::Continue(()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cells;
pub mod figures;
pub mod options;
pub mod paper;
pub mod race;
pub mod rows;
pub mod table;
pub mod tables;

use std::path::{Path, PathBuf};

use latco_evaluate::EvaluateError;
use latco_models::{BundleError, RunError, replace_file};
use latco_pictures::PictureError;

/// Why an experiment has no result.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The closed loop cannot be made.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The bundle cannot be loaded.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A graph of the bundle failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The image of the simulated robot was refused.
    #[error("the robot's first image: {0}")]
    Input(#[from] latco_controller::inputs::InputError),
    /// A robot configuration cannot be read.
    #[error(transparent)]
    Config(#[from] latco_controller::ConfigError),
    /// A file of the result cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The folder holds another experiment.
    #[error("{} holds another experiment ({found}), expected {expected}; choose another folder or remove it", path.display())]
    Another {
        /// The file of the cells.
        path: PathBuf,
        /// Name of this experiment.
        expected: String,
        /// The one in the folder.
        found: String,
    },
    /// A folder to merge has no cells.
    #[error("{}: expected a folder with cells*.jsonl of a part of the experiment, found none", .0.display())]
    NothingToMerge(PathBuf),
    /// The task has nothing that such a map could be of.
    #[error("{task}: no map is known for it, expected one of {known}")]
    NoMap {
        /// The task.
        task: String,
        /// Tasks with a map.
        known: String,
    },
    /// The table has no row of that name.
    #[error("--rows: expected names of {known}, found {row}")]
    NoRow {
        /// The name.
        row: String,
        /// The rows of the table.
        known: String,
    },
    /// What was started for a cell failed.
    #[error("{0}")]
    Program(String),
    /// The plot cannot be made.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

impl From<latco_envs::EnvError> for ExperimentError {
    fn from(error: latco_envs::EnvError) -> Self {
        Self::Evaluate(error.into())
    }
}

impl From<latco_controller::SetupError> for ExperimentError {
    fn from(error: latco_controller::SetupError) -> Self {
        Self::Evaluate(error.into())
    }
}

/// How far an experiment has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Steps (episodes, plans) that are done, those of earlier runs among them.
    pub done: u64,
    /// Number of all steps.
    pub total: u64,
    /// The cell that runs.
    pub cell: String,
}

/// Replaces a file as a whole, so that nobody ever reads half of it, and makes its folder if needed.
///
/// # Errors
/// [`ExperimentError::Io`].
pub fn write_file(path: &Path, text: &str) -> Result<(), ExperimentError> {
    replace_file(path, text.as_bytes()).map_err(|source| ExperimentError::Io {
        path: path.to_path_buf(),
        source,
    })
}
