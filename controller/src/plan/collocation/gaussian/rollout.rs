//! What a plan's actions are worth in expectation: clipped to their limits, and the distribution of
//! the states carried forward from step to step as a Gaussian plan describes it.

use latco_models::{Bundle, BundleError, Dynamics, Reward, RewardHead, RunError};

use super::super::super::incumbent::Candidate;
use super::super::super::noise::Noise;
use super::super::super::rollout::{Valuation, repeat};
use super::super::super::solution::PlanSizes;
use super::moments;
use crate::config::{GaussianLatcoSection, Objective};

/// Carries the Gaussians of `N` action sequences forward, `K` samples a step.
///
/// It is the plan that [`super::model`]'s constraints have as their solution for these actions: mean and
/// deviation of each state are those of the step from samples of the state before.
pub struct MomentRollout {
    dynamics: Dynamics,
    reward: Reward,
    head: RewardHead,
    objective: Objective,
    samples: usize,
    sizes: PlanSizes,
    /// Unit Gaussian samples of the states, which all sequences share, `[H, K, n]`.
    noise: Vec<f32>,
    /// Actions of the sequences, `[N, H, na]`.
    actions: Vec<f32>,
    /// Means of the states, `[N, H + 1, n]`.
    means: Vec<f32>,
    /// Deviations of the states, `[N, H + 1, n]`.
    deviations: Vec<f32>,
    /// Rewards to expect, `[N, H]`.
    rewards: Vec<f32>,
    /// Returns to expect, `[N]`.
    returns: Vec<f32>,
}

impl MomentRollout {
    /// Makes a rollout of `sequences` sequences with `samples` samples.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        sequences: usize,
        samples: usize,
        settings: &GaussianLatcoSection,
    ) -> Result<Self, BundleError> {
        let states = sequences * (sizes.horizon + 1) * sizes.state;
        Ok(Self {
            dynamics: bundle.dynamics(sequences * samples)?,
            reward: bundle.reward(sequences * samples)?,
            head: bundle.manifest().reward,
            objective: settings.objective,
            samples,
            sizes: *sizes,
            noise: vec![0.0; sizes.horizon * samples * sizes.state],
            actions: vec![0.0; sequences * sizes.horizon * sizes.action],
            means: vec![0.0; states],
            deviations: vec![0.0; states],
            rewards: vec![0.0; sequences * sizes.horizon],
            returns: vec![0.0; sequences],
        })
    }

    /// Draws the samples of the states of a new plan.
    pub(super) fn draw(&mut self, noise: &mut Noise) {
        moments::draw(noise, self.samples, self.sizes.state, &mut self.noise);
    }

    /// The samples of the states, `[H, K, n]`.
    pub(super) fn noise_mut(&mut self) -> &mut [f32] {
        &mut self.noise
    }

    /// The deviations of the states of sequence `b`, `[H + 1, n]`.
    pub(super) fn deviations(&self, b: usize) -> &[f32] {
        let len = (self.sizes.horizon + 1) * self.sizes.state;
        &self.deviations[b * len..][..len]
    }
}

impl Valuation for MomentRollout {
    fn actions_mut(&mut self) -> &mut [f32] {
        &mut self.actions
    }

    fn run(&mut self, state: &[f32]) -> Result<(), RunError> {
        let PlanSizes {
            horizon: h,
            state: n,
            action: na,
            ..
        } = self.sizes;
        let (k, block) = (self.samples, self.samples * n);
        for rows in self.means.chunks_exact_mut((h + 1) * n) {
            rows[..n].copy_from_slice(state);
        }
        repeat(state, self.dynamics.state_mut());
        for t in 0..h {
            let rows = self.dynamics.action_mut().chunks_exact_mut(k * na);
            for (rows, actions) in rows.zip(self.actions.chunks_exact(h * na)) {
                rows.chunks_exact_mut(na)
                    .for_each(|row| row.copy_from_slice(&actions[t * na..][..na]));
            }
            self.dynamics.run()?;
            for b in 0..self.returns.len() {
                let at = (b * (h + 1) + t + 1) * n;
                let mean = &mut self.means[at..][..n];
                let deviation = &mut self.deviations[at..][..n];
                let means = &self.dynamics.mean()[b * block..][..block];
                let own = self.dynamics.std();
                let own =
                    &own[b * own.len() / self.returns.len()..][..own.len() / self.returns.len()];
                moments::mean(means, mean);
                moments::deviation(means, mean, own, deviation);
                let samples = &mut self.reward.state_mut()[b * block..][..block];
                moments::sample(mean, deviation, &self.noise[t * block..][..block], samples);
            }
            let samples = &*self.reward.state_mut();
            self.dynamics.state_mut().copy_from_slice(samples);
            self.reward.run()?;
            for (b, outputs) in self.reward.reward().chunks_exact(k).enumerate() {
                self.rewards[b * h + t] = moments::worth(&self.head, self.objective, outputs);
            }
        }
        for (value, rewards) in self.returns.iter_mut().zip(self.rewards.chunks_exact(h)) {
            let counted = |reward: &f32| moments::counted(&self.head, self.objective, *reward);
            let sum: f32 = rewards.iter().map(counted).sum();
            *value = if sum.is_finite() {
                sum
            } else {
                f32::NEG_INFINITY
            };
        }
        Ok(())
    }

    fn returns(&self) -> &[f32] {
        &self.returns
    }

    fn candidate(&self, b: usize) -> Candidate<'_> {
        let PlanSizes {
            horizon: h,
            state: n,
            action: na,
            ..
        } = self.sizes;
        let rewards = &self.rewards[b * h..][..h];
        Candidate {
            worth: self.returns[b],
            predicted_return: rewards.iter().sum(),
            actions: &self.actions[b * h * na..][..h * na],
            rewards,
            states: Some(&self.means[b * (h + 1) * n..][..(h + 1) * n]),
            start: None,
            competes: true,
        }
    }
}
