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
    /// Number of steps in a plan.
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

/// Largest number of plans that one solver iterates at once.
pub const MAX_PLANS: usize = 64;

/// The sizes that a solver's memory depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sizes of every plan.
    pub dims: Dims,
    /// Number of plans that are iterated at once, `N`, 1 to [`MAX_PLANS`]. They share every reading of the
    /// model's weights.
    pub plans: usize,
    /// Number of parts that a stage of work is cut into, 1 to [`crate::MAX_PARTS`]: as many threads can work
    /// at the same time. Results depend on it in the last bits, and not on the threads.
    pub parts: usize,
    /// Number of inequalities at each step, `m`; see [`crate::Inequalities`].
    pub inequalities: usize,
    /// Largest number of rows of a [`crate::Goal`]; 0 for plans without one.
    pub goal: usize,
}

impl Shape {
    /// The shape of one plan, with stages in two parts.
    #[must_use]
    pub const fn of(dims: Dims) -> Self {
        Self {
            dims,
            plans: 1,
            parts: 2,
            inequalities: 0,
            goal: 0,
        }
    }

    /// This shape for `plans` plans at once.
    #[must_use]
    pub const fn with_plans(self, plans: usize) -> Self {
        Self { plans, ..self }
    }

    /// This shape for plans with `inequalities` inequalities at each step.
    #[must_use]
    pub const fn with_inequalities(self, inequalities: usize) -> Self {
        Self {
            inequalities,
            ..self
        }
    }

    /// This shape for plans that may have a goal of `goal` elements of a state.
    #[must_use]
    pub const fn with_goal(self, goal: usize) -> Self {
        Self { goal, ..self }
    }

    /// Largest number of rows that couple the steps of a plan: a reward at each, and the goal's at the end.
    #[must_use]
    pub const fn most_rows(&self) -> usize {
        self.dims.horizon + self.goal
    }

    /// Range of the inequalities of plan `b` in arrays `[N, H, m]`.
    pub(crate) const fn inequalities_of(&self, b: usize) -> core::ops::Range<usize> {
        let len = self.dims.horizon * self.inequalities;
        b * len..(b + 1) * len
    }

    /// Whether all sizes are within their ranges.
    pub const fn is_valid(&self) -> bool {
        self.dims.is_valid()
            && self.plans > 0
            && self.plans <= MAX_PLANS
            && self.parts > 0
            && self.parts <= crate::MAX_PARTS
    }
}
