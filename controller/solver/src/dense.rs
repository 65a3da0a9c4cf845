use crate::kernels::vector::{add_row_product, dot};
use crate::{Dims, Scalar};

/// Products with the dense Jacobians of one step, for models that have them as matrices.
#[derive(Clone, Copy, Debug)]
pub struct DenseJacobian<'a, S> {
    dims: Dims,
    state: &'a [S],
    action: &'a [S],
}

impl<'a, S: Scalar> DenseJacobian<'a, S> {
    /// Step `t` of `state [H, n, n]` (`dmu/dz`) and `action [H, n, na]` (`dmu/da`).
    pub fn at(dims: Dims, state: &'a [S], action: &'a [S], t: usize) -> Self {
        let (n, na) = (dims.state(), dims.action);
        Self {
            dims,
            state: &state[t * n * n..][..n * n],
            action: &action[t * n * na..][..n * na],
        }
    }

    /// As [`crate::Model::transpose_product`].
    pub fn transpose_product(&self, rows: &[S], states: &mut [S], actions: &mut [S]) {
        let (n, na) = (self.dims.state(), self.dims.action);
        for (q, out) in rows.chunks_exact(n).zip(states.chunks_exact_mut(n)) {
            out.fill(S::ZERO);
            add_row_product(out, q, self.state);
        }
        for (q, out) in rows.chunks_exact(n).zip(actions.chunks_exact_mut(na)) {
            out.fill(S::ZERO);
            add_row_product(out, q, self.action);
        }
    }

    /// As [`crate::Model::product`].
    pub fn product(&self, dz: &[S], da: &[S], out: &mut [S]) {
        let rows = self
            .state
            .chunks_exact(dz.len())
            .zip(self.action.chunks_exact(da.len()));
        for (out, (state, action)) in out.iter_mut().zip(rows) {
            *out = dot(state, dz) + dot(action, da);
        }
    }

    /// As [`crate::Model::jacobian`].
    pub fn jacobian(&self, state: &mut [S], action: &mut [S]) {
        state.copy_from_slice(self.state);
        action.copy_from_slice(self.action);
    }
}
