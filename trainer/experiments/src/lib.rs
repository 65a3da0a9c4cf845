//! Experiments on planners in closed loop: each is a table of cells, a CSV file, a Markdown table
//! and a plot in one folder. A cell that is done is kept, so that an experiment which was stopped
//! goes on where it was.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use latco_experiments::warm_start::{self, Options};
//!
//! let bundle = latco_models::Bundle::load("models/bundles/reach", &Default::default())?;
//! let options = Options::new("reach", "runs/warm-start", true);
//! let cells = warm_start::run(&bundle, &options, |_| ControlFlow::Continue(()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod grid;
mod store;
pub mod tables;
pub mod warm_start;

use std::path::PathBuf;

use latco_evaluate::EvaluateError;
use latco_models::BundleError;
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
    /// A file of the result.
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
        /// This experiment.
        expected: String,
        /// The one in the folder.
        found: String,
    },
    /// The plot.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// How far an experiment has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Episodes that are done, those of earlier runs among them.
    pub done: u64,
    /// All of them.
    pub total: u64,
    /// The cell that runs.
    pub cell: String,
}
