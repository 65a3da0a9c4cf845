//! What the commands share that measure something on bundles.

use std::path::{Path, PathBuf};

use latco_models::{Bundle, LoadOptions, Manifest};
use latco_trainer::fit::config::FitConfig;
use latco_trainer::fit::dataset::Frames;
use latco_trainer::source;

use super::shell::{BadInput, OrBadInput};

/// The bags that bundles are measured on.
#[derive(clap::Args)]
pub(super) struct MeasuredOn {
    /// Bags, or folders of bags, to measure on; by default new episodes of the simulated robot.
    /// Bags that a bundle was trained on are recognised, and only the held-out episodes used.
    #[arg(long, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Share of the episodes that was held out in training.
    #[arg(long, default_value_t = 0.05)]
    held_out: f64,
}

impl MeasuredOn {
    /// Whether there are bags.
    pub(super) fn is_bags(&self) -> bool {
        !self.data.is_empty()
    }

    /// Refuses bags where `option`, by which something is measured, was not given.
    pub(super) fn needs(&self, option: &str, given: bool) -> anyhow::Result<()> {
        if self.is_bags() && !given {
            return Err(BadInput::new(format!(
                "--data: expected {option} beside it, found it alone"
            )));
        }
        Ok(())
    }

    /// The error of a bundle of another task than the simulated ones, where there are no bags.
    pub(super) fn missing(folder: &Path, task: &str) -> anyhow::Error {
        BadInput::new(format!(
            "{}: the task {task:?} is none of the simulated ones; expected --data with bags of it",
            folder.display()
        ))
    }

    /// The held-out episodes if these are the bags that the bundle was trained on, else all.
    pub(super) fn episodes(&self, manifest: &Manifest) -> anyhow::Result<Frames> {
        if !(0.0..=0.9).contains(&self.held_out) {
            return Err(BadInput::new(format!(
                "--held-out: expected 0 to 0.9, found {}",
                self.held_out
            )));
        }
        let mut config = FitConfig::parse("").or_bad_input()?;
        config.held_out = self.held_out;
        config.data.task.clone_from(&manifest.task);
        config.data.control_period_s = manifest.control_period_s;
        config.data.image_size = manifest.image.width;
        config.data.action_scale = manifest
            .action
            .scale
            .iter()
            .map(|s| f64::from(*s))
            .collect();
        config.data.action_kinds = manifest.action.kinds();
        let source = source::read(&self.data, &[], &config)?;
        for problem in &source.problems {
            tracing::warn!("{problem}");
        }
        if source.facts.data_hash == manifest.data_hash {
            tracing::info!(
                "the bundle was trained on these bags: only the episodes held out are used"
            );
            return Ok(source.held_out);
        }
        let mut all = source.train;
        all.append(&source.held_out);
        Ok(all)
    }
}

/// The folder's name; the task's where the folder is called `bundle`, as in a run.
pub(super) fn name_of(folder: &Path, manifest: &Manifest) -> String {
    match folder.file_name().and_then(|name| name.to_str()) {
        Some(name) if name != "bundle" => name.to_owned(),
        _ => manifest.task.clone(),
    }
}

/// Loads and checks a bundle.
pub(super) fn load(folder: &Path) -> anyhow::Result<Bundle> {
    Bundle::load(folder, &LoadOptions::default()).or_bad_input()
}
