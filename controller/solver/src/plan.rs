use crate::{Inequalities, LayoutError, Scalar, Settings, Shape};

/// The plans of a solver in the caller's memory: `N` of them, one behind the other.
#[derive(Debug)]
pub struct Plan<'a, S> {
    /// The state that they start from, `z_0 [n]`.
    pub anchor: &'a [S],
    /// States `z_0..z_H`, shape `[N, H + 1, n]`. Row 0 of each plan belongs to the solver: the reduced one
    /// sets it to `anchor`, the block-tridiagonal one pins it there with a heavy weight.
    pub states: &'a mut [S],
    /// Actions `a_0..a_{H-1}`, shape `[N, H, na]`.
    pub actions: &'a mut [S],
    /// Inequalities that all plans have to satisfy; with `None` there are none.
    pub inequalities: Option<&'a dyn Inequalities<S>>,
    /// The state that they shall end in; with `None` it does not matter.
    pub goal: Option<Goal<'a, S>>,
}

/// What plans shall end in, the first `m` elements of a state: `m` more residuals `sqrt(weight) (z_H - state)`.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a, S> {
    /// The first elements of the state, `[m]`, `m` up to `n`.
    pub state: &'a [S],
    /// Weight of the squared distance.
    pub weight: S,
    /// Weight of the squared residuals of the rewards beside it; with 0 it takes their place.
    pub reward_weight: S,
}

impl<S: Scalar> Goal<'_, S> {
    /// The cost of ending in `last` `[n]`, the weighted squared distance.
    pub fn cost(&self, last: &[S]) -> S {
        let mut sum = S::ZERO;
        for (&z, &goal) in last.iter().zip(self.state) {
            sum += (z - goal) * (z - goal);
        }
        self.weight * sum
    }
}

impl<S: Scalar> Plan<'_, S> {
    /// # Errors
    /// [`LayoutError`] when a length differs from what `shape` says.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), LayoutError> {
        let Shape { dims, plans, .. } = shape;
        LayoutError::check("plan anchor [n]", dims.state(), self.anchor.len())?;
        LayoutError::check(
            "plan states [N, H + 1, n]",
            plans * dims.states_len(),
            self.states.len(),
        )?;
        LayoutError::check(
            "plan actions [N, H, na]",
            plans * dims.actions_len(),
            self.actions.len(),
        )?;
        if let Some(goal) = &self.goal {
            LayoutError::at_least("rows for the goal of a plan", goal.state.len(), shape.goal)?;
        }
        match self.inequalities {
            Some(inequalities) => LayoutError::check(
                "inequalities of a step",
                shape.inequalities,
                inequalities.rows(),
            ),
            None => Ok(()),
        }
    }
}

/// Lagrange multipliers of the constraints of each step, in the caller's memory.
#[derive(Debug)]
pub struct Multipliers<'a, S> {
    /// Weights of the dynamics constraint, `lambda [N, H]`.
    pub dynamics: &'a mut [S],
    /// Weights of the action limits, `nu [N, H]`.
    pub actions: &'a mut [S],
}

impl<S: Scalar> Multipliers<'_, S> {
    /// Sets all multipliers to their initial values.
    pub fn reset(&mut self, settings: &Settings) {
        self.dynamics
            .fill(S::from_f64(settings.initial_dynamics_multiplier));
        self.actions
            .fill(S::from_f64(settings.initial_action_multiplier));
    }

    /// # Errors
    /// [`LayoutError`] when a length differs from what `shape` says.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), LayoutError> {
        let len = shape.plans * shape.dims.horizon;
        LayoutError::check("dynamics multipliers [N, H]", len, self.dynamics.len())?;
        LayoutError::check("action multipliers [N, H]", len, self.actions.len())
    }
}
