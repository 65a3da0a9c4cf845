//! The worth of a plan's actions: clipped to their limits and rolled out through the prior.
//!
//! Candidates are compared by that return, because a plan that is still relaxed promises what its actions do
//! not lead to.

use latco_models::{Bundle, BundleError, Dynamics, RewardHead, Rollout, RunError};

use super::goal::{Goal, GoalTerm};
use super::incumbent::Candidate;
use super::solution::{PlanSizes, Solution};

/// A valuation of a fixed number N of action sequences.
pub trait Valuation: Send {
    /// The sequences to be written before [`Valuation::run`], `[N, H, na]`, within their limits; they hold
    /// the last ones.
    fn actions_mut(&mut self) -> &mut [f32];

    /// Sets the goal that the sequences shall lead to. A valuation that knows none values by rewards alone.
    fn set_goal(&mut self, _goal: Option<&Goal>) {}

    /// Values the sequences from `state` `[n]`.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn run(&mut self, state: &[f32]) -> Result<(), RunError>;

    /// The worth of each sequence of the last run, `[N]`; the lowest number where it is not finite.
    fn returns(&self) -> &[f32];

    /// The candidate of sequence `b` of the last run; it has states only where they are not the plan's own.
    fn candidate(&self, b: usize) -> Candidate<'_>;

    /// Clips `actions` `[N, H, na]` to `limit` and values them from `state` `[n]`.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn value(&mut self, actions: &[f32], limit: f32, state: &[f32]) -> Result<(), RunError> {
        clip(actions, limit, self.actions_mut());
        self.run(state)
    }
}

/// A rollout of N action sequences through the mean of the prior.
///
/// The value of a plan is the sum of the rewards to expect in this rollout: unlike the planned
/// states of a collocation that is still relaxed, it is what the model says these actions lead to.
/// With a logit as reward head it also orders plans that are all far from the reward.
pub struct ActionRollout {
    rollout: Rollout,
    head: RewardHead,
    /// Actions of the sequences, `[N, H, na]`.
    actions: Vec<f32>,
    /// Rewards to expect, `[N, H]`.
    rewards: Vec<f32>,
    /// Returns of the sequences, `[N]`.
    returns: Vec<f32>,
    sizes: PlanSizes,
    goal: Option<GoalTerm>,
}

impl ActionRollout {
    /// Makes a session for `sequences` sequences; all memory is allocated here.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn new(bundle: &Bundle, sizes: &PlanSizes, sequences: usize) -> Result<Self, BundleError> {
        Ok(Self {
            rollout: bundle.rollout(sequences)?,
            head: bundle.manifest().reward,
            actions: vec![0.0; sequences * sizes.horizon * sizes.action],
            rewards: vec![0.0; sequences * sizes.horizon],
            returns: vec![0.0; sequences],
            sizes: *sizes,
            goal: GoalTerm::new(bundle, sizes, sequences)?,
        })
    }
}

impl Valuation for ActionRollout {
    fn actions_mut(&mut self) -> &mut [f32] {
        &mut self.actions
    }

    fn set_goal(&mut self, goal: Option<&Goal>) {
        if let Some(term) = &mut self.goal {
            term.set(goal);
        }
    }

    fn run(&mut self, state: &[f32]) -> Result<(), RunError> {
        if !(self.goal.as_ref()).is_some_and(GoalTerm::replaces_rewards) {
            repeat(state, self.rollout.state_mut());
            self.rollout.action_mut().copy_from_slice(&self.actions);
            self.rollout.run()?;
        }
        for (reward, output) in self.rewards.iter_mut().zip(self.rollout.rewards()) {
            *reward = self.head.expected(*output);
        }
        if let Some(term) = &mut self.goal {
            term.add_to(state, &self.actions, &mut self.rewards)?;
        }
        let sequences = self.rewards.chunks_exact(self.sizes.horizon);
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

    fn returns(&self) -> &[f32] {
        &self.returns
    }

    fn candidate(&self, b: usize) -> Candidate<'_> {
        let (h, len) = (self.sizes.horizon, self.sizes.horizon * self.sizes.action);
        Candidate {
            worth: self.returns[b],
            predicted_return: self.returns[b],
            actions: &self.actions[b * len..][..len],
            rewards: &self.rewards[b * h..][..h],
            states: None,
            start: None,
            competes: true,
        }
    }
}

/// A session that does prior steps, one at a time.
pub struct PriorSteps {
    prior: Dynamics,
    state_size: usize,
    action_size: usize,
}

impl PriorSteps {
    /// Makes the session for one step.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn new(bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, BundleError> {
        Ok(Self {
            prior: bundle.dynamics(1)?,
            state_size: sizes.state,
            action_size: sizes.action,
        })
    }

    /// The state that the actions of a plan lead to from its first state, `[n]`: what is planned for it may still be relaxed.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn end(&mut self, plan: &Solution) -> Result<Vec<f32>, RunError> {
        let mut states = plan.states.clone();
        self.fill(0, &mut states, &plan.actions)?;
        Ok(states.split_off(states.len() - self.state_size))
    }

    /// Writes the rows after row `from` of `states` `[H + 1, n]`, which is given, under `actions` `[H, na]`.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn fill(
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
fn clip(actions: &[f32], limit: f32, clipped: &mut [f32]) {
    for (clipped, action) in clipped.iter_mut().zip(actions) {
        *clipped = if action.is_finite() {
            action.clamp(-limit, limit)
        } else {
            0.0
        };
    }
}
