//! Settings of a run beside its configuration, and why it cannot start or go on.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use thiserror::Error;

use super::checkpoint::{CHECKPOINT_FILE, Checkpoint, CheckpointError};
use super::dataset::Frames;

/// Steps in a row without a finite gradient after which a run is given up.
pub(super) const PATIENCE: usize = 100;

/// Settings of a run beside its configuration.
pub struct RunOptions<'a> {
    /// Folder of the run.
    pub out: PathBuf,
    /// Whether to go on from the folder's checkpoint.
    pub resume: bool,
    /// Seed of weights and batches; the same one gives the same weights.
    pub seed: u64,
    /// Episodes that the held-out loss is measured on.
    pub held_out: &'a Frames,
    /// A finished run whose weights the world model starts from; its autoencoder is kept as it is.
    pub base: Option<&'a Checkpoint>,
    /// Device to train on.
    pub device: Device,
    /// Set from outside to save and stop.
    pub stop: &'a AtomicBool,
}

/// Why a run cannot start or go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// The folder has a run already.
    #[error("{} has a checkpoint already; go on with --resume or choose another --out", .0.display())]
    Exists(PathBuf),
    /// There is nothing to resume.
    #[error("{} has no {CHECKPOINT_FILE} to resume from; start without --resume", .0.display())]
    NothingToResume(PathBuf),
    /// What is resumed was started differently.
    #[error("the checkpoint in {} was made with another {}; use the same or choose another --out", folder.display(), differs.join(", "))]
    Different {
        /// The folder.
        folder: PathBuf,
        /// Names of what differs.
        differs: Vec<&'static str>,
    },
    /// The run to start from is not finished, or is about another model.
    #[error("cannot start from that run:\n  {}", .0.join("\n  "))]
    Base(Vec<String>),
    /// Data and configuration do not fit.
    #[error("the data do not fit the configuration:\n  {}", .0.join("\n  "))]
    Data(Vec<String>),
    /// The loss is not finite any more.
    #[error(
        "{stage} step {step}: no finite gradient for {PATIENCE} steps; lower training.learning_rate or training.clip"
    )]
    Diverged {
        /// Name of the stage.
        stage: &'static str,
        /// Number of the step.
        step: usize,
    },
    /// The checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Images that were set aside on disk cannot be read.
    #[error("cannot read the images of the training data: {0}")]
    Images(std::io::Error),
    /// The system refuses the threads.
    #[error(
        "shards: cannot start a thread for each part of a batch: {0}; lower shards, or see `ulimit -u`"
    )]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The losses cannot be written.
    #[error("cannot write the records of the run: {0}")]
    Record(#[from] std::io::Error),
}
