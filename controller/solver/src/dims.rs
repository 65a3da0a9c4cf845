/// Sizes of one planning problem.
///
/// A state is `z = [s, h]`: the stochastic part (its mean) followed by the deterministic one.
/// A plan over `horizon` steps has states `z_0..z_H` and actions `a_0..a_{H-1}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// Length of the stochastic part `s`; may be 0 for a model without one.
    pub stoch: usize,
    /// Length of the deterministic part `h`; may be 0 for a model without one.
    pub deter: usize,
    /// Length of an action.
    pub action: usize,
    /// Steps in a plan.
    pub horizon: usize,
}

impl Dims {
    /// Length of a state, `n = stoch + deter`.
    #[inline]
    pub const fn state(&self) -> usize {
        self.stoch + self.deter
    }

    /// Length of the plan's states `[H + 1, n]`.
    #[inline]
    pub const fn states_len(&self) -> usize {
        (self.horizon + 1) * self.state()
    }

    /// Length of the plan's actions `[H, action]`.
    #[inline]
    pub const fn actions_len(&self) -> usize {
        self.horizon * self.action
    }

    /// Whether a plan of these sizes exists: a state, an action and a step at least.
    pub const fn is_valid(&self) -> bool {
        self.state() > 0 && self.action > 0 && self.horizon > 0
    }
}
