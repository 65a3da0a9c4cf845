//! The plans that are iterated together, with their multipliers.

use latco_solver::Multipliers;
use serde::{Deserialize, Serialize};

use super::solution::PlanSizes;

/// The states, actions and multipliers of `N` plans, one plan after the other in each array.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    sizes: PlanSizes,
    /// States, `[N, H + 1, n]`.
    pub states: Vec<f32>,
    /// Actions, `[N, H, na]`.
    pub actions: Vec<f32>,
    /// Multipliers of the dynamics, lambda, `[N, H]`.
    pub dynamics: Vec<f32>,
    /// Multipliers of the action limits, nu, `[N, H]`.
    pub action_limits: Vec<f32>,
}

/// One plan of a [`Batch`].
pub struct IterateMut<'a> {
    /// States, `[H + 1, n]`.
    pub states: &'a mut [f32],
    /// Actions, `[H, na]`.
    pub actions: &'a mut [f32],
    /// Multipliers of the dynamics, lambda, `[H]`.
    pub dynamics: &'a mut [f32],
    /// Multipliers of the action limits, nu, `[H]`.
    pub action_limits: &'a mut [f32],
}

/// The states, actions and multipliers of one plan in memory of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Iterate {
    /// States, `[H + 1, n]`.
    pub states: Vec<f32>,
    /// Actions, `[H, na]`.
    pub actions: Vec<f32>,
    /// Multipliers of the dynamics, lambda, `[H]`.
    pub dynamics_multipliers: Vec<f32>,
    /// Multipliers of the action limits, nu, `[H]`.
    pub action_multipliers: Vec<f32>,
}

impl Batch {
    /// Makes zeros for `plans` plans of these sizes.
    #[must_use]
    pub fn new(sizes: &PlanSizes, plans: usize) -> Self {
        Self {
            sizes: *sizes,
            states: vec![0.0; plans * (sizes.horizon + 1) * sizes.state],
            actions: vec![0.0; plans * sizes.horizon * sizes.action],
            dynamics: vec![0.0; plans * sizes.horizon],
            action_limits: vec![0.0; plans * sizes.horizon],
        }
    }

    fn states_len(&self) -> usize {
        (self.sizes.horizon + 1) * self.sizes.state
    }

    fn actions_len(&self) -> usize {
        self.sizes.horizon * self.sizes.action
    }

    /// The states of plan `plan`, `[H + 1, n]`.
    #[must_use]
    pub fn states_of(&self, plan: usize) -> &[f32] {
        &self.states[plan * self.states_len()..][..self.states_len()]
    }

    /// The multipliers of the dynamics and of the action limits of plan `plan`, `[H]` each.
    #[must_use]
    pub fn multipliers_of(&self, plan: usize) -> (&[f32], &[f32]) {
        let h = self.sizes.horizon;
        (
            &self.dynamics[plan * h..][..h],
            &self.action_limits[plan * h..][..h],
        )
    }

    /// The plan of number `plan`.
    #[must_use]
    pub fn plan_mut(&mut self, plan: usize) -> IterateMut<'_> {
        let (states, actions, h) = (self.states_len(), self.actions_len(), self.sizes.horizon);
        IterateMut {
            states: &mut self.states[plan * states..][..states],
            actions: &mut self.actions[plan * actions..][..actions],
            dynamics: &mut self.dynamics[plan * h..][..h],
            action_limits: &mut self.action_limits[plan * h..][..h],
        }
    }

    /// The first `plans` plans as the solver takes them, from the state `anchor`.
    pub fn first<'a>(
        &'a mut self,
        plans: usize,
        anchor: &'a [f32],
    ) -> (latco_solver::Plan<'a, f32>, Multipliers<'a, f32>) {
        let (states, actions) = (self.states_len(), self.actions_len());
        let h = self.sizes.horizon;
        (
            latco_solver::Plan {
                anchor,
                states: &mut self.states[..plans * states],
                actions: &mut self.actions[..plans * actions],
                inequalities: None,
                goal: None,
            },
            Multipliers {
                dynamics: &mut self.dynamics[..plans * h],
                actions: &mut self.action_limits[..plans * h],
            },
        )
    }

    /// Makes plan 0 equal to plan `plan`.
    pub(super) fn copy_to_front(&mut self, plan: usize) {
        let (states, actions, h) = (self.states_len(), self.actions_len(), self.sizes.horizon);
        for (values, len) in [
            (&mut self.states, states),
            (&mut self.actions, actions),
            (&mut self.dynamics, h),
            (&mut self.action_limits, h),
        ] {
            values.copy_within(plan * len..(plan + 1) * len, 0);
        }
    }

    /// Makes plan 0 equal to `iterate`.
    pub(super) fn set_front(&mut self, iterate: &Iterate) {
        let front = self.plan_mut(0);
        front.states.copy_from_slice(&iterate.states);
        front.actions.copy_from_slice(&iterate.actions);
        (front.dynamics).copy_from_slice(&iterate.dynamics_multipliers);
        (front.action_limits).copy_from_slice(&iterate.action_multipliers);
    }
}

impl Iterate {
    /// Makes zeros for plans of these sizes.
    pub(super) fn new(sizes: &PlanSizes) -> Self {
        Self {
            states: vec![0.0; (sizes.horizon + 1) * sizes.state],
            actions: vec![0.0; sizes.horizon * sizes.action],
            dynamics_multipliers: vec![0.0; sizes.horizon],
            action_multipliers: vec![0.0; sizes.horizon],
        }
    }

    /// Makes this equal to plan 0 of `batch`, without allocating.
    pub(super) fn copy_front(&mut self, batch: &mut Batch) {
        let front = batch.plan_mut(0);
        self.states.copy_from_slice(front.states);
        self.actions.copy_from_slice(front.actions);
        (self.dynamics_multipliers).copy_from_slice(front.dynamics);
        (self.action_multipliers).copy_from_slice(front.action_limits);
    }

    /// Makes this equal to `other`, of the same sizes, without allocating.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.states.copy_from_slice(&other.states);
        self.actions.copy_from_slice(&other.actions);
        (self.dynamics_multipliers).copy_from_slice(&other.dynamics_multipliers);
        (self.action_multipliers).copy_from_slice(&other.action_multipliers);
    }

    /// Whether the lengths are those of plans of these sizes.
    pub(super) fn fits(&self, sizes: &PlanSizes) -> bool {
        let h = sizes.horizon;
        self.states.len() == (h + 1) * sizes.state
            && self.actions.len() == h * sizes.action
            && self.dynamics_multipliers.len() == h
            && self.action_multipliers.len() == h
    }
}
