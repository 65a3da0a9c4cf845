use heapless::Vec;

use crate::crew::MAX_PARTS;
use crate::kernels::vector::{add_row_product, dot};
use crate::{Crew, Dims, Scalar, Slab};

/// Products with dense Jacobians, for models that have them as matrices.
#[derive(Clone, Copy, Debug)]
pub struct DenseJacobian<'a, S> {
    /// Sizes of each plan.
    pub dims: Dims,
    /// The Jacobians `dmu/dz`, shape `[N, H, n, n]`.
    pub state: &'a [S],
    /// The Jacobians `dmu/da`, shape `[N, H, n, na]`.
    pub action: &'a [S],
}

impl<'a, S: Scalar> DenseJacobian<'a, S> {
    /// The Jacobians `F_t` and `B_t` of plan `b`.
    fn at(&self, b: usize, t: usize) -> (&'a [S], &'a [S]) {
        let (n, na) = (self.dims.state(), self.dims.action);
        let i = b * self.dims.horizon + t;
        (
            &self.state[i * n * n..][..n * n],
            &self.action[i * n * na..][..n * na],
        )
    }

    /// Does what [`crate::Model::transpose_product`] asks for.
    pub fn transpose_product<C: Crew>(
        &self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, S>],
        actions: &mut [S],
    ) {
        let (n, na) = (self.dims.state(), self.dims.action);
        let rows = actions.len() / na;
        let all: Vec<_, MAX_PARTS> = slabs
            .iter()
            .map(|slab| (slab.first, slab.width, slab.stride, slab.rows))
            .collect();
        let plans = self.state.len() / (self.dims.horizon * n * n);
        let k = rows / plans;

        crew.each(slabs, |_, slab| {
            if slab.states.is_empty() {
                return;
            }
            for row in 0..rows {
                let (b, own) = (row / k, slab.first..slab.first + slab.width);
                let out = &mut slab.states[(row + b + 1) * slab.stride..][..slab.width];
                out.fill(S::ZERO);
                for &(first, width, stride, memory) in &all {
                    let q = &memory[row * stride..][..width];
                    for (i, &q) in q.iter().enumerate() {
                        let line = &self.at(b, t).0[(first + i) * n..][own.clone()];
                        for (out, &x) in out.iter_mut().zip(line) {
                            *out += q * x;
                        }
                    }
                }
            }
        });
        for (row, out) in actions.chunks_exact_mut(na).enumerate() {
            out.fill(S::ZERO);
            for &(first, width, stride, memory) in &all {
                let lines = &self.at(row / k, t).1[first * na..(first + width) * na];
                add_row_product(out, &memory[row * stride..][..width], lines);
            }
        }
    }

    /// Does what [`crate::Model::product`] asks for.
    pub fn product(&self, t: usize, states: &[S], actions: &[S], out: &mut [S]) {
        let (n, na, h) = (self.dims.state(), self.dims.action, self.dims.horizon);
        for (b, out) in out.chunks_exact_mut(n).enumerate() {
            let (state, action) = self.at(b, t);
            let dz = &states[(b * (h + 1) + t) * n..][..n];
            let da = &actions[(b * h + t) * na..][..na];
            let rows = state.chunks_exact(n).zip(action.chunks_exact(na));
            for (out, (state, action)) in out.iter_mut().zip(rows) {
                *out = dot(state, dz) + dot(action, da);
            }
        }
    }

    /// Does what [`crate::Model::jacobian`] asks for.
    pub fn jacobian(&self, b: usize, t: usize, state: &mut [S], action: &mut [S]) {
        let (own_state, own_action) = self.at(b, t);
        state.copy_from_slice(own_state);
        action.copy_from_slice(own_action);
    }
}
