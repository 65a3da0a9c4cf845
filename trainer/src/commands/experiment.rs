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

    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))
        .context("cannot take Ctrl-C")?;
    let mut bar: Option<(Progress, u64)> = None;
    let cells = warm_start::run(&bundle, &options, |progress| {
        let (bar, shown) =
            bar.get_or_insert_with(|| (Progress::new("episodes", progress.total), 0));
        bar.advance(progress.done - *shown, &progress.cell);
        *shown = progress.done;
        if interrupted.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
    .map_err(|error| match error {
        error @ (ExperimentError::Evaluate(_) | ExperimentError::Another { .. }) => {
            BadInput::new(error.to_string())
        }
        other => anyhow::Error::new(other),
    })?;
    if let Some((bar, _)) = bar {
        bar.finish();
    }
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
