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
/// One of so many episodes is kept for testing the probe.
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

/// The action sequences of episodes that come to a reward, rolled through the prior from as many steps before it as plans
/// are long: the mean reward (0..1) that is predicted to be paid where the true reward is 1. A head that foresees the
/// reward does not pass by foreseeing it.
pub(super) fn expert(
    latent: &mut Latent,
    frames: &Frames,
    source: &str,
) -> Result<Gate, GateError> {
    let horizon = latent.horizon;
    let (mut sum, mut count, mut windows) = (0.0f64, 0usize, 0usize);
    for group in latent.filter(frames)? {
        let length = group.states.len();
        let is_rewarded = |row: usize, t: usize| {
            let first = frames.range(group.episodes[row]).start;
            frames.rewards[first + t] > 0.5
        };
        // The first frames that the windows of each episode begin with.
        let starts: Vec<Vec<usize>> = (0..group.episodes.len())
            .map(|row| {
                let comes = |t: &usize| is_rewarded(row, *t) && !is_rewarded(row, t - 1);
                let begins = (WARM_UP + 1..length).filter(comes);
                begins
                    .map(|t| t.saturating_sub(horizon).max(WARM_UP))
                    .collect()
            })
            .collect();
        for start in WARM_UP..length.saturating_sub(1) {
            let rows: Vec<usize> = (0..starts.len())
                .filter(|row| starts[*row].contains(&start))
                .collect();
            windows += rows.len();
            if rows.is_empty() {
                continue;
            }
            let steps = horizon.min(length - 1 - start);
            let actions = group.actions(frames, start, steps);
            let path = latent.rollout(&group.states[start], &actions)?;
            for (k, state) in path.iter().enumerate() {
                let predicted = latent.paid(state)?;
                for row in rows.iter().filter(|row| is_rewarded(**row, start + k + 1)) {
                    sum += f64::from(predicted[*row].clamp(0.0, 1.0));
                    count += 1;
                }
            }
        }
    }
    if count == 0 {
        let why = format!("no episode comes from no reward to reward ({source})");
        return Ok(Gate::open(EXPERT_PREDICTED_REWARD, why));
    }
    let over = format!(
        "{source}: {windows} action sequences that begin up to {horizon} steps before the reward, {count} rewarded steps"
    );
    Ok(Gate::new(
        EXPERT_PREDICTED_REWARD,
        Some(sum / count as f64),
        over,
    ))
}
