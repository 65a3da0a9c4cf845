//! The published solver: Cholesky factorisation of the block-tridiagonal Gauss-Newton system.
//!
//! Variables are `x_t = (z_t, a_t)` and, last, `z_H`; the first state is one of them, pinned to the
//! anchor by a weight of 1000. `x_t` meets `x_{t+1}` only in the dynamics rows, so the matrix has
//! blocks on the diagonal and beside it:
//!
//! ```text
//! A_t = delta I + lambda_t [F B]'[F B] + (lambda_{t-1} I + g_t g_t' on z_t) + (nu_t on active a_t)
//! C_t = -lambda_t [F_t B_t]            between z_{t+1} and x_t
//! ```
//!
//! This is the reference: it reproduces the authors' figures in `f64`.

use crate::kernels::cholesky;
use crate::kernels::vector::{add_row_product, add_scaled, dot};
use crate::solver::{LinearProblem, LinearSolver, excess};
use crate::workspace::Parts;
use crate::{Dims, Model, Scalar};

/// The published block-tridiagonal solver: `O(H (n + na)^3)` work, `O(H (n + na)^2)` memory.
#[derive(Clone, Copy, Debug)]
pub struct BlockTridiagonal;

/// Weight of the residual that pins the first state. It is not divided by the normaliser as the
/// others are.
const PIN: f64 = 1000.0;

impl LinearSolver for BlockTridiagonal {
    const MOVES_ANCHOR: bool = true;

    fn scratch_len(dims: &Dims) -> usize {
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        let width = n + na;
        h * (width * width + n * width) + n * n + h * width + n + n * n + n * na
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
        let width = n + na;
        let mut parts = Parts::new(scratch);
        // A_t, then its factor L_t; the last one is [n, n]
        let diagonal = parts.take(h * width * width + n * n);
        // C_t, then X_t = C_t L_t'^-1
        let coupling = parts.take(h * n * width);
        // right-hand sides, then the solution
        let x = parts.take(h * width + n);
        let jacobian_state = parts.take(n * n);
        let jacobian_action = parts.take(n * na);

        let last = h * width * width;
        diagonal.fill(S::ZERO);
        for (t, block) in diagonal[..last].chunks_exact_mut(width * width).enumerate() {
            state_terms(problem, t, width, block, &mut x[t * width..][..n]);
            action_terms(problem, t, block, &mut x[t * width + n..][..na]);
        }
        state_terms(problem, h, n, &mut diagonal[last..], &mut x[h * width..]);

        for t in 0..h {
            let (block, next) = diagonal[t * width * width..].split_at_mut(width * width);
            let coupling = &mut coupling[t * n * width..][..n * width];
            let (now, later) = x[t * width..].split_at_mut(width);

            // [F B], its share of A_t and of the right-hand side, then C_t
            model.jacobian(t, jacobian_state, jacobian_action);
            for (row, (state, action)) in coupling.chunks_exact_mut(width).zip(
                jacobian_state
                    .chunks_exact(n)
                    .zip(jacobian_action.chunks_exact(na)),
            ) {
                row[..n].copy_from_slice(state);
                row[n..].copy_from_slice(action);
            }
            let multiplier = problem.dynamics_multipliers[t];
            for (row, &defect) in coupling
                .chunks_exact(width)
                .zip(&problem.defects[t * n..][..n])
            {
                add_scaled(now, multiplier * defect, row);
            }
            add_gram(block, multiplier, coupling, width);
            coupling.iter_mut().for_each(|value| *value *= -multiplier);

            cholesky::factorise(block, width).map_err(|_| t)?;
            cholesky::solve_rows(block, width, coupling);
            let next_width = if t + 1 < h { width } else { n };
            cholesky::subtract_outer(next, next_width, coupling, width);
            cholesky::solve_row(block, width, width, now);
            for (value, row) in later.iter_mut().zip(coupling.chunks_exact(width)) {
                *value -= dot(row, now);
            }
        }
        cholesky::factorise(&mut diagonal[last..], n).map_err(|_| h)?;
        cholesky::solve(&diagonal[last..], n, &mut x[h * width..]);

        states[h * n..].copy_from_slice(&x[h * width..]);
        for t in (0..h).rev() {
            let (now, later) = x[t * width..].split_at_mut(width);
            // x_t = L_t'^-1 (y_t - X_t' dz_{t+1}); the sign is turned for the sum
            let rows = &coupling[t * n * width..][..n * width];
            now.iter_mut().for_each(|value| *value = -*value);
            add_row_product(now, &later[..n], rows);
            now.iter_mut().for_each(|value| *value = -*value);
            cholesky::solve_transposed(&diagonal[t * width * width..], width, now);
            states[t * n..][..n].copy_from_slice(&now[..n]);
            actions[t * na..][..na].copy_from_slice(&now[n..]);
        }
        Ok(())
    }
}

