//! `latco-train experiment`: the tables and figures of the paper, resumable and in parts.

mod figures;
mod online;
mod parts;
mod tables;
mod warm_start;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::Subcommand;
use latco_experiments::ExperimentError;
use latco_experiments::tables::Table;
use latco_models::Bundle;

use super::progress::Progress;
use super::{BadInput, print_json, stop_flag};

/// Arguments of `latco-train experiment`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    experiment: Experiment,
}

#[derive(Subcommand)]
enum Experiment {
    /// Planners on tasks (table 1 of the paper).
    Table1(tables::Args),
    /// Planners on models of offline data, then improved online (table 2).
    Table2(online::Table2Args),
    /// LatCo without one of its parts each (table 3).
    Table3(tables::Args),
    /// Success by how far from solved an episode begins (figure 4).
    Difficulty(tables::Args),
    /// Which goal of the Lottery each planner chooses (figure 7).
    Lottery(tables::Args),
    /// Dynamics violation, reward and multipliers by iteration (figures 6 and 11).
    Curves(figures::CurvesArgs),
    /// Success by environment steps of online runs (figures 8 to 10).
    LearningCurves(online::LearningArgs),
    /// Plans along the iterations as pictures, and what became of them (figures 1 and 5).
    FilmStrip(figures::FilmArgs),
    /// Predicted and true reward by place (figure 12).
    RewardMap(figures::MapArgs),
    /// What a plan should take over from the one before it, over iteration budgets.
    WarmStart(warm_start::Args),
}

/// The experiment.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.experiment {
        Experiment::Table1(args) => tables::run(Table::Planners, args),
        Experiment::Table2(args) => online::table2(args),
        Experiment::Table3(args) => tables::run(Table::Ablations, args),
        Experiment::Difficulty(args) => tables::run(Table::Difficulty, args),
        Experiment::Lottery(args) => tables::run(Table::Lottery, args),
        Experiment::Curves(args) => figures::curves(args),
        Experiment::LearningCurves(args) => online::learning_curves(args),
        Experiment::FilmStrip(args) => figures::film_strip(args),
        Experiment::RewardMap(args) => figures::reward_map(args),
        Experiment::WarmStart(args) => warm_start::run(args),
    }
}

/// What all experiments take.
#[derive(clap::Args)]
struct Common {
    /// Small enough for a laptop; docs/experiments.md says what is left out and how long it takes.
    #[arg(long)]
    quick: bool,
    /// Folder of the results; a run that was stopped goes on in it [default: runs/NAME].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Number of the first evaluation episode, and seed of the planners.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Common {
    fn out(&self, name: &str) -> PathBuf {
        let usual = || Path::new("runs").join(name);
        self.out.clone().unwrap_or_else(usual)
    }

    /// Tells the result: JSON, or the Markdown that was written.
    #[allow(clippy::print_stdout)]
    fn tell(&self, out: &Path, markdown: &str, result: serde_json::Value) -> anyhow::Result<()> {
        if self.json {
            let mut value = serde_json::json!({ "output_dir": out });
            value["cells"] = result;
            print_json(&value);
            return Ok(());
        }
        let path = out.join(markdown);
        match std::fs::read_to_string(&path) {
            Ok(text) => println!("{text}"),
            // No cell is done, or this was a part.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
        Ok(())
    }
}

/// Says how many of the cells there are.
fn count_told(done: usize, wanted: usize) {
    if done < wanted {
        tracing::warn!("{done} of {wanted} cells are done; the same command goes on");
    }
}

fn load(bundle: &Path) -> anyhow::Result<Bundle> {
    Bundle::load(bundle, &Default::default()).map_err(|e| BadInput::new(e.to_string()))
}

/// The progress of an experiment on the terminal; hears the request to stop.
struct Shown {
    what: &'static str,
    bar: Option<(Progress, u64)>,
    stop: Arc<AtomicBool>,
}

impl Shown {
    fn new(what: &'static str) -> anyhow::Result<Self> {
        Ok(Self {
            what,
            bar: None,
            stop: stop_flag()?,
        })
    }

    fn show(&mut self, progress: &latco_experiments::Progress) -> ControlFlow<()> {
        let (bar, shown) = self
            .bar
            .get_or_insert_with(|| (Progress::new(self.what, progress.total), 0));
        bar.advance(progress.done.saturating_sub(*shown), &progress.cell);
        *shown = progress.done;
        if self.stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn finish(self) {
        if let Some((bar, _)) = self.bar {
            bar.finish();
        }
    }
}

/// An error of an experiment, as usage where it is the user's.
fn told(error: ExperimentError) -> anyhow::Error {
    match error {
        error @ (ExperimentError::Evaluate(_)
        | ExperimentError::Bundle(_)
        | ExperimentError::Config(_)
        | ExperimentError::NoMap { .. }
        | ExperimentError::NothingToMerge(_)
        | ExperimentError::Another { .. }) => BadInput::new(error.to_string()),
        other => anyhow::Error::new(other),
    }
}
