//! Many episodes at a time through the graphs of a bundle.

use std::collections::BTreeMap;

use latco_models::{Bundle, Dynamics, Observe, Reward, RewardHead, RunError};

use super::gate::GateError;
use crate::fit::dataset::Frames;

/// Episodes that are filtered side by side.
pub(super) const ROWS: usize = 32;

/// Sessions for [`ROWS`] states at a time.
pub(super) struct Latent {
    observe: Observe,
    dynamics: Dynamics,
    reward: Reward,
    head: RewardHead,
    /// Size of a state, n.
    pub(super) state: usize,
    /// Values of an action, na.
    pub(super) action: usize,
    /// Steps that plans look ahead, H.
    pub(super) horizon: usize,
}

/// Up to [`ROWS`] episodes of equal length, filtered.
pub(super) struct Filtered {
    /// Which episodes.
    pub(super) episodes: Vec<usize>,
    /// Posterior mean at every frame, `[frames][ROWS, n]`; rows beyond the episodes mean nothing.
    pub(super) states: Vec<Vec<f32>>,
}

impl Latent {
    pub(super) fn new(bundle: &Bundle) -> Result<Self, GateError> {
        let manifest = bundle.manifest();
        Ok(Self {
            observe: bundle.observe(ROWS)?,
            dynamics: bundle.dynamics(ROWS)?,
            reward: bundle.reward(ROWS)?,
            head: manifest.reward,
            state: manifest.dims.state(),
            action: manifest.dims.action,
            horizon: manifest.dims.horizon,
        })
    }

    /// Filters all episodes of more than one frame with the posterior mean, as the controller does.
    pub(super) fn filter(&mut self, frames: &Frames) -> Result<Vec<Filtered>, GateError> {
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for episode in 0..frames.episodes() {
            let length = frames.range(episode).len();
            by_length.entry(length).or_default().push(episode);
        }
        let mut filtered = Vec::new();
        for (length, episodes) in by_length {
            if length > 1 {
                for episodes in episodes.chunks(ROWS) {
                    filtered.push(self.filter_group(frames, episodes, length)?);
                }
            }
        }
        Ok(filtered)
    }

    fn filter_group(
        &mut self,
        frames: &Frames,
        episodes: &[usize],
        length: usize,
    ) -> Result<Filtered, GateError> {
        let (pixels, na, nj) = (frames.pixels(), self.action, frames.joints_width);
        self.observe.state_mut().fill(0.0);
        self.observe.action_mut().fill(0.0);
        let mut states = Vec::with_capacity(length);
        for t in 0..length {
            for (row, episode) in episodes.iter().enumerate() {
                let frame = frames.range(*episode).start + t;
                let image = &mut self.observe.image_mut()[row * pixels..][..pixels];
                image.copy_from_slice(&frames.bytes(&[frame])?);
                if let Some(joints) = self.observe.joints_mut() {
                    joints[row * nj..][..nj].copy_from_slice(&frames.joints[frame * nj..][..nj]);
                }
                if t > 0 {
                    let before = &frames.actions[(frame - 1) * na..][..na];
                    self.observe.action_mut()[row * na..][..na].copy_from_slice(before);
                }
            }
            self.observe.run()?;
            let mean = self.observe.mean().to_vec();
            self.observe.state_mut().copy_from_slice(&mean);
            states.push(mean);
        }
        Ok(Filtered {
            episodes: episodes.to_vec(),
            states,
        })
    }

    /// Prior means under actions `[steps][ROWS, na]` from states `[ROWS, n]`; after every step.
    pub(super) fn rollout(
        &mut self,
        state: &[f32],
        actions: &[Vec<f32>],
    ) -> Result<Vec<Vec<f32>>, RunError> {
        let mut states: Vec<Vec<f32>> = Vec::with_capacity(actions.len());
        for action in actions {
            let before = states.last().map_or(state, Vec::as_slice);
            self.dynamics.state_mut().copy_from_slice(before);
            self.dynamics.action_mut().copy_from_slice(action);
            self.dynamics.run()?;
            states.push(self.dynamics.mean().to_vec());
        }
        Ok(states)
    }

    /// Rewards to expect in states `[ROWS, n]`, on the scale of the reward, `[ROWS]`.
    pub(super) fn rewards(&mut self, states: &[f32]) -> Result<Vec<f32>, RunError> {
        self.reward.state_mut().copy_from_slice(states);
        self.reward.run()?;
        let outputs = self.reward.reward().iter();
        Ok(outputs.map(|output| self.head.reward(*output)).collect())
    }

    /// What is expected to be paid in states `[ROWS, n]` themselves, without what the head foresees, `[ROWS]`.
    pub(super) fn paid(&mut self, states: &[f32]) -> Result<Vec<f32>, RunError> {
        let head = self.head;
        let rewards = self.rewards(states)?;
        let expected = rewards.into_iter().map(|reward| head.range.clamp(reward));
        Ok(expected.map(|reward| head.paid(reward)).collect())
    }
}

impl Filtered {
    /// Whether there is a reward at frame `t`, one for every episode.
    pub(super) fn rewarded(&self, frames: &Frames, t: usize) -> Vec<bool> {
        (self.episodes.iter())
            .map(|e| frames.rewards[frames.range(*e).start + t] > 0.5)
            .collect()
    }

    /// `steps` actions from frame `start` on, each `[ROWS, na]`; zero beyond the end.
    pub(super) fn actions(&self, frames: &Frames, start: usize, steps: usize) -> Vec<Vec<f32>> {
        let na = frames.action_width;
        (start..start + steps)
            .map(|t| {
                let mut actions = vec![0.0; ROWS * na];
                for (row, episode) in self.episodes.iter().enumerate() {
                    let range = frames.range(*episode);
                    if range.start + t < range.end {
                        let action = &frames.actions[(range.start + t) * na..][..na];
                        actions[row * na..][..na].copy_from_slice(action);
                    }
                }
                actions
            })
            .collect()
    }
}
