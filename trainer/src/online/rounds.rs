//! One round of training: from episodes in the exchange to a bundle.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use latco_models::{Bundle, LoadOptions};

use super::exchange::Exchange;
use super::state::{Round, RunSettings};
use crate::export::export;
use crate::fit::checkpoint::{CHECKPOINT_FILE, Checkpoint, Stage};
use crate::fit::config::FitConfig;
use crate::fit::error::RunOptions;
use crate::fit::run::run;
use crate::fit::trained::Model;
use crate::gates;
use crate::source;

/// Number of rounds whose checkpoints and bundles are kept.
const KEPT: u64 = 2;

/// Width and height of the camera pictures, pixels.
pub(super) fn image_size(settings: &RunSettings) -> Result<usize> {
    match settings.config.fit.data.image_size {
        0 => anyhow::bail!(
            "data.image_size: expected the size of the pictures that collectors make, found 0"
        ),
        size => Ok(size),
    }
}

/// Trains a round, going on where it was if it had begun, and writes the folder `bundle` of the
/// run. False if it was stopped before its end.
pub(super) fn train(
    settings: &RunSettings,
    round: &Round,
    exchange: &Exchange,
    out: &Path,
    stop: &AtomicBool,
) -> Result<bool> {
    let config = config_of(settings, round);
    let mut bags = settings.data.clone();
    let mut recent = Vec::new();
    for name in &round.episodes {
        let bag = exchange.bag(name);
        if round.recent.contains(name) {
            recent.push(bag);
        } else {
            bags.push(bag);
        }
    }
    if bags.is_empty() {
        // All are recent: then none is more so than the others.
        std::mem::swap(&mut bags, &mut recent);
    }
    let folder = folder_of(out, round.number);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let mut source = source::read_within(&bags, &recent, &config, &folder)?;
    for problem in &source.problems {
        tracing::warn!("{problem}");
    }
    let base = if round.anew {
        None
    } else {
        let base = Checkpoint::load(&folder_of(out, round.number - 1))?;
        // The weights were learned with these.
        source.facts.joints_mean.clone_from(&base.facts.joints_mean);
        source.facts.joints_std.clone_from(&base.facts.joints_std);
        Some(base)
    };
    let options = RunOptions {
        resume: Checkpoint::exists(&folder),
        out: folder,
        seed: settings.seed.wrapping_add(round.number),
        held_out: &source.held_out,
        base: base.as_ref(),
        device: crate::rssm::device::cpu(),
        stop,
    };
    let checkpoint = run(&config, &source.facts, &source.train, &options)?;
    if checkpoint.stage != Stage::Done {
        return Ok(false);
    }
    export(&Model::of(&checkpoint), &[], &out.join("bundle"))?;
    Ok(true)
}

/// The configuration of a round: that of the run, or fewer steps on weights that are there.
fn config_of(settings: &RunSettings, round: &Round) -> FitConfig {
    let mut config = settings.config.fit.clone();
    config.data.task.clone_from(&settings.task);
    if !round.anew {
        let online = &settings.config.online;
        config.training.steps = round.steps;
        config.training.learning_rate = online.learning_rate;
        config.training.final_learning_rate = online.final_learning_rate;
    }
    config
}

fn folder_of(out: &Path, round: u64) -> PathBuf {
    out.join("rounds").join(format!("{round:04}"))
}

/// Removes the checkpoints and bundles of old rounds; their losses are kept.
pub(super) fn tidy(out: &Path, exchange: &Exchange, round: u64) -> Result<()> {
    let Some(old) = round.checked_sub(KEPT) else {
        return Ok(());
    };
    let checkpoint = folder_of(out, old).join(CHECKPOINT_FILE);
    if checkpoint.exists() {
        std::fs::remove_file(&checkpoint)
            .with_context(|| format!("removing {}", checkpoint.display()))?;
    }
    Ok(exchange.remove_bundle(old)?)
}

/// Measures the gates of the last bundle and writes them into it, on new episodes of the simulated
/// robot.
pub(super) fn measure_gates(folder: &Path) -> Result<()> {
    let bundle = Bundle::load(folder, &LoadOptions::default())?;
    let Some(episodes) = gates::simulated_episodes(&bundle)? else {
        return Ok(());
    };
    tracing::info!("measuring the gates");
    let measured = gates::measure(&bundle, &episodes)?;
    for gate in measured.iter().filter(|gate| gate.passed() != Some(true)) {
        let value = gate.value.map_or(String::new(), |v| format!(" {v:.3}"));
        tracing::warn!("gate {}:{value}, not passed ({})", gate.name, gate.note);
    }
    latco_models::gates::write(folder, gates::for_manifest(&measured))?;
    Ok(())
}
