//! What a model must be able to do before any planner is judged with it, measured on held-out
//! episodes.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::fit::config::RewardKind;
use crate::fit::dataset::Frames;
use crate::rssm::params::{tensor, to_vec};
use crate::rssm::world::World;

/// Steps of the open-loop gates.
pub const OPEN_LOOP_STEPS: usize = 15;
/// Frames between two starts of an open-loop prediction.
const START_STRIDE: usize = 3;
/// Frames filtered before a prediction starts.
const WARM_UP: usize = 3;

/// One gate: what was measured, and what it is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Name, with the unit if there is one.
    pub name: String,
    /// Measured value; none if it could not be measured.
    pub value: Option<f64>,
    /// Value it is compared with.
    pub threshold: f64,
    /// Whether larger values are better.
    pub higher_is_better: bool,
    /// What was measured over, or why it was not.
    pub note: String,
}

impl Gate {
    fn new(
        name: &str,
        value: Option<f64>,
        threshold: f64,
        higher_is_better: bool,
        note: String,
    ) -> Self {
        let value = value.filter(|v| v.is_finite());
        Self {
            name: name.to_owned(),
            value,
            threshold,
            higher_is_better,
            note,
        }
    }

    /// Whether the value is good enough; none if it was not measured.
    pub fn passed(&self) -> Option<bool> {
        self.value.map(|value| {
            if self.higher_is_better {
                value >= self.threshold
            } else {
                value <= self.threshold
            }
        })
    }
}

/// What the gates are measured with.
pub struct Measured<'a> {
    /// The model.
    pub world: &'a World,
    /// What its reward head predicts.
    pub reward: RewardKind,
    /// Mean of the raw joints; empty without joints.
    pub joints_mean: &'a [f32],
    /// Deviation of the raw joints; empty without joints.
    pub joints_std: &'a [f32],
    /// Steps that plans look ahead.
    pub horizon: usize,
}

/// Episodes with their embedded observations.
pub struct Episodes<'a> {
    /// The episodes.
    pub frames: &'a Frames,
    /// `[frames, embed]`.
    pub embed: Vec<f32>,
}

/// Episodes of equal length, filtered: `states[t]` is z of all of them at frame t, `[E, n]`.
struct Filtered {
    episodes: Vec<usize>,
    states: Vec<Tensor<2>>,
}

