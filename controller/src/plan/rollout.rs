//! What a plan's actions are worth: clipped to their limits and rolled out through the prior.

use latco_models::{Bundle, BundleError, Dynamics, RewardKind, Rollout, RunError};

use super::PlanSizes;

/// The reward to expect where the reward head says `output`, within 0..1.
pub(super) fn expected_reward(kind: RewardKind, output: f32) -> f32 {
    match kind {
        RewardKind::Regression => output.clamp(0.0, 1.0),
        RewardKind::BernoulliLogit => 1.0 / (1.0 + (-output).exp()),
    }
}

/// Rolls one action sequence at a time.
///
/// The value of a plan is the sum of the rewards to expect in this rollout: unlike the planned
/// states of a collocation that is still relaxed, it is what the model says these actions lead to.
/// With a logit as reward head it also orders plans that are all far from the reward.
pub(super) struct ActionRollout {
    rollout: Rollout,
    prior: Dynamics,
    kind: RewardKind,
    rewards: Vec<f32>,
    state_size: usize,
    action_size: usize,
}

impl ActionRollout {
    pub(super) fn new(bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, BundleError> {
        Ok(Self {
            rollout: bundle.rollout(1)?,
            prior: bundle.dynamics(1)?,
            kind: bundle.manifest().reward.kind,
            rewards: vec![0.0; sizes.horizon],
            state_size: sizes.state,
            action_size: sizes.action,
        })
    }

    /// Return of `actions` `[H, na]` from `state` `[n]`; the rewards are kept for
    /// [`ActionRollout::rewards`]. NaN becomes the lowest value.
    pub(super) fn evaluate(&mut self, state: &[f32], actions: &[f32]) -> Result<f32, RunError> {
        self.rollout.state_mut().copy_from_slice(state);
        self.rollout.action_mut().copy_from_slice(actions);
        self.rollout.run()?;
        for (reward, output) in self.rewards.iter_mut().zip(self.rollout.rewards()) {
            *reward = expected_reward(self.kind, *output);
        }
        let value: f32 = self.rewards.iter().sum();
        Ok(if value.is_finite() {
            value
        } else {
            f32::NEG_INFINITY
        })
    }

    /// Rewards to expect in the last evaluation, `[H]`.
    pub(super) fn rewards(&self) -> &[f32] {
        &self.rewards
    }

    /// Prior steps: with row `from` of `states` `[H + 1, n]` given, writes the rows after it under
    /// `actions` `[H, na]`.
    pub(super) fn fill_states(
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
