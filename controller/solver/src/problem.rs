//! The linear system of one step, and the solvers of such systems.

use crate::{Crew, MAX_PLANS, Model, Scalar, Shape};

/// The linear systems of one step at the current plans, one for each plan.
#[derive(Debug)]
pub struct LinearProblem<'a, S> {
    pub(crate) shape: Shape,
    /// Multipliers of the dynamics, `lambda [N, H]`.
    pub(crate) dynamics_multipliers: &'a [S],
    /// Multipliers of the action limits, `nu [N, H]`.
    pub(crate) action_multipliers: &'a [S],
    /// Defects `z_{t+1} - mu(z_t, a_t)`, shape `[N, H, n]`.
    pub(crate) defects: &'a [S],
    /// Reward residuals `softplus(-r(z_t))` for `t = 1..H`, shape `[N, H]`.
    pub(crate) residuals: &'a [S],
    /// Gradients of the reward residuals, shape `[N, H, n]`.
    pub(crate) gradients: &'a [S],
    /// Actions of the plans, shape `[N, H, na]`.
    pub(crate) actions: &'a [S],
    /// Difference `z_0 - anchor`, shape `[N, n]`; read only by a solver that moves the first state.
    pub(crate) anchor_defect: &'a [S],
    /// Largest allowed `|a|`.
    pub(crate) action_limit: S,
    /// Values of the inequalities, shape `[N, H, m]`.
    pub(crate) inequalities: &'a [S],
    /// Slopes of the inequalities, shape `[N, H, m, na]`.
    pub(crate) inequality_slopes: &'a [S],
    /// Multipliers of the inequalities, shape `[N, H, m]`.
    pub(crate) inequality_multipliers: &'a [S],
    /// Weight `mu` of the inequalities.
    pub(crate) inequality_weight: S,
    /// Residuals of the goal `sqrt(weight) (z_H - goal)`, shape `[N, m]`; empty without one.
    pub(crate) goal_residuals: &'a [S],
    /// Their slope by the last state, `sqrt(weight)`.
    pub(crate) goal_slope: S,
    /// Scales of each plan's system.
    pub(crate) scales: [Scales<S>; MAX_PLANS],
}

/// Scales of one plan's system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scales<S> {
    /// Damping added to the squared residuals.
    pub(crate) damping: S,
    /// The divisor of the published solver's residuals, `mean sqrt(lambda) + mean sqrt(nu) + 1`.
    pub(crate) normaliser: S,
}

impl<S: Scalar> LinearProblem<'_, S> {
    /// The terms `1 / alpha_t` and `lambda_t / alpha_t` of plan `b`, with `alpha_t = lambda_t + delta`.
    pub(crate) fn dynamics_terms(&self, b: usize, t: usize) -> (S, S) {
        let multiplier = self.dynamics_multipliers[b * self.shape.dims.horizon + t];
        let inverse = S::ONE / (multiplier + self.scales[b].damping);
        (inverse, multiplier * inverse)
    }

    /// Number of rows of the goal, `m`; 0 without one.
    pub(crate) fn goal_rows(&self) -> usize {
        self.goal_residuals.len() / self.shape.plans
    }

    /// Number of rows that couple the steps of a plan, `R`: its `H` rewards, then the goal's.
    pub(crate) fn rows(&self) -> usize {
        self.shape.dims.horizon + self.goal_rows()
    }

    /// The residual `g + multiplier / mu` of inequality `i` of all plans, if it is active.
    pub(crate) fn inequality_residual(&self, i: usize) -> S {
        self.inequalities[i] + self.inequality_multipliers[i] / self.inequality_weight
    }
}

/// The amount by which an action exceeds the limit, with its sign; `None` inside the limit.
pub(crate) fn excess<S: Scalar>(action: S, limit: S) -> Option<(S, S)> {
    if action > limit {
        Some((action - limit, S::ONE))
    } else if action < -limit {
        Some((-action - limit, -S::ONE))
    } else {
        None
    }
}

/// The change of the plans in one step.
#[derive(Debug)]
pub struct Change<'a, S> {
    /// Change of the states, shape `[N, H + 1, n]`.
    pub(crate) states: &'a mut [S],
    /// Change of the actions, shape `[N, H, na]`.
    pub(crate) actions: &'a mut [S],
    /// 1 for every inequality that held the change back and 0 for the others, shape `[N, H, m]`.
    pub(crate) active: &'a mut [S],
}

/// The plans whose system was not positive definite, and the stage at which that was found.
#[derive(Clone, Debug)]
pub struct PlanFaults([Option<usize>; MAX_PLANS]);

impl PlanFaults {
    pub(crate) fn none() -> Self {
        Self([None; MAX_PLANS])
    }

    pub(crate) fn set(&mut self, b: usize, stage: usize) {
        self.0[b] = Some(stage);
    }

    pub(crate) fn get(&self, b: usize) -> Option<usize> {
        self.0[b]
    }
}

/// A solver for the change of plans, implemented by [`crate::Reduced`] and [`crate::BlockTridiagonal`].
pub trait LinearSolver {
    /// Whether the first state is a variable of the system (pinned by a heavy weight) rather than
    /// equal to the anchor.
    const MOVES_ANCHOR: bool;

    /// Whether it takes inequalities ([`crate::Inequalities`]) into the system.
    const TAKES_INEQUALITIES: bool;

    /// Number of elements of scratch memory that [`LinearSolver::solve`] needs.
    fn scratch_len(shape: &Shape) -> usize;

    /// Writes the change of the plans; what it writes for a plan that it reports in `faults` has no meaning.
    fn solve<S: Scalar, M: Model<S>, C: Crew>(
        problem: &LinearProblem<'_, S>,
        crew: &mut C,
        model: &mut M,
        scratch: &mut [S],
        change: Change<'_, S>,
        faults: &mut PlanFaults,
    );
}
