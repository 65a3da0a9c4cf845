use crate::{Dims, LayoutError, Scalar, Settings};

/// A plan in the caller's memory.
#[derive(Debug)]
pub struct Plan<'a, S> {
    /// The state the plan starts from, `z_0 [n]`.
    pub anchor: &'a [S],
    /// `z_0..z_H`, `[H + 1, n]`. Row 0 belongs to the solver: the reduced one sets it to `anchor`,
    /// the block-tridiagonal one pins it there with a heavy weight.
    pub states: &'a mut [S],
    /// `a_0..a_{H-1}`, `[H, na]`.
    pub actions: &'a mut [S],
}

impl<S: Scalar> Plan<'_, S> {
    /// # Errors
    /// A length differs from what `dims` says.
    pub(crate) fn check(&self, dims: &Dims) -> Result<(), LayoutError> {
        LayoutError::check("plan anchor [n]", dims.state(), self.anchor.len())?;
        LayoutError::check(
            "plan states [H + 1, n]",
            dims.states_len(),
            self.states.len(),
        )?;
        LayoutError::check(
            "plan actions [H, na]",
            dims.actions_len(),
            self.actions.len(),
        )
    }
}

/// Lagrange multipliers of the constraints of each step, in the caller's memory.
#[derive(Debug)]
pub struct Multipliers<'a, S> {
    /// Weight of the dynamics constraint, `lambda [H]`.
    pub dynamics: &'a mut [S],
    /// Weight of the action limits, `nu [H]`.
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
    /// A length differs from what `dims` says.
    pub(crate) fn check(&self, dims: &Dims) -> Result<(), LayoutError> {
        LayoutError::check(
            "dynamics multipliers [H]",
            dims.horizon,
            self.dynamics.len(),
        )?;
        LayoutError::check("action multipliers [H]", dims.horizon, self.actions.len())
    }
}
