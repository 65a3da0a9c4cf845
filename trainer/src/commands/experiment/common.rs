//! What all experiments share on the command line.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use latco_experiments::ExperimentError;
use latco_experiments::cells::{Cell, Cells};
use latco_models::Bundle;

use super::error::as_usage_error;
use super::parts::Parts;
use crate::commands::progress::Progress;
use crate::commands::shell::{BadInput, print_json, stop_flag};

/// What all experiments take.
#[derive(clap::Args)]
pub(super) struct Common {
    /// Small enough for a laptop; docs/experiments.md says what is left out and how long it takes.
    #[arg(long)]
    pub(super) quick: bool,
    /// Folder of the results; a run that was stopped goes on in it [default: runs/NAME].
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    /// Number of the first evaluation episode, and seed of the planners.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

impl Common {
    pub(super) fn out(&self, name: &str) -> PathBuf {
        let usual = || Path::new("runs").join(name);
        self.out.clone().unwrap_or_else(usual)
    }

    /// Takes over the cells of other folders, runs those that are missing with `run`, and prints the result.
    pub(super) fn run_cells<C: Cell>(
        &self,
        parts: &Parts,
        list: &Cells,
        (unit, markdown): (&'static str, &str),
        run: impl FnOnce(&mut ShowProgress) -> Result<Vec<C>, ExperimentError>,
    ) -> anyhow::Result<ExitCode> {
        parts.take_over::<C>(list)?;
        let mut progress = ProgressDisplay::new(unit)?;
        let cells = run(&mut |now| progress.show(now)).map_err(as_usage_error)?;
        progress.finish();
        if cells.len() < list.keys.len() {
            tracing::warn!(
                "{} of {} cells are done; the same command goes on",
                cells.len(),
                list.keys.len()
            );
        }
        self.print(&list.out, markdown, serde_json::to_value(&cells)?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Prints the result: JSON, or the Markdown that was written.
    #[allow(clippy::print_stdout)]
    pub(super) fn print(
        &self,
        out: &Path,
        markdown: &str,
        result: serde_json::Value,
    ) -> anyhow::Result<()> {
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

/// Shows how far an experiment has come; asks whether to go on.
pub(super) type ShowProgress<'a> = dyn FnMut(&latco_experiments::Progress) -> ControlFlow<()> + 'a;

pub(super) fn load(bundle: &Path) -> anyhow::Result<Bundle> {
    Bundle::load(bundle, &Default::default()).map_err(|e| BadInput::new(e.to_string()))
}

/// The progress of an experiment on the terminal; hears the request to stop.
pub(super) struct ProgressDisplay {
    unit: &'static str,
    bar: Option<(Progress, u64)>,
    stop: Arc<AtomicBool>,
}

impl ProgressDisplay {
    pub(super) fn new(unit: &'static str) -> anyhow::Result<Self> {
        Ok(Self {
            unit,
            bar: None,
            stop: stop_flag()?,
        })
    }

    pub(super) fn show(&mut self, progress: &latco_experiments::Progress) -> ControlFlow<()> {
        let (bar, shown) = self
            .bar
            .get_or_insert_with(|| (Progress::new(self.unit, progress.total), 0));
        bar.advance(progress.done.saturating_sub(*shown), &progress.cell);
        *shown = progress.done;
        if self.stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    pub(super) fn finish(self) {
        if let Some((bar, _)) = self.bar {
            bar.finish();
        }
    }
}
