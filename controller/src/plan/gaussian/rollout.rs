//! What a plan's actions are worth in expectation: clipped to their limits, and the distribution of
//! the states carried forward from step to step as a Gaussian plan describes it.

use latco_models::{Bundle, BundleError, Dynamics, Reward, RewardHead, RunError};

use super::super::PlanSizes;
use super::moments;

/// Carries the Gaussians of `N` action sequences forward, `K` samples a step.
///
/// It is the plan that [`super::model`]'s constraints have as their solution for these actions: mean and
/// deviation of each state are those of the step from samples of the state before.
pub(super) struct MomentRollout {
    dynamics: Dynamics,
    reward: Reward,
    head: RewardHead,
    samples: usize,
    sizes: PlanSizes,
    scale: f32,
    /// `[N, H, na]`
    actions: Vec<f32>,
    /// `[N, H + 1, n]`
    means: Vec<f32>,
    /// `[N, H + 1, n]`
    deviations: Vec<f32>,
    /// `[N, H]`
    rewards: Vec<f32>,
    /// `[N]`
    returns: Vec<f32>,
}

impl MomentRollout {
    /// For `sequences` sequences and `samples` samples; `scale` is a factor on the model's own deviations.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        sequences: usize,
        samples: usize,
        scale: f32,
    ) -> Result<Self, BundleError> {
        let states = sequences * (sizes.horizon + 1) * sizes.state;
        Ok(Self {
            dynamics: bundle.dynamics(sequences * samples)?,
            reward: bundle.reward(sequences * samples)?,
            head: bundle.manifest().reward,
            samples,
            sizes: *sizes,
            scale,
            actions: vec![0.0; sequences * sizes.horizon * sizes.action],
            means: vec![0.0; states],
            deviations: vec![0.0; states],
            rewards: vec![0.0; sequences * sizes.horizon],
            returns: vec![0.0; sequences],
        })
    }

    /// Where the sequences are written before [`MomentRollout::run`], `[N, H, na]`, within the limits.
    pub(super) fn actions_mut(&mut self) -> &mut [f32] {
        &mut self.actions
    }

    /// Actions of sequence `b` in the last run, `[H, na]`.
    pub(super) fn actions(&self, b: usize) -> &[f32] {
        let len = self.sizes.horizon * self.sizes.action;
        &self.actions[b * len..][..len]
    }

    /// Carries the sequences forward from the known `state` `[n]`, with unit Gaussian samples `noise`
    /// `[H, K, n]`. Returns that are not finite become the lowest.
    pub(super) fn run(&mut self, state: &[f32], noise: &[f32]) -> Result<(), RunError> {
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
        for rows in self.dynamics.state_mut().chunks_exact_mut(n) {
            rows.copy_from_slice(state);
        }
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
                moments::deviation(means, mean, own, self.scale, deviation);
                let samples = &mut self.reward.state_mut()[b * block..][..block];
                moments::sample(mean, deviation, &noise[t * block..][..block], samples);
            }
            let samples = &*self.reward.state_mut();
            self.dynamics.state_mut().copy_from_slice(samples);
            self.reward.run()?;
            for (b, outputs) in self.reward.reward().chunks_exact(k).enumerate() {
                self.rewards[b * h + t] = moments::expected_reward(&self.head, outputs);
            }
        }
        for (value, rewards) in self.returns.iter_mut().zip(self.rewards.chunks_exact(h)) {
            let sum: f32 = rewards.iter().sum();
            *value = if sum.is_finite() {
                sum
            } else {
                f32::NEG_INFINITY
            };
        }
        Ok(())
    }

    /// Expected returns of the last run, `[N]`.
    pub(super) fn returns(&self) -> &[f32] {
        &self.returns
    }

    /// Expected rewards of sequence `b`, `[H]`.
    pub(super) fn rewards(&self, b: usize) -> &[f32] {
        &self.rewards[b * self.sizes.horizon..][..self.sizes.horizon]
    }

    /// Means of the states of sequence `b`, `[H + 1, n]`.
    pub(super) fn means(&self, b: usize) -> &[f32] {
        let len = (self.sizes.horizon + 1) * self.sizes.state;
        &self.means[b * len..][..len]
    }

    /// Deviations of the states of sequence `b`, `[H + 1, n]`.
    pub(super) fn deviations(&self, b: usize) -> &[f32] {
        let len = (self.sizes.horizon + 1) * self.sizes.state;
        &self.deviations[b * len..][..len]
    }
}
