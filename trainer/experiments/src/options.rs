//! What the experiments share on the command line.

use std::path::{Path, PathBuf};

/// The options of all experiments.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Common {
    /// Small enough for a laptop; docs/experiments.md says what is left out and how long it takes.
    #[arg(long)]
    pub quick: bool,
    /// Folder of the results; a run that was stopped goes on in it [default: runs/NAME].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Number of the first evaluation episode, and seed of the planners.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

impl Common {
    /// The folder of the results of the experiment of that name.
    #[must_use]
    pub fn out(&self, name: &str) -> PathBuf {
        let usual = || Path::new("runs").join(name);
        self.out.clone().unwrap_or_else(usual)
    }

    /// What was given, else what is usual in a quick run or in a full one.
    pub fn or<T>(&self, given: Option<T>, quick: T, full: T) -> T {
        given.unwrap_or(if self.quick { quick } else { full })
    }
}

/// The options of the experiments that are made of cells.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Parts {
    /// Only every Nth cell, from the Ith on (I from 0), as one of N jobs. They may have one folder for the
    /// results; plot and tables are made by a run without this option.
    #[arg(long, value_name = "I/N", value_parser = part)]
    pub cell: Option<(usize, usize)>,
    /// First take over the cells that are in this folder as well.
    #[arg(long, value_name = "DIR")]
    pub merge: Vec<PathBuf>,
}

/// `I/N` with I < N.
fn part(text: &str) -> Result<(usize, usize), String> {
    let read = || {
        let (part, of) = text.split_once('/')?;
        let (part, of) = (part.parse().ok()?, of.parse().ok()?);
        (part < of).then_some((part, of))
    };
    read().ok_or_else(|| format!("expected I/N with I from 0 and less than N, found {text}"))
}

/// Reads a number above 0.
///
/// # Errors
/// What was expected and found.
pub fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    let found = number.filter(|number| number.is_finite() && *number > 0.0);
    found.ok_or_else(|| format!("expected a number above 0, found {text}"))
}
