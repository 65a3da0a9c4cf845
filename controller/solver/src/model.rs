use crate::{Dims, Scalar};

/// The learned model of one plan, as the solver sees it.
///
/// `mu(z, a)` is the prior step with the stochastic part replaced by its mean (Eq. 6 of Rybkin et
/// al. 2021), `F_t = dmu/dz` and `B_t = dmu/da` its Jacobians at step `t`. The model keeps the
/// linearisation of the last [`Model::linearise`]; the solver then asks for products with it, so
/// that a model which knows its structure (see [`crate::GruJacobian`]) never forms a matrix.
///
/// All arrays are row-major.
///
/// # Real-time
/// The solver calls these inside its iteration: no allocation, no blocking.
pub trait Model<S: Scalar> {
    /// What can go wrong in an evaluation.
    type Error;

    /// Sizes of the plans this model evaluates.
    fn dims(&self) -> Dims;

    /// Prior means of all steps, and their linearisation kept inside.
    ///
    /// `states [H, n]` are `z_0..z_{H-1}`, `actions [H, na]`; writes `means [H, n]`, row `t` is
    /// `mu(z_t, a_t)`.
    ///
    /// # Errors
    /// The model could not be evaluated; the kept linearisation is then undefined.
    fn linearise(
        &mut self,
        states: &[S],
        actions: &[S],
        means: &mut [S],
    ) -> Result<(), Self::Error>;

    /// Predicted rewards and their gradients: `states [H, n]` are `z_1..z_H`; writes
    /// `rewards [H]` and `gradients [H, n]` (`dr/dz`).
    ///
    /// # Errors
    /// The model could not be evaluated.
    fn reward(
        &mut self,
        states: &[S],
        rewards: &mut [S],
        gradients: &mut [S],
    ) -> Result<(), Self::Error>;

    /// `k` adjoint products at step `t`: for each row `q` of `rows [k, n]` writes the row `F_t' q`
    /// of `states [k, n]` and the row `B_t' q` of `actions [k, na]`; `1 <= k <= H`. `states` is
    /// empty where only the actions are asked for (the first step: `z_0` is fixed).
    fn transpose_product(&mut self, t: usize, rows: &[S], states: &mut [S], actions: &mut [S]);

    /// Tangent product at step `t`: writes `F_t dz + B_t da` to `out [n]`.
    fn product(&mut self, t: usize, dz: &[S], da: &[S], out: &mut [S]);

    /// Dense Jacobians at step `t`: writes `state [n, n]` (`F_t`) and `action [n, na]` (`B_t`).
    /// Only the block-tridiagonal solver asks for them.
    fn jacobian(&mut self, t: usize, state: &mut [S], action: &mut [S]);
}
