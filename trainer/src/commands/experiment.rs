//! `latco-train experiment`: tables and figures, resumable.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::Subcommand;
use latco_controller::Config;
use latco_experiments::ExperimentError;
use latco_experiments::tables::{self, Table};
use latco_experiments::warm_start::{self, Options};
use latco_models::Bundle;

use super::progress::Progress;
use super::{BadInput, print_json};

/// Arguments of `latco-train experiment`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    experiment: Experiment,
}

#[derive(Subcommand)]
enum Experiment {
    /// What a plan should take over from the one before it, over iteration budgets.
    WarmStart(WarmStart),
    /// Planners on tasks (table 1 of the paper).
    Table1(TableArgs),
    /// LatCo without one of its parts each (table 3).
    Table3(TableArgs),
    /// Success by how far from solved an episode begins (figure 4).
    Difficulty(TableArgs),
    /// Which goal of the Lottery each planner chooses (figure 7).
    Lottery(TableArgs),
}

#[derive(clap::Args)]
struct TableArgs {
    /// Only what a laptop does in an hour: all planners at equal time, without the paper's own settings.
    #[arg(long)]
    quick: bool,
    /// Tasks [default: those of the table].
    #[arg(long, value_delimiter = ',')]
    tasks: Vec<String>,
    /// Folder with a bundle named after each task.
    #[arg(long, default_value = "models/bundles")]
    bundles: PathBuf,
    /// Folder with a robot configuration named after each task.
    #[arg(long, default_value = "configs")]
    configs: PathBuf,
    /// Time of a plan at equal time, ms.
    #[arg(long, default_value_t = 30.0)]
    equal_ms: f64,
    /// Episodes of each cell.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: u32,
    /// Folder of the results; a run that was stopped goes on in it [default: runs/NAME].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only every Nth cell, from the Ith on (I from 0), as one of N jobs that share the folder.
    #[arg(long, value_name = "I/N")]
    cell: Option<String>,
    /// First take over the cells that are in this folder as well.
    #[arg(long, value_name = "DIR")]
    merge: Vec<PathBuf>,
    /// Number of the first evaluation episode, and seed of the planners.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct WarmStart {
    /// Few episodes and three budgets.
    #[arg(long)]
    quick: bool,
    /// Folder of the model bundle.
    #[arg(long, default_value = "models/bundles/reach")]
    bundle: PathBuf,
    /// Simulated task.
    #[arg(long, default_value = "reach")]
    task: String,
    /// Robot configuration with the settings that are not varied; by default the built-in ones.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Episodes of each cell [default: 50, quick 6].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: Option<u32>,
    /// Folder of the results; a run that was stopped goes on in it.
    #[arg(long, default_value = "runs/warm-start")]
    out: PathBuf,
    /// Number of the first evaluation episode, and seed of the planner.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The experiment.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.experiment {
        Experiment::WarmStart(args) => warm_start(args),
        Experiment::Table1(args) => table(Table::Planners, args),
        Experiment::Table3(args) => table(Table::Ablations, args),
        Experiment::Difficulty(args) => table(Table::Difficulty, args),
        Experiment::Lottery(args) => table(Table::Lottery, args),
    }
}

/// `I/N` with I < N.
fn part(text: &str) -> Option<(usize, usize)> {
    let (part, of) = text.split_once('/')?;
    let (part, of) = (part.parse().ok()?, of.parse().ok()?);
    (part < of).then_some((part, of))
}

#[allow(clippy::print_stdout)]
fn table(table: Table, args: TableArgs) -> anyhow::Result<ExitCode> {
    let part = match &args.cell {
        None => None,
        Some(text) => Some(part(text).ok_or_else(|| {
            BadInput::new(format!(
                "--cell: expected I/N with I from 0 and less than N, found {text}"
            ))
        })?),
    };
    if !(args.equal_ms.is_finite() && args.equal_ms > 0.0) {
        return Err(BadInput::new(format!(
            "--equal-ms: expected more than 0, found {}",
            args.equal_ms
        )));
    }
    let options = tables::Options {
        table,
        quick: args.quick,
        tasks: args.tasks,
        bundles: args.bundles,
        configs: args.configs,
        equal_ms: args.equal_ms,
        episodes: args.episodes,
        seed: args.seed,
        out: args
            .out
            .unwrap_or_else(|| PathBuf::from("runs").join(table.name())),
        part,
    };
    let grid = options.grid().map_err(|e| BadInput::new(e.to_string()))?;
    for folder in &args.merge {
        let added = grid.merge(folder).map_err(told)?;
        tracing::info!("{added} cells of {} taken over", folder.display());
    }
    let (mut shown, interrupted) = (Shown::default(), interrupted()?);
    let cells = grid
        .run(
            |progress| shown.show(progress, &interrupted),
            |cells| options.report(cells),
        )
        .map_err(told)?;
    shown.finish();
    if cells.len() < grid.cells.len() {
        tracing::warn!(
            "{} of {} cells are done; the same command goes on",
            cells.len(),
            grid.cells.len()
        );
    }
    if args.json {
        print_json(&serde_json::json!({ "output_dir": options.out, "cells": cells }));
    } else if !cells.is_empty() {
        println!("{}", options.markdown(&cells));
    }
    Ok(ExitCode::SUCCESS)
}

/// Set by Ctrl-C.
fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))
        .context("cannot take Ctrl-C")?;
    Ok(interrupted)
}

/// The progress of an experiment on the terminal.
#[derive(Default)]
struct Shown {
    bar: Option<(Progress, u64)>,
}

impl Shown {
    fn show(
        &mut self,
        progress: &latco_experiments::Progress,
        interrupted: &AtomicBool,
    ) -> ControlFlow<()> {
        let (bar, shown) = self
            .bar
            .get_or_insert_with(|| (Progress::new("episodes", progress.total), 0));
        bar.advance(progress.done - *shown, &progress.cell);
        *shown = progress.done;
        if interrupted.load(Ordering::Relaxed) {
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
        | ExperimentError::Another { .. }) => BadInput::new(error.to_string()),
        other => anyhow::Error::new(other),
    }
}

#[allow(clippy::print_stdout)]
fn warm_start(args: WarmStart) -> anyhow::Result<ExitCode> {
    let mut options = Options::new(args.task, args.out, args.quick);
    options.seed = args.seed;
    if let Some(episodes) = args.episodes {
        options.episodes = episodes;
    }
    if let Some(path) = &args.config {
        options.config = Config::load(path).map_err(|e| BadInput::new(e.to_string()))?;
    }
    let bundle = Bundle::load(&args.bundle, &Default::default())
        .map_err(|e| BadInput::new(e.to_string()))?;

    let (mut shown, interrupted) = (Shown::default(), interrupted()?);
    let cells = warm_start::run(&bundle, &options, |progress| {
        shown.show(progress, &interrupted)
    })
    .map_err(told)?;
    shown.finish();
    let wanted = options.budgets.len() * warm_start::STARTS.len();
    if cells.len() < wanted {
        tracing::warn!(
            "stopped after {} of {wanted} cells; the same command goes on",
            cells.len()
        );
    }
    if args.json {
        print_json(&serde_json::json!({ "output_dir": options.out, "cells": cells }));
    } else if !cells.is_empty() {
        let table = options.out.join("warm_start.md");
        println!("{}", std::fs::read_to_string(&table).context("the table")?);
    }
    Ok(ExitCode::SUCCESS)
}
