//! The state that a plan shall end in: the belief of a goal picture.
//!
//! With a goal the cost of a plan is `(1 - w) sum_t softplus(-r(z_t))^2 + w |z_H - goal|^2`: the solver has `n` more residual
//! rows at the last state, and whatever values candidates by predicted rewards takes them times `1 - w` and the weighted squared
//! distance of the last state off the last of them.

use latco_models::{Bundle, BundleError, Dynamics, RunError};
use serde::{Deserialize, Serialize};

use super::solution::PlanSizes;

/// Distance ([`Goal::distance`]) below which the model takes a state for the goal.
pub const GOAL_REACHED: f32 = 0.1;

/// A state that plans shall end in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The first elements of the state, those that [`PlanSizes::goal`] says: the belief of a goal picture, `[m]`.
    pub belief: Vec<f32>,
    /// Share of the goal in the cost, above 0 and up to 1; the rest is the share of the rewards.
    pub weight: f32,
}

impl Goal {
    /// How far `state` `[n]` is from the goal: the root of the mean squared difference.
    #[must_use]
    pub fn distance(&self, state: &[f32]) -> f32 {
        (self.squares(state) / self.belief.len().max(1) as f32).sqrt()
    }

    fn squares(&self, state: &[f32]) -> f32 {
        let pairs = self.belief.iter().zip(state);
        pairs.map(|(goal, z)| (z - goal).powi(2)).sum()
    }

    /// The share of the rewards in the cost.
    #[must_use]
    pub fn reward_weight(&self) -> f32 {
        1.0 - self.weight
    }

    /// The goal as the solver takes it.
    #[must_use]
    pub fn for_solver(&self) -> latco_solver::Goal<'_, f32> {
        latco_solver::Goal {
            state: &self.belief,
            weight: self.weight,
            reward_weight: self.reward_weight(),
        }
    }

    /// Turns the rewards `[H]` of a plan that ends in `last` `[n]` into those with the goal.
    pub fn add_to(&self, rewards: &mut [f32], last: &[f32]) {
        let share = self.reward_weight();
        rewards.iter_mut().for_each(|reward| *reward *= share);
        if let Some(reward) = rewards.last_mut() {
            *reward -= self.weight * self.squares(last);
        }
    }

    /// Turns the slopes `[H, n]` of those rewards by the states into those with the goal.
    pub fn add_to_slopes(&self, slopes: &mut [f32], last: &[f32]) {
        let share = self.reward_weight();
        slopes.iter_mut().for_each(|slope| *slope *= share);
        let from = slopes.len() - last.len();
        for ((slope, z), goal) in (slopes[from..].iter_mut()).zip(last).zip(&self.belief) {
            *slope -= 2.0 * self.weight * (z - goal);
        }
    }
}

/// Memory for a goal, which may be there or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoalSlot {
    goal: Goal,
    is_set: bool,
}

impl GoalSlot {
    /// Makes memory for a goal of plans of these sizes, without one.
    #[must_use]
    pub fn new(sizes: &PlanSizes) -> Self {
        Self {
            goal: Goal {
                belief: vec![0.0; sizes.goal],
                weight: 0.0,
            },
            is_set: false,
        }
    }

    /// The goal, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<&Goal> {
        self.is_set.then_some(&self.goal)
    }

    /// Copies a goal, or forgets the last one. Of a whole state the first elements count; where no goals are taken there is none.
    ///
    /// # Real-time
    /// No allocation.
    pub fn set(&mut self, goal: Option<&Goal>) {
        self.put(goal.map(|goal| (&*goal.belief, goal.weight)));
    }

    /// Sets a goal by its belief and its weight, as [`GoalSlot::set`].
    ///
    /// # Real-time
    /// No allocation.
    pub fn put(&mut self, goal: Option<(&[f32], f32)>) {
        let rows = self.goal.belief.len();
        let fitting = goal.filter(|(belief, _)| rows > 0 && belief.len() >= rows);
        self.is_set = fitting.is_some();
        if let Some((belief, weight)) = fitting {
            self.goal.belief.copy_from_slice(&belief[..rows]);
            self.goal.weight = weight;
        }
    }
}

/// The goal in the rewards of N action sequences, whose last states it rolls out through the mean of the prior.
pub(super) struct GoalTerm {
    slot: GoalSlot,
    dynamics: Dynamics,
    /// States that the sequences have led to so far, `[N, n]`.
    ends: Vec<f32>,
    sizes: PlanSizes,
}

impl GoalTerm {
    /// Makes the session for `sequences` sequences where plans may have a goal.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        sequences: usize,
    ) -> Result<Option<Self>, BundleError> {
        if sizes.goal == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            slot: GoalSlot::new(sizes),
            dynamics: bundle.dynamics(sequences)?,
            ends: vec![0.0; sequences * sizes.state],
            sizes: *sizes,
        }))
    }

    pub(super) fn set(&mut self, goal: Option<&Goal>) {
        self.slot.set(goal);
    }

    /// Whether the rewards do not count.
    pub(super) fn replaces_rewards(&self) -> bool {
        self.slot.get().is_some_and(|goal| goal.weight >= 1.0)
    }

    /// Turns the rewards `[M, H]` of the first M of the sequences `actions` `[N, H, na]` from `state` `[n]` into those with the
    /// goal; without one they stay.
    pub(super) fn add_to(
        &mut self,
        state: &[f32],
        actions: &[f32],
        rewards: &mut [f32],
    ) -> Result<(), RunError> {
        let Some(goal) = self.slot.get() else {
            return Ok(());
        };
        let PlanSizes {
            horizon, action, ..
        } = self.sizes;
        let ends = self.ends.chunks_exact_mut(state.len());
        ends.for_each(|end| end.copy_from_slice(state));
        for t in 0..horizon {
            self.dynamics.state_mut().copy_from_slice(&self.ends);
            let rows = self.dynamics.action_mut().chunks_exact_mut(action);
            for (row, actions) in rows.zip(actions.chunks_exact(horizon * action)) {
                row.copy_from_slice(&actions[t * action..][..action]);
            }
            self.dynamics.run()?;
            self.ends.copy_from_slice(self.dynamics.mean());
        }
        let ends = self.ends.chunks_exact(state.len());
        for (rewards, end) in rewards.chunks_exact_mut(horizon).zip(ends) {
            goal.add_to(rewards, end);
        }
        Ok(())
    }
}
