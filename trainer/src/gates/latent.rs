//! Many episodes at a time through the graphs of a bundle.

use std::collections::BTreeMap;

use latco_models::surprise::{self, Moments};
use latco_models::{Bundle, Decode, Dynamics, Observe, Reward, RewardHead, RunError};

use super::gate::GateError;
use crate::fit::dataset::Frames;

/// Episodes that are filtered side by side.
pub(super) const ROWS: usize = 32;

/// Sessions for [`ROWS`] states at a time.
pub(super) struct Latent {
    observe: Observe,
    dynamics: Dynamics,
    reward: Reward,
    decode: Decode,
    head: RewardHead,
    /// Size of the stochastic part of a state, ns.
    pub(super) stoch: usize,
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
    /// Innovations and picture errors at every frame but the first, `[frames - 1][ROWS, ns + 1]`; none unless they were asked for.
    pub(super) innovations: Vec<Vec<f32>>,
}

impl Latent {
    pub(super) fn new(bundle: &Bundle) -> Result<Self, GateError> {
        let manifest = bundle.manifest();
        Ok(Self {
            observe: bundle.observe(ROWS)?,
            dynamics: bundle.dynamics(ROWS)?,
            reward: bundle.reward(ROWS)?,
            decode: bundle.decode(ROWS)?,
            head: manifest.reward,
            stoch: manifest.dims.stoch,
            state: manifest.dims.state(),
            action: manifest.dims.action,
            horizon: manifest.dims.horizon,
        })
    }

    /// Filters all episodes of more than one frame with the posterior mean, as the controller does.
    pub(super) fn filter(&mut self, frames: &Frames) -> Result<Vec<Filtered>, GateError> {
        self.filter_all(frames, false)
    }

    /// Innovations and picture errors of all episodes of more than one frame, each without its first frame, `[frames - 1][ns + 1]`.
    pub(super) fn innovations(&mut self, frames: &Frames) -> Result<Vec<Vec<f32>>, GateError> {
        let mut episodes = vec![Vec::new(); frames.episodes()];
        for group in self.filter_all(frames, true)? {
            for step in &group.innovations {
                for (row, episode) in group.episodes.iter().enumerate() {
                    let width = self.stoch + 1;
                    episodes[*episode].extend(&step[row * width..][..width]);
                }
            }
        }
        episodes.retain(|episode| !episode.is_empty());
        Ok(episodes)
    }

    fn filter_all(
        &mut self,
        frames: &Frames,
        with_innovations: bool,
    ) -> Result<Vec<Filtered>, GateError> {
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for episode in 0..frames.episodes() {
            let length = frames.range(episode).len();
            by_length.entry(length).or_default().push(episode);
        }
        let mut filtered = Vec::new();
        for (length, episodes) in by_length {
            if length > 1 {
                for episodes in episodes.chunks(ROWS) {
                    filtered.push(self.filter_group(frames, episodes, length, with_innovations)?);
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
        with_innovations: bool,
    ) -> Result<Filtered, GateError> {
        let mut innovations = Vec::new();
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
            if with_innovations && t > 0 {
                innovations.push(self.innovation()?);
            }
            let mean = self.observe.mean().to_vec();
            self.observe.state_mut().copy_from_slice(&mean);
            states.push(mean);
        }
        Ok(Filtered {
            episodes: episodes.to_vec(),
            states,
            innovations,
        })
    }

    /// Innovations and picture errors of the last filter step, `[ROWS, ns + 1]`.
    fn innovation(&mut self) -> Result<Vec<f32>, RunError> {
        (self.dynamics.state_mut()).copy_from_slice(self.observe.state_mut());
        (self.dynamics.action_mut()).copy_from_slice(self.observe.action_mut());
        self.dynamics.run()?;
        self.decode
            .state_mut()
            .copy_from_slice(self.dynamics.mean());
        self.decode.run()?;
        let pixels = self.decode.image().len() / ROWS;
        let mut innovations = vec![0.0; ROWS * (self.stoch + 1)];
        for (row, innovation) in innovations.chunks_exact_mut(self.stoch + 1).enumerate() {
            let (stoch, of_state) = (row * self.stoch, row * self.state);
            let image = &self.observe.image_mut()[row * pixels..][..pixels];
            let picture = &self.decode.image()[row * pixels..][..pixels];
            innovation[self.stoch] = surprise::picture_error(image, picture);
            let posterior = Moments {
                mean: &self.observe.mean()[of_state..],
                std: &self.observe.std()[stoch..],
            };
            let prior = Moments {
                mean: &self.dynamics.mean()[of_state..],
                std: &self.dynamics.std()[stoch..],
            };
            surprise::innovation(posterior, prior, &mut innovation[..self.stoch]);
        }
        Ok(innovations)
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