impl Measured<'_> {
    /// The gates that bags alone can measure.
    pub fn from_bags(&self, held_out: &Episodes) -> Vec<Gate> {
        let filtered = self.filter(held_out);
        let frames = held_out.frames;
        let mut gates = Vec::new();

        let (mut scores, mut truths) = (Vec::new(), Vec::new());
        for group in &filtered {
            for (t, state) in group.states.iter().enumerate() {
                scores.extend(self.rewards(state.clone()));
                truths.extend(group.rewards(frames, t));
            }
        }
        let note = format!(
            "{} held-out frames, {} with reward",
            truths.len(),
            positives(&truths)
        );
        gates.push(Gate::new(
            "posterior_reward_auc",
            auc(&scores, &truths),
            0.99,
            true,
            note,
        ));

        let (mut scores, mut truths, mut starts) = (Vec::new(), Vec::new(), 0);
        let (mut error, mut compared) = (0.0f64, 0usize);
        let positions = frames.joints_width / 2;
        let steps = OPEN_LOOP_STEPS
            .min(self.shortest(frames).saturating_sub(2))
            .max(1);
        for group in &filtered {
            let last = group.states.len().saturating_sub(steps);
            for start in (WARM_UP.min(last.saturating_sub(1))..last).step_by(START_STRIDE) {
                starts += group.episodes.len();
                let actions = group.actions(frames, start, steps);
                let rolled = self
                    .world
                    .core
                    .rollout(group.states[start].clone(), &actions);
                for (k, state) in rolled.into_iter().enumerate() {
                    let t = start + k + 1;
                    if t >= group.states.len() {
                        break;
                    }
                    scores.extend(self.rewards(state.clone()));
                    truths.extend(group.rewards(frames, t));
                    let Some(joints) = self.world.joints(state) else {
                        continue;
                    };
                    let joints = to_vec(joints);
                    for (row, episode) in group.episodes.iter().enumerate() {
                        let frame = frames.range(*episode).start + t;
                        for j in 0..positions {
                            let value = joints[row * frames.joints_width + j] * self.joints_std[j]
                                + self.joints_mean[j];
                            error += f64::from(
                                (value - frames.joints[frame * frames.joints_width + j]).abs(),
                            );
                            compared += 1;
                        }
                    }
                }
            }
        }
        let note = format!("{starts} predictions of {steps} steps, all steps pooled");
        gates.push(Gate::new(
            "open_loop_reward_auc",
            auc(&scores, &truths),
            0.95,
            true,
            note.clone(),
        ));
        let error = (compared > 0).then(|| error / compared as f64);
        let note = if error.is_some() {
            format!("mean absolute error, {note}")
        } else {
            "the model observes no joints".to_owned()
        };
        gates.push(Gate::new(
            "open_loop_joint_error_rad",
            error,
            0.07,
            false,
            note,
        ));
        gates
    }

    /// The action sequences of episodes that come to a reward, rolled through the prior from a
    /// frame without one: the mean predicted reward (0..1) where the true reward is 1.
    pub fn expert(&self, episodes: &Episodes, source: &str) -> Gate {
        let frames = episodes.frames;
        let (mut sum, mut count, mut windows) = (0.0f64, 0usize, 0usize);
        for group in self.filter(episodes) {
            let length = group.states.len();
            for start in (WARM_UP..length.saturating_sub(1)).step_by(START_STRIDE) {
                let steps = self.horizon.min(length - 1 - start);
                let rows: Vec<usize> = (0..group.episodes.len())
                    .filter(|row| {
                        let first = frames.range(group.episodes[*row]).start + start;
                        frames.rewards[first] < 0.5
                            && frames.rewards[first + 1..=first + steps]
                                .iter()
                                .any(|r| *r > 0.5)
                    })
                    .collect();
                windows += rows.len();
                if rows.is_empty() {
                    continue;
                }
                let actions = group.actions(frames, start, steps);
                let rolled = self
                    .world
                    .core
                    .rollout(group.states[start].clone(), &actions);
                for (k, state) in rolled.into_iter().enumerate() {
                    let predicted = self.rewards(state);
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
        let value = (count > 0).then(|| sum / count as f64);
        let note = if count > 0 {
            format!(
                "{source}: {windows} action sequences of up to {} steps that reach the reward",
                self.horizon
            )
        } else {
            format!("not measured: no held-out episode comes from no reward to reward ({source})")
        };
        Gate::new("expert_predicted_reward", value, 0.8, true, note)
    }

    /// Reward predictions on the scale of the reward, one per row.
    fn rewards(&self, state: Tensor<2>) -> Vec<f32> {
        let raw = to_vec(self.world.reward(state));
        match self.reward {
            RewardKind::Regression => raw,
            RewardKind::BernoulliLogit => raw.iter().map(|r| 1.0 / (1.0 + (-r).exp())).collect(),
        }
    }

    fn shortest(&self, frames: &Frames) -> usize {
        (0..frames.episodes())
            .map(|e| frames.range(e).len())
            .min()
            .unwrap_or(0)
    }

    /// Filters all episodes with the posterior mean, as the controller does.
    fn filter(&self, episodes: &Episodes) -> Vec<Filtered> {
        let frames = episodes.frames;
        let sizes = self.world.sizes.core;
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for episode in 0..frames.episodes() {
            by_length
                .entry(frames.range(episode).len())
                .or_default()
                .push(episode);
        }
        by_length
            .into_iter()
            .filter(|(length, _)| *length > 1)
            .map(|(length, episodes_of_length)| {
                let rows = episodes_of_length.len();
                let na = frames.action_width;
                let n = sizes.state();
                let mut state = tensor(vec![0.0; rows * n], [rows, n]);
                let mut states = Vec::with_capacity(length);
                for t in 0..length {
                    let (mut embed, mut action) = (Vec::new(), Vec::new());
                    for episode in &episodes_of_length {
                        let frame = frames.range(*episode).start + t;
                        embed.extend_from_slice(
                            &episodes.embed[frame * sizes.embed..][..sizes.embed],
                        );
                        match t {
                            0 => action.resize(action.len() + na, 0.0),
                            _ => {
                                action.extend_from_slice(&frames.actions[(frame - 1) * na..][..na])
                            }
                        }
                    }
                    let core = &self.world.core;
                    let feature = core.advance(state, tensor(action, [rows, na]));
                    let embed = tensor(embed, [rows, sizes.embed]);
                    state = core.posterior(feature, embed).state();
                    states.push(state.clone());
                }
                Filtered {
                    episodes: episodes_of_length,
                    states,
                }
            })
            .collect()
    }
}

impl Filtered {
    fn rewards(&self, frames: &Frames, t: usize) -> Vec<bool> {
        self.episodes
            .iter()
            .map(|e| frames.rewards[frames.range(*e).start + t] > 0.5)
            .collect()
    }

    /// `steps` actions from frame `start` on, each `[E, action]`; zero beyond the end.
    fn actions(&self, frames: &Frames, start: usize, steps: usize) -> Vec<Tensor<2>> {
        let na = frames.action_width;
        (start..start + steps)
            .map(|t| {
                let rows = self.episodes.iter().flat_map(|episode| {
                    let range = frames.range(*episode);
                    let frame = range.start + t;
                    (0..na).map(move |j| {
                        if frame < range.end {
                            frames.actions[frame * na + j]
                        } else {
                            0.0
                        }
                    })
                });
                tensor(rows.collect(), [self.episodes.len(), na])
            })
            .collect()
    }
}

fn positives(truths: &[bool]) -> usize {
    truths.iter().filter(|t| **t).count()
}

/// Probability that a positive scores above a negative; none without both.
pub fn auc(scores: &[f32], truths: &[bool]) -> Option<f64> {
    let positive = positives(truths) as f64;
    let negative = truths.len() as f64 - positive;
    if positive == 0.0 || negative == 0.0 || scores.iter().any(|s| !s.is_finite()) {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut ranks, mut first) = (0.0f64, 0);
    while first < order.len() {
        let mut last = first;
        while last + 1 < order.len() && scores[order[last + 1]] == scores[order[first]] {
            last += 1;
        }
        let rank = (first + last) as f64 / 2.0 + 1.0;
        ranks += rank * order[first..=last].iter().filter(|i| truths[**i]).count() as f64;
        first = last + 1;
    }
    Some((ranks - positive * (positive + 1.0) / 2.0) / (positive * negative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs_and_half_of_the_ties() {
        assert_eq!(
            auc(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true]),
            Some(1.0)
        );
        assert_eq!(auc(&[0.9, 0.1], &[false, true]), Some(0.0));
        assert_eq!(auc(&[0.5, 0.5, 0.5], &[false, true, true]), Some(0.5));
        let value = auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]).unwrap();
        assert!((value - 0.75).abs() < 1e-12);
    }

    #[test]
    fn auc_needs_both_kinds_and_finite_scores() {
        assert_eq!(auc(&[0.1], &[true]), None);
        assert_eq!(auc(&[f32::NAN, 0.1], &[true, false]), None);
    }
}
