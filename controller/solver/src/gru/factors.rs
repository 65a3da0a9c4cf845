//! Sizes and kernels of a prior step, and the factors that the model gives of it.

use crate::dims::Dims;
use crate::report::LayoutError;

/// Sizes of an RSSM prior step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruSizes {
    /// Length of the stochastic part, `ns`.
    pub stoch: usize,
    /// Length of the deterministic part, the GRU's state, `nd`.
    pub deter: usize,
    /// Length of an action, `na`.
    pub action: usize,
    /// Width of the dense layers before and after the GRU.
    pub hidden: usize,
}

impl GruSizes {
    /// Length of a state, `n = ns + nd`.
    pub const fn state(&self) -> usize {
        self.stoch + self.deter
    }

    /// Length of one row of factors, `2 hidden + 5 nd`:
    /// `[slope1 (hidden) | u | Au | Ac | Acr | Ar (nd each) | slope2 (hidden)]` with the gates `u`
    /// (update), `r` (reset), candidate `c`, `slope` the ELU's derivative,
    /// `Au = (h - c) u (1 - u)`, `Ac = (1 - u)(1 - c^2)`, `Acr = Ac r`,
    /// `Ar = Ac (h Whc + bhc) r (1 - r)`.
    pub const fn factors(&self) -> usize {
        2 * self.hidden + 5 * self.deter
    }

    pub(crate) const fn is_valid(&self) -> bool {
        self.stoch > 0 && self.deter > 0 && self.action > 0 && self.hidden > 0
    }

    pub(crate) const fn dims(&self, horizon: usize) -> Dims {
        Dims {
            stoch: self.stoch,
            deter: self.deter,
            action: self.action,
            horizon,
        }
    }
}

/// Kernels of the prior step under their names in a bundle, stored `[in, out]` row-major; GRU gates in the order update, reset,
/// candidate, reset applied after the recurrent product.
#[derive(Clone, Copy, Debug)]
pub struct GruWeights<'a, S> {
    /// Kernel of the dense layer on `[s, a]`, shape `[ns + na, hidden]`.
    pub input: &'a [S],
    /// Kernel of the GRU's input, shape `[hidden, 3 nd]`.
    pub gru_input: &'a [S],
    /// Kernel of the GRU's recurrence, shape `[nd, 3 nd]`.
    pub gru_recurrent: &'a [S],
    /// Kernel of the dense layer on `h'`, shape `[nd, hidden]`.
    pub prior: &'a [S],
    /// Kernel of the mean of the stochastic part, shape `[hidden, ns]`.
    pub prior_mean: &'a [S],
}

impl<S> GruWeights<'_, S> {
    pub(super) fn check(&self, sizes: &GruSizes) -> Result<(), LayoutError> {
        let &GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = sizes;
        let check = LayoutError::check;
        check(
            "kernel input [ns + na, hidden]",
            (stoch + action) * hidden,
            self.input.len(),
        )?;
        check(
            "kernel gru_input [hidden, 3 nd]",
            hidden * 3 * deter,
            self.gru_input.len(),
        )?;
        check(
            "kernel gru_recurrent [nd, 3 nd]",
            deter * 3 * deter,
            self.gru_recurrent.len(),
        )?;
        check(
            "kernel prior [nd, hidden]",
            deter * hidden,
            self.prior.len(),
        )?;
        check(
            "kernel prior_mean [hidden, ns]",
            hidden * stoch,
            self.prior_mean.len(),
        )
    }
}

/// One row of factors, cut into its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors<'a, S> {
    pub(super) slope1: &'a [S],
    pub(super) update: &'a [S],
    pub(super) au: &'a [S],
    pub(super) ac: &'a [S],
    pub(super) acr: &'a [S],
    pub(super) ar: &'a [S],
    pub(super) slope2: &'a [S],
}

impl<'a, S> Factors<'a, S> {
    fn split(sizes: &GruSizes, row: &'a [S]) -> Self {
        let (slope1, rest) = row.split_at(sizes.hidden);
        let (gates, slope2) = rest.split_at(5 * sizes.deter);
        let gate = |i: usize| &gates[i * sizes.deter..(i + 1) * sizes.deter];
        Self {
            slope1,
            update: gate(0),
            au: gate(1),
            ac: gate(2),
            acr: gate(3),
            ar: gate(4),
            slope2,
        }
    }
}

/// The factors of all steps of all plans.
#[derive(Clone, Copy, Debug)]
pub struct GruFactors<'a, S> {
    /// Rows of factors, shape `[N, H, factors]`, each as in [`GruSizes::factors`].
    pub rows: &'a [S],
    /// Number of steps, `H`.
    pub horizon: usize,
}

impl<'a, S> GruFactors<'a, S> {
    pub(super) fn at(&self, sizes: &GruSizes, b: usize, t: usize) -> Factors<'a, S> {
        let len = sizes.factors();
        Factors::split(sizes, &self.rows[(b * self.horizon + t) * len..][..len])
    }
}

/// The sizes beside the model's that a Jacobian's memory depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) plans: usize,
    pub(super) horizon: usize,
    pub(super) parts: usize,
}
