//! Gates that recorded episodes tell.

use latco_models::gates::{
    EXPERT_PREDICTED_REWARD, OPEN_LOOP_JOINT_ERROR, OPEN_LOOP_REWARD_AUC, POSTERIOR_REWARD_AUC,
};

use super::auc;
use super::gate::{Gate, GateError};
use super::latent::{Filtered, Latent};
use super::probe::Probe;
use crate::fit::dataset::Frames;

/// Steps of the open-loop gates.
const OPEN_LOOP_STEPS: usize = 15;
/// Frames between two starts of an open-loop prediction.
const START_STRIDE: usize = 3;
/// Frames filtered before a prediction starts.
const WARM_UP: usize = 3;
/// Of so many episodes, one is kept for testing the probe.
const PROBE_TEST: usize = 4;

/// Posterior and open-loop AUC, and the open-loop error of the joint positions.
pub(super) fn measure(latent: &mut Latent, frames: &Frames) -> Result<Vec<Gate>, GateError> {
    let filtered = latent.filter(frames)?;
    let (mut scores, mut truths) = (Vec::new(), Vec::new());
    for group in &filtered {
        for (t, state) in group.states.iter().enumerate() {
            let rewarded = group.rewarded(frames, t);
            scores.extend_from_slice(&latent.rewards(state)?[..rewarded.len()]);
            truths.extend(rewarded);
        }
    }
    let positive = truths.iter().filter(|t| **t).count();
    let over = format!("{} held-out frames, {positive} with reward", truths.len());
    let posterior = auc_gate(POSTERIOR_REWARD_AUC, &scores, &truths, over);
    let (open_loop, joints) = open_loop(latent, frames, &filtered)?;
    Ok(vec![posterior, open_loop, joints])
}

fn auc_gate(
    rule: latco_models::gates::Rule,
    scores: &[f32],
    truths: &[bool],
    over: String,
) -> Gate {
    match auc(scores, truths) {
        None => Gate::open(
            rule,
            format!("frames with and without reward are needed: {over}"),
        ),
        value => Gate::new(rule, value, over),
    }
}

fn open_loop(
    latent: &mut Latent,
    frames: &Frames,
    filtered: &[Filtered],
) -> Result<(Gate, Gate), GateError> {
    let (mut scores, mut truths, mut starts) = (Vec::new(), Vec::new(), 0);
    let probe = joint_probe(latent, frames, filtered);
    let (mut error, mut compared) = (0.0f64, 0usize);
    let shortest = (0..frames.episodes()).map(|e| frames.range(e).len()).min();
    let steps = OPEN_LOOP_STEPS
        .min(shortest.unwrap_or(0).saturating_sub(2))
        .max(1);
    for group in filtered {
        let last = group.states.len().saturating_sub(steps);
        for start in (WARM_UP.min(last.saturating_sub(1))..last).step_by(START_STRIDE) {
            starts += group.episodes.len();
            let actions = group.actions(frames, start, steps);
            let rolled = latent.rollout(&group.states[start], &actions)?;
            for (k, state) in rolled.iter().enumerate() {
                let t = start + k + 1;
                if t >= group.states.len() {
                    break;
                }
                let rewarded = group.rewarded(frames, t);
                scores.extend_from_slice(&latent.rewards(state)?[..rewarded.len()]);
                truths.extend(rewarded);
                let Some(probe) = &probe else { continue };
                let read = probe.read(state);
                for (row, episode) in group.episodes.iter().enumerate() {
                    if !is_tested(*episode) {
                        continue;
                    }
                    let truth = positions(frames, frames.range(*episode).start + t);
                    let read = &read[row * truth.len()..][..truth.len()];
                    for (read, truth) in read.iter().zip(truth) {
                        error += f64::from((read - truth).abs());
                        compared += 1;
                    }
                }
            }
        }
    }
    let over = format!("{starts} predictions of {steps} steps, all steps pooled");
    let joints = match compared {
        0 if frames.joints_width == 0 => {
            Gate::open(OPEN_LOOP_JOINT_ERROR, "the bags have no joint states")
        }
        0 => Gate::open(
            OPEN_LOOP_JOINT_ERROR,
            format!(
                "at least {PROBE_TEST} held-out episodes of more than {steps} frames are needed"
            ),
        ),
        count => Gate::new(
            OPEN_LOOP_JOINT_ERROR,
            Some(error / count as f64),
            format!(
                "mean absolute error, read off the states; {} values, {steps} steps",
                count
            ),
        ),
    };
    Ok((
        auc_gate(OPEN_LOOP_REWARD_AUC, &scores, &truths, over),
        joints,
    ))
}

