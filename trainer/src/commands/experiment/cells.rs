//! Runs any experiment: takes over what others have done, shows how far it is, prints the result.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use latco_experiments::ExperimentError;
use latco_experiments::cells::Experiment;
use latco_experiments::options::{Common, Parts};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commands::shell::{BadInput, go_on, print_json, stop_flag};
use latco_trainer::progress::Progress;

/// An error of an experiment, as usage where it is the user's.
pub(super) fn as_usage_error(error: ExperimentError) -> anyhow::Error {
    match error {
        error @ (ExperimentError::Evaluate(_)
        | ExperimentError::Bundle(_)
        | ExperimentError::Config(_)
        | ExperimentError::NoMap { .. }
        | ExperimentError::NoRow { .. }
        | ExperimentError::NothingToMerge(_)
        | ExperimentError::Another { .. }) => BadInput::new(error.to_string()),
        other => anyhow::Error::new(other),
    }
}

/// Takes over the cells of other folders, runs those that are missing, and prints the result.
pub(super) fn run_cells<T: Clone + Serialize + DeserializeOwned>(
    common: &Common,
    parts: &Parts,
    mut experiment: Experiment<'_, T>,
) -> anyhow::Result<ExitCode> {
    for folder in &parts.merge {
        let added = experiment.merge(folder).map_err(as_usage_error)?;
        tracing::info!("{added} cells of {} taken over", folder.display());
    }
    let mut shown = Shown::new(experiment.steps.1)?;
    let cells = (experiment.run(&mut |now| shown.show(now))).map_err(as_usage_error)?;
    shown.finish();
    let wanted = experiment.keys.len();
    if cells.len() < wanted {
        tracing::warn!(
            "{} of {wanted} cells are done; the same command goes on",
            cells.len()
        );
    }
    let (out, markdown) = (&experiment.out, &experiment.markdown);
    print(common, out, markdown, serde_json::to_value(&cells)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the result: JSON, or the Markdown that was written.
#[allow(clippy::print_stdout)]
pub(super) fn print(
    common: &Common,
    out: &Path,
    markdown: &str,
    result: serde_json::Value,
) -> anyhow::Result<()> {
    if common.json {
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

/// The progress of an experiment on the terminal; hears the request to stop.
pub(super) struct Shown {
    unit: &'static str,
    bar: Option<(Progress, u64)>,
    stop: Arc<AtomicBool>,
}

impl Shown {
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
        go_on(&self.stop)
    }

    pub(super) fn finish(self) {
        if let Some((bar, _)) = self.bar {
            bar.finish();
        }
    }
}
