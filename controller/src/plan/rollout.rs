//! What a plan's actions are worth: clipped to their limits and rolled out through the prior.

use latco_models::{Bundle, BundleError, Dynamics, RewardHead, Rollout, RunError};

use super::solution::PlanSizes;

/// Rolls N action sequences at a time.
///
/// The value of a plan is the sum of the rewards to expect in this rollout: unlike the planned
/// states of a collocation that is still relaxed, it is what the model says these actions lead to.
/// With a logit as reward head it also orders plans that are all far from the reward.
pub(super) struct ActionRollout {
    rollout: Rollout,
    head: RewardHead,
    /// `[N, H]`
    rewards: Vec<f32>,
    /// `[N]`
    returns: Vec<f32>,
    horizon: usize,
}

impl ActionRollout {
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        sequences: usize,
    ) -> Result<Self, BundleError> {
        Ok(Self {
            rollout: bundle.rollout(sequences)?,
            head: bundle.manifest().reward,
            rewards: vec![0.0; sequences * sizes.horizon],
            returns: vec![0.0; sequences],
            horizon: sizes.horizon,
        })
    }

    /// Where the sequences are written before [`ActionRollout::run`], `[N, H, na]`; their numbers
    /// are within the limits. Holds the last ones.
    pub(super) fn actions_mut(&mut self) -> &mut [f32] {
        self.rollout.action_mut()
    }

    /// Rolls the sequences from `state` `[n]`. Returns that are not finite become the lowest.
    pub(super) fn run(&mut self, state: &[f32]) -> Result<(), RunError> {
        repeat(state, self.rollout.state_mut());
        self.rollout.run()?;
        for (reward, output) in self.rewards.iter_mut().zip(self.rollout.rewards()) {
            *reward = self.head.expected(*output);
        }
        let sequences = self.rewards.chunks_exact(self.horizon);
        for (value, rewards) in self.returns.iter_mut().zip(sequences) {
            let sum: f32 = rewards.iter().sum();
            *value = if sum.is_finite() {
                sum
            } else {
                f32::NEG_INFINITY
            };
        }
        Ok(())
    }

    /// Returns of the last run, `[N]`.
    pub(super) fn returns(&self) -> &[f32] {
        &self.returns
    }

    /// Rewards to expect of a sequence in the last run, `[H]`.
    pub(super) fn rewards(&self, sequence: usize) -> &[f32] {
        &self.rewards[sequence * self.horizon..][..self.horizon]
    }
}

/// Prior steps, one at a time.
pub(super) struct PriorSteps {
    prior: Dynamics,
    state_size: usize,
    action_size: usize,
}

impl PriorSteps {
    pub(super) fn new(bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, BundleError> {
        Ok(Self {
            prior: bundle.dynamics(1)?,
            state_size: sizes.state,
            action_size: sizes.action,
        })
    }

    /// With row `from` of `states` `[H + 1, n]` given, writes the rows after it under `actions`
    /// `[H, na]`.
    pub(super) fn fill(
        &mut self,
        from: usize,
        states: &mut [f32],
        actions: &[f32],
    ) -> Result<(), RunError> {
        let (n, na) = (self.state_size, self.action_size);
        let steps = actions.len() / na;
        for step in from..steps {
            self.prior
                .state_mut()
                .copy_from_slice(&states[step * n..][..n]);
            self.prior
                .action_mut()
                .copy_from_slice(&actions[step * na..][..na]);
            self.prior.run()?;
            states[(step + 1) * n..][..n].copy_from_slice(self.prior.mean());
        }
        Ok(())
    }
}

/// Fills rows with copies of one.
pub(super) fn repeat(row: &[f32], rows: &mut [f32]) {
    rows.chunks_exact_mut(row.len())
        .for_each(|copy| copy.copy_from_slice(row));
}

/// Copies actions into their limits; a number that is not finite becomes 0.
pub(super) fn clip(actions: &[f32], limit: f32, clipped: &mut [f32]) {
    for (clipped, action) in clipped.iter_mut().zip(actions) {
        *clipped = if action.is_finite() {
            action.clamp(-limit, limit)
        } else {
            0.0
        };
    }
}
