//! The reduced solver: one unknown per reward instead of one per state element.
//!
//! With the defect change `w_t` and the action change `da_t` as unknowns,
//! `dz_{t+1} = F_t dz_t + B_t da_t + w_t`, only the H reward rows couple them. The step that minimises
//!
//! ```text
//! sum_t lambda_t |w_t + d_t|^2 + delta |w_t|^2
//!     + nu_t |excess_t + sign_t da_t|^2 (active actions) + delta |da_t|^2
//!     + sum_t (rho_t + g_t' dz_t)^2
//! ```
//!
//! follows from an H x H system, whose matrix is built from reward gradients propagated backward.
//! This is a Levenberg-Marquardt step with the same residuals as the block-tridiagonal one and the
//! damping in the metric of `(w, a)` instead of `(z, a)`.

use crate::kernels::cholesky;
use crate::kernels::vector::{add_row_product, add_scaled, dot};
use crate::solver::{LinearProblem, LinearSolver, excess};
use crate::workspace::Parts;
use crate::{Dims, Model, Scalar};

/// The reduced solver: `O(n^2 H^2)` work or less, `O(n H^2)` memory. The default.
#[derive(Clone, Copy, Debug)]
pub struct Reduced;

/// Rows of all blocks `Q_{H-1}, Q_{H-2}, .., Q_t`, which lie in this order and have
/// `1, 2, .., H - t` rows.
const fn rows_through(horizon: usize, t: usize) -> usize {
    (horizon - t) * (horizon - t + 1) / 2
}

impl LinearSolver for Reduced {
    const MOVES_ANCHOR: bool = false;

    fn scratch_len(dims: &Dims) -> usize {
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        rows_through(h, 0) * (n + na) + h * h + h + 2 * h * na + n + na
    }

    fn solve<S: Scalar, M: Model<S>>(
        problem: &LinearProblem<'_, S>,
        model: &mut M,
        scratch: &mut [S],
        states: &mut [S],
        actions: &mut [S],
    ) -> Result<(), usize> {
        let dims = &problem.dims;
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        let mut parts = Parts::new(scratch);
        // Row r of block t is the gradient of reward t + r + 1 with respect to z_{t+1}, and its
        // product with B_t.
        let state_rows = parts.take(rows_through(h, 0) * n);
        let action_rows = parts.take(rows_through(h, 0) * na);
        let matrix = parts.take(h * h);
        let y = parts.take(h);
        // W_t^-1 and q_t of every step
        let action_inverse = parts.take(h * na);
        let action_gradient = parts.take(h * na);
        let state_scratch = parts.take(n);
        let action_scratch = parts.take(na);

        action_terms(problem, action_inverse, action_gradient);
        matrix.fill(S::ZERO);
        for (i, (y, &residual)) in y.iter_mut().zip(problem.residuals).enumerate() {
            matrix[i * h + i] = S::ONE;
            *y = residual;
        }

        state_rows[..n].copy_from_slice(&problem.gradients[(h - 1) * n..]);
        for t in (0..h).rev() {
            let (newer, older) = state_rows.split_at_mut(rows_through(h, t) * n);
            let rows = &newer[rows_through(h, t + 1) * n..];
            let from_actions =
                &mut action_rows[rows_through(h, t + 1) * na..rows_through(h, t) * na];
            let propagated = if t > 0 {
                let (gradient, propagated) = older[..(h - t + 1) * n].split_at_mut(n);
                gradient.copy_from_slice(&problem.gradients[(t - 1) * n..][..n]);
                propagated
            } else {
                &mut []
            };
            model.transpose_product(t, rows, propagated, from_actions);

            let (inverse_alpha, scale) = dynamics_terms(problem, t);
            // c_t
            for (c, &defect) in state_scratch.iter_mut().zip(&problem.defects[t * n..]) {
                *c = scale * defect;
            }
            let action_inverse = &action_inverse[t * na..][..na];
            let action_gradient = &action_gradient[t * na..][..na];
            for (r, (row, action_row)) in rows
                .chunks_exact(n)
                .zip(from_actions.chunks_exact(na))
                .enumerate()
            {
                for (scaled, (&x, &inverse)) in action_scratch
                    .iter_mut()
                    .zip(action_row.iter().zip(action_inverse))
                {
                    *scaled = x * inverse;
                }
                y[t + r] -= dot(row, state_scratch) + dot(action_scratch, action_gradient);
                let line = &mut matrix[(t + r) * h + t..][..=r];
                for ((entry, other), other_action) in line
                    .iter_mut()
                    .zip(rows.chunks_exact(n))
                    .zip(from_actions.chunks_exact(na))
                {
                    *entry += inverse_alpha * dot(row, other) + dot(action_scratch, other_action);
                }
            }
        }

        cholesky::factorise(matrix, h)?;
        cholesky::solve(matrix, h, y);

        states[..n].fill(S::ZERO);
        for t in 0..h {
            let first = rows_through(h, t + 1);
            let last = rows_through(h, t);
            let (inverse_alpha, scale) = dynamics_terms(problem, t);

            let change = &mut actions[t * na..][..na];
            change.copy_from_slice(&action_gradient[t * na..][..na]);
            add_row_product(change, &y[t..], &action_rows[first * na..last * na]);
            for (change, &inverse) in change.iter_mut().zip(&action_inverse[t * na..]) {
                *change = -(*change * inverse);
            }

            let p = &mut *state_scratch;
            p.fill(S::ZERO);
            add_row_product(p, &y[t..], &state_rows[first * n..last * n]);

            let (now, next) = states[t * n..].split_at_mut(n);
            let next = &mut next[..n];
            model.product(t, now, change, next);
            add_scaled(next, -inverse_alpha, p);
            add_scaled(next, -scale, &problem.defects[t * n..][..n]);
        }
        Ok(())
    }
}

/// `1 / alpha_t` and `lambda_t / alpha_t`, `alpha_t = lambda_t + delta`.
fn dynamics_terms<S: Scalar>(problem: &LinearProblem<'_, S>, t: usize) -> (S, S) {
    let multiplier = problem.dynamics_multipliers[t];
    let inverse = S::ONE / (multiplier + problem.damping);
    (inverse, multiplier * inverse)
}

/// The diagonal `W_t^-1` and the gradient `q_t` of the action rows, of every step.
fn action_terms<S: Scalar>(problem: &LinearProblem<'_, S>, inverse: &mut [S], gradient: &mut [S]) {
    let na = problem.dims.action;
    for (i, &action) in problem.actions.iter().enumerate() {
        let multiplier = problem.action_multipliers[i / na];
        (inverse[i], gradient[i]) = match excess(action, problem.action_limit) {
            Some((excess, sign)) => (
                S::ONE / (problem.damping + multiplier),
                multiplier * excess * sign,
            ),
            None => (S::ONE / problem.damping, S::ZERO),
        };
    }
}
