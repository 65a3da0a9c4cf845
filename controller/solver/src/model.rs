use crate::{Crew, Cut, Dims, Scalar};

/// The learned model of some plans, as the solver sees it.
///
/// `mu(z, a)` is the prior step with the stochastic part replaced by its mean (Eq. 6 of Rybkin et
/// al. 2021), `F_t = dmu/dz` and `B_t = dmu/da` its Jacobians at step `t`. The model keeps the
/// linearisation of the last [`Model::evaluate`]; the solver then asks for products with it, so
/// that a model which knows its structure (see [`crate::GruJacobian`]) never forms a matrix.
///
/// `N` plans are evaluated and linearised at once, so that a model can read its weights once for
/// all. All arrays are row-major.
///
/// # Real-time
/// The solver calls these inside its iteration: no allocation, no blocking.
pub trait Model<S: Scalar> {
    /// Error of an evaluation.
    type Error;

    /// Sizes of the plans this model evaluates.
    fn dims(&self) -> Dims;

    /// Number of plans that are evaluated at once, `N`.
    fn plans(&self) -> usize {
        1
    }

    /// The way in which the columns of a state are cut for products with the transposed Jacobian.
    fn cut(&self, parts: usize) -> Cut {
        Cut::even(self.dims().state(), parts)
    }

    /// Evaluates the model along the plans and keeps the linearisation.
    ///
    /// # Errors
    /// An error when the model could not be evaluated; the kept linearisation is then undefined.
    fn evaluate<C: Crew>(
        &mut self,
        crew: &mut C,
        plans: &Trajectories<'_, S>,
        predictions: &mut Predictions<'_, S>,
    ) -> Result<(), Self::Error>;

    /// Computes `k` adjoint products at step `t` of each plan: for row `r` of plan `b` in the slabs' `rows
    /// [N, k, n]` writes `F_t' row` to row `r + 1` of plan `b` in their `states [N, k + 1, n]`, and `B_t'
    /// row` to row `r` of `actions [N, k, na]`; `k` is given by the length of `actions`, at most `H - t`, and
    /// as many more as a goal of the plans has rows.
    fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, S>],
        actions: &mut [S],
    );

    /// Computes the tangent products at step `t`: for each plan `b` writes `F_t dz + B_t da` to row `b` of
    /// `out [N, n]`. `states` are `dz [N, H + 1, n]`, of which row `t` is asked for, and `actions` `da [N, H,
    /// na]`.
    fn product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        states: &[S],
        actions: &[S],
        out: &mut [S],
    );

    /// Writes the dense Jacobians at step `t` of plan `b` to `state [n, n]` (`F_t`) and `action [n, na]`
    /// (`B_t`). Only the block-tridiagonal solver asks for them.
    fn jacobian(&mut self, b: usize, t: usize, state: &mut [S], action: &mut [S]);
}

/// Plans at which a model is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Trajectories<'a, S> {
    /// States `z_0..z_H`, shape `[N, H + 1, n]`.
    pub states: &'a [S],
    /// Actions `a_0..a_{H-1}`, shape `[N, H, na]`.
    pub actions: &'a [S],
}

/// Predictions of a model along plans.
#[derive(Debug)]
pub struct Predictions<'a, S> {
    /// Prior means `mu(z_t, a_t)` for `t = 0..H-1`, shape `[N, H, n]`.
    pub means: &'a mut [S],
    /// Rewards `r(z_t)` for `t = 1..H`, shape `[N, H]`.
    pub rewards: &'a mut [S],
    /// Gradients `dr/dz` at `z_t` for `t = 1..H`, shape `[N, H, n]`.
    pub gradients: &'a mut [S],
}

/// One part of the columns of many rows, see [`Model::transpose_product`].
#[derive(Debug)]
pub struct Slab<'a, S> {
    /// Index of the first of the columns.
    pub first: usize,
    /// Number of columns.
    pub width: usize,
    /// Elements from one row to the next; those after the columns are 0, and stay 0 if they are
    /// written.
    pub stride: usize,
    /// Rows to be multiplied, shape `[N, k, stride]`.
    pub rows: &'a [S],
    /// Products with `F_t'`, shape `[N, k + 1, stride]`; empty where only the actions are asked for (the
    /// first step: `z_0` is fixed).
    pub states: &'a mut [S],
}