/// Whether an episode is kept for testing the probe.
fn is_tested(episode: usize) -> bool {
    episode % PROBE_TEST == PROBE_TEST - 1
}

/// Joint positions of a frame, rad.
fn positions(frames: &Frames, frame: usize) -> &[f32] {
    let width = frames.joints_width;
    &frames.joints[frame * width..][..width / 2]
}

/// Reads joint positions off posterior states; learned from the episodes that are not tested.
fn joint_probe(latent: &Latent, frames: &Frames, filtered: &[Filtered]) -> Option<Probe> {
    let (mut states, mut truths) = (Vec::new(), Vec::new());
    for group in filtered {
        for (row, episode) in group.episodes.iter().enumerate() {
            if is_tested(*episode) {
                continue;
            }
            for (t, state) in group.states.iter().enumerate() {
                states.extend_from_slice(&state[row * latent.state..][..latent.state]);
                let frame = frames.range(*episode).start + t;
                truths.extend_from_slice(positions(frames, frame));
            }
        }
    }
    let width = frames.joints_width / 2;
    (width > 0 && !truths.is_empty()).then(|| Probe::fit(&states, latent.state, &truths, width))
}

/// The action sequences of episodes that come to a reward, rolled through the prior from a frame
/// without one: the mean predicted reward (0..1) where the true reward is 1.
pub(super) fn expert(
    latent: &mut Latent,
    frames: &Frames,
    source: &str,
) -> Result<Gate, GateError> {
    let (mut sum, mut count, mut windows) = (0.0f64, 0usize, 0usize);
    for group in latent.filter(frames)? {
        let length = group.states.len();
        for start in (WARM_UP..length.saturating_sub(1)).step_by(START_STRIDE) {
            let steps = latent.horizon.min(length - 1 - start);
            let rows: Vec<usize> = (0..group.episodes.len())
                .filter(|row| {
                    let first = frames.range(group.episodes[*row]).start + start;
                    let ahead = &frames.rewards[first + 1..=first + steps];
                    frames.rewards[first] < 0.5 && ahead.iter().any(|r| *r > 0.5)
                })
                .collect();
            windows += rows.len();
            if rows.is_empty() {
                continue;
            }
            let actions = group.actions(frames, start, steps);
            for (k, state) in latent
                .rollout(&group.states[start], &actions)?
                .iter()
                .enumerate()
            {
                let predicted = latent.rewards(state)?;
                for row in &rows {
                    let frame = frames.range(group.episodes[*row]).start + start + k + 1;
                    if frames.rewards[frame] > 0.5 {
                        sum += f64::from(predicted[*row].clamp(0.0, 1.0));
                        count += 1;
                    }
                }
            }
        }
    }
    if count == 0 {
        let why = format!("no episode comes from no reward to reward ({source})");
        return Ok(Gate::open(EXPERT_PREDICTED_REWARD, why));
    }
    let over = format!(
        "{source}: {windows} action sequences of up to {} steps that reach the reward",
        latent.horizon
    );
    Ok(Gate::new(
        EXPERT_PREDICTED_REWARD,
        Some(sum / count as f64),
        over,
    ))
}
