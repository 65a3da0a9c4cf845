//! The steps of one stage: optimiser, records, held-out loss, checkpoints.

use std::sync::atomic::Ordering;
use std::time::Instant;

use burn::tensor::Device;

use super::adam::{Update, annealed};
use super::checkpoint::{Best, Checkpoint, HeldOut, Stage};
use super::dataset::Frames;
use super::error::{PATIENCE, RunError, RunOptions};
use super::log::Log;
use super::moments::Moments;
use super::objective::{self, Objective};
use super::pictures::{self, Strip};
use super::shards::Shards;
use super::trained::{Model, keypoint_sizes};

/// Settings of the optimiser in one stage.
pub(super) struct Schedule {
    pub(super) stage: &'static str,
    pub(super) steps: usize,
    pub(super) learning_rate: (f64, f64),
    pub(super) epsilon: f64,
    pub(super) clip: f64,
    pub(super) average: f64,
    pub(super) checkpoint_steps: usize,
    pub(super) patience: usize,
}

/// What a stage trains and measures.
pub(super) struct StageLosses<'a> {
    /// The loss on the episodes to train on.
    pub(super) train: &'a dyn Objective,
    /// The loss on the held-out episodes, if they allow it.
    pub(super) held_out: Option<&'a dyn Objective>,
    /// The episodes that pictures are made of.
    pub(super) shown: &'a Frames,
}

/// Steps until the end of the stage, which gives true, or until asked to stop. The held-out loss
/// is measured at every checkpoint and at the end.
pub(super) fn optimise(
    checkpoint: &mut Checkpoint,
    schedule: &Schedule,
    options: &RunOptions,
    losses: &StageLosses,
) -> Result<bool, RunError> {
    let mut log = Log::open(
        &options.out,
        schedule.stage,
        checkpoint.step,
        schedule.steps,
        checkpoint.config.record_steps,
    )?;
    let shards = Shards::new(checkpoint.config.shards, options.device.clone())?;
    let normalises = checkpoint.config.training.normalise_reward;
    let mut failed = 0;
    let mut since = Instant::now();
    let mut stopped = false;
    while checkpoint.step < schedule.steps && !exhausted(checkpoint, schedule) && !stopped {
        let index = checkpoint.step;
        let moments = normalises.then_some(&mut checkpoint.rewards);
        let (mut values, gradients) = objective::step(
            losses.train,
            &checkpoint.params,
            moments,
            checkpoint.seed,
            index,
            &shards,
        )
        .map_err(RunError::Images)?;
        let (first, last) = schedule.learning_rate;
        let update = Update {
            learning_rate: annealed(first, last, index, schedule.steps),
            epsilon: schedule.epsilon as f32,
            clip: schedule.clip as f32,
        };
        let norm = checkpoint
            .adam
            .step(&mut checkpoint.params, &gradients, update);
        failed = if norm.is_finite() { 0 } else { failed + 1 };
        if failed >= PATIENCE {
            return Err(RunError::Diverged {
                stage: schedule.stage,
                step: index,
            });
        }
        average(checkpoint, schedule.average, index);
        values.push(("gradient_norm", norm));
        log.record(index, &values)?;
        checkpoint.step += 1;
        let due = checkpoint.step.is_multiple_of(schedule.checkpoint_steps);
        if due || checkpoint.step == schedule.steps {
            if let Some(held_out) = losses.held_out {
                measure(checkpoint, schedule, held_out, &options.device, &mut log)?;
            }
            if checkpoint.config.training.pictures {
                for strip in strips(checkpoint, losses.shown).map_err(RunError::Images)? {
                    log.strip(checkpoint.step, &strip)?;
                }
            }
        }
        stopped = options.stop.load(Ordering::Relaxed);
        if stopped || due {
            checkpoint.seconds += since.elapsed().as_secs_f64();
            since = Instant::now();
            checkpoint.save(&options.out)?;
        }
    }
    checkpoint.seconds += since.elapsed().as_secs_f64();
    let finished = checkpoint.step >= schedule.steps || exhausted(checkpoint, schedule);
    if finished && let Some(best) = checkpoint.best.take() {
        tracing::info!(
            "{}: the weights of step {} have the least held-out loss, {:.4}",
            schedule.stage,
            best.held_out.step,
            best.held_out.loss
        );
        checkpoint.params = best.params;
        checkpoint.average = None;
        checkpoint.held_out = Some(best.held_out);
    }
    Ok(finished)
}

/// Pictures of what is being trained.
fn strips(checkpoint: &Checkpoint, frames: &Frames) -> std::io::Result<Vec<Strip>> {
    match checkpoint.stage {
        Stage::Autoencoder => {
            let facts = &checkpoint.facts;
            let sizes = keypoint_sizes(&checkpoint.config, facts);
            pictures::of_autoencoder(&checkpoint.params, sizes, facts, frames)
        }
        Stage::World | Stage::Done => pictures::of_world(&Model::of(checkpoint), frames),
    }
}

/// Whether the held-out loss has not fallen for so long that the stage ends early.
fn exhausted(checkpoint: &Checkpoint, schedule: &Schedule) -> bool {
    let best = checkpoint.best.as_ref();
    best.is_some_and(|best| best.measured_since >= schedule.patience)
}

/// Measures and records the held-out loss, and keeps the best weights where there is a patience.
fn measure(
    checkpoint: &mut Checkpoint,
    schedule: &Schedule,
    measured: &dyn Objective,
    device: &Device,
    log: &mut Log,
) -> Result<(), RunError> {
    let mut moments: Option<Moments> =
        (checkpoint.config.training.normalise_reward).then_some(checkpoint.rewards);
    let losses = objective::held_out(
        measured,
        checkpoint.world_params(),
        moments.as_mut(),
        checkpoint.seed,
        device,
    )
    .map_err(RunError::Images)?;
    log.held_out(checkpoint.step, &losses)?;
    let held_out = HeldOut {
        step: checkpoint.step,
        loss: objective::total(&losses),
    };
    checkpoint.held_out = Some(held_out);
    if schedule.patience == 0 {
        return Ok(());
    }
    match &mut checkpoint.best {
        Some(best) if held_out.loss >= best.held_out.loss || held_out.loss.is_nan() => {
            best.measured_since += 1;
        }
        _ => {
            checkpoint.best = Some(Best {
                held_out,
                params: checkpoint.world_params().clone(),
                measured_since: 0,
            });
        }
    }
    Ok(())
}

/// Moves the average of the weights; faster in the beginning.
fn average(checkpoint: &mut Checkpoint, decay: f64, step: usize) {
    if decay <= 0.0 {
        return;
    }
    let keep = decay.min((1.0 + step as f64) / (10.0 + step as f64)) as f32;
    let params = &checkpoint.params;
    let average = checkpoint.average.get_or_insert_with(|| params.clone());
    for (mean, new) in average.entries.iter_mut().zip(&params.entries) {
        for (mean, new) in mean.values.iter_mut().zip(&new.values) {
            *mean += (1.0 - keep) * (new - *mean);
        }
    }
}