/// Terms of `z_t` alone: damping, the pin or the dynamics row that ends here, the reward row.
fn state_terms<S: Scalar>(
    problem: &LinearProblem<'_, S>,
    t: usize,
    width: usize,
    block: &mut [S],
    rhs: &mut [S],
) {
    let n = rhs.len();
    let (weight, defect) = if t == 0 {
        let pin = S::from_f64(PIN) * problem.normaliser;
        (pin * pin, problem.anchor_defect)
    } else {
        (
            problem.dynamics_multipliers[t - 1],
            &problem.defects[(t - 1) * n..][..n],
        )
    };
    for i in 0..n {
        block[i * width + i] = problem.damping + weight;
        rhs[i] = -(weight * defect[i]);
    }
    if t > 0 {
        let gradient = &problem.gradients[(t - 1) * n..][..n];
        let residual = problem.residuals[t - 1];
        for i in 0..n {
            add_scaled(&mut block[i * width..][..=i], gradient[i], gradient);
            rhs[i] -= residual * gradient[i];
        }
    }
}

/// Terms of `a_t` alone: damping and the limits that are exceeded.
fn action_terms<S: Scalar>(
    problem: &LinearProblem<'_, S>,
    t: usize,
    block: &mut [S],
    rhs: &mut [S],
) {
    let na = rhs.len();
    let width = problem.dims.state() + na;
    let multiplier = problem.action_multipliers[t];
    for (j, rhs) in rhs.iter_mut().enumerate() {
        let i = problem.dims.state() + j;
        let diagonal = &mut block[i * width + i];
        *diagonal = problem.damping;
        *rhs = S::ZERO;
        if let Some((excess, sign)) = excess(problem.actions[t * na + j], problem.action_limit) {
            *diagonal += multiplier;
            *rhs = -(multiplier * excess * sign);
        }
    }
}

/// Adds `weight * rows' rows` to the lower triangle of `block [width, width]`.
fn add_gram<S: Scalar>(block: &mut [S], weight: S, rows: &[S], width: usize) {
    let mut quads = rows.chunks_exact(4 * width);
    for quad in &mut quads {
        let (row0, rest) = quad.split_at(width);
        let (row1, rest) = rest.split_at(width);
        let (row2, row3) = rest.split_at(width);
        for (i, line) in block.chunks_exact_mut(width).enumerate() {
            let line = &mut line[..=i];
            let factors = [row0[i], row1[i], row2[i], row3[i]].map(|value| weight * value);
            for (j, value) in line.iter_mut().enumerate() {
                *value += (factors[0] * row0[j] + factors[1] * row1[j])
                    + (factors[2] * row2[j] + factors[3] * row3[j]);
            }
        }
    }
    for row in quads.remainder().chunks_exact(width) {
        for (i, line) in block.chunks_exact_mut(width).enumerate() {
            add_scaled(&mut line[..=i], weight * row[i], row);
        }
    }
}
