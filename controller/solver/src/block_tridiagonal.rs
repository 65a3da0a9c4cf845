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
use crate::problem::{Change, LinearProblem, LinearSolver, PlanFaults, excess};
use crate::workspace::{Parts, total};
use crate::{Crew, Model, Scalar, Shape};

/// The published block-tridiagonal solver: `O(H (n + na)^3)` work, `O(H (n + na)^2)` memory.
#[derive(Clone, Copy, Debug)]
pub struct BlockTridiagonal;

/// Weight of the residual that pins the first state. It is not divided by the normaliser as the
/// others are.
const PIN: f64 = 1000.0;

impl LinearSolver for BlockTridiagonal {
    const MOVES_ANCHOR: bool = true;
    /// An inequality couples the actions of all steps before it, which the band has no room for.
    const TAKES_INEQUALITIES: bool = false;

    fn scratch_len(shape: &Shape) -> usize {
        let dims = &shape.dims;
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        let width = n + na;
        total([
            h * width * width + n * n,
            h * n * width,
            h * width + n,
            n * n,
            n * na,
        ])
    }

    fn solve<S: Scalar, M: Model<S>, C: Crew>(
        problem: &LinearProblem<'_, S>,
        _crew: &mut C,
        model: &mut M,
        scratch: &mut [S],
        change: Change<'_, S>,
        faults: &mut PlanFaults,
    ) {
        let dims = &problem.shape.dims;
        for (b, (states, actions)) in (change.states)
            .chunks_exact_mut(dims.states_len())
            .zip(change.actions.chunks_exact_mut(dims.actions_len()))
            .enumerate()
        {
            let system = System { problem, b };
            if let Err(stage) = system.solve(model, scratch, states, actions) {
                faults.set(b, stage);
            }
        }
    }
}

/// The system of plan `b`.
struct System<'a, 'b, S> {
    problem: &'a LinearProblem<'b, S>,
    b: usize,
}

impl<S: Scalar> System<'_, '_, S> {
    fn multiplier(&self, t: usize) -> S {
        self.problem.dynamics_multipliers[self.b * self.problem.shape.dims.horizon + t]
    }

    /// The defect `z_{t+1} - mu(z_t, a_t)`, shape `[n]`.
    fn defect(&self, t: usize) -> &[S] {
        let dims = &self.problem.shape.dims;
        &self.problem.defects[(self.b * dims.horizon + t) * dims.state()..][..dims.state()]
    }

    /// # Errors
    /// The stage at which the factorisation found no positive pivot.
    fn solve<M: Model<S>>(
        &self,
        model: &mut M,
        scratch: &mut [S],
        states: &mut [S],
        actions: &mut [S],
    ) -> Result<(), usize> {
        let dims = &self.problem.shape.dims;
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
            self.state_terms(t, width, block, &mut x[t * width..][..n]);
            self.action_terms(t, block, &mut x[t * width + n..][..na]);
        }
        self.state_terms(h, n, &mut diagonal[last..], &mut x[h * width..]);

        for t in 0..h {
            let (block, next) = diagonal[t * width * width..].split_at_mut(width * width);
            let coupling = &mut coupling[t * n * width..][..n * width];
            let (now, later) = x[t * width..].split_at_mut(width);

            // [F B], its share of A_t and of the right-hand side, then C_t
            model.jacobian(self.b, t, jacobian_state, jacobian_action);
            for (row, (state, action)) in coupling.chunks_exact_mut(width).zip(
                jacobian_state
                    .chunks_exact(n)
                    .zip(jacobian_action.chunks_exact(na)),
            ) {
                row[..n].copy_from_slice(state);
                row[n..].copy_from_slice(action);
            }
            let multiplier = self.multiplier(t);
            for (row, &defect) in coupling.chunks_exact(width).zip(self.defect(t)) {
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

    /// Adds the terms of `z_t` alone: damping, the pin or the dynamics row that ends here, the reward row.
    fn state_terms(&self, t: usize, width: usize, block: &mut [S], rhs: &mut [S]) {
        let problem = self.problem;
        let scales = &problem.scales[self.b];
        let n = rhs.len();
        let (weight, defect) = if t == 0 {
            let pin = S::from_f64(PIN) * scales.normaliser;
            (pin * pin, &problem.anchor_defect[self.b * n..][..n])
        } else {
            (self.multiplier(t - 1), self.defect(t - 1))
        };
        for i in 0..n {
            block[i * width + i] = scales.damping + weight;
            rhs[i] = -(weight * defect[i]);
        }
        if t == problem.shape.dims.horizon && problem.goal_rows() > 0 {
            let slope = problem.goal_slope;
            let rows = problem.goal_rows();
            for i in 0..rows {
                block[i * width + i] += slope * slope;
                rhs[i] -= slope * problem.goal_residuals[self.b * rows + i];
            }
        }
        if t > 0 {
            let reward = self.b * problem.shape.dims.horizon + t - 1;
            let gradient = &problem.gradients[reward * n..][..n];
            let residual = problem.residuals[reward];
            for i in 0..n {
                add_scaled(&mut block[i * width..][..=i], gradient[i], gradient);
                rhs[i] -= residual * gradient[i];
            }
        }
    }

    /// Adds the terms of `a_t` alone: damping and the limits that are exceeded.
    fn action_terms(&self, t: usize, block: &mut [S], rhs: &mut [S]) {
        let problem = self.problem;
        let (n, na) = (problem.shape.dims.state(), rhs.len());
        let width = n + na;
        let step = self.b * problem.shape.dims.horizon + t;
        let multiplier = problem.action_multipliers[step];
        for (j, rhs) in rhs.iter_mut().enumerate() {
            let diagonal = &mut block[(n + j) * width + n + j];
            *diagonal = problem.scales[self.b].damping;
            *rhs = S::ZERO;
            let action = problem.actions[step * na + j];
            if let Some((excess, sign)) = excess(action, problem.action_limit) {
                *diagonal += multiplier;
                *rhs = -(multiplier * excess * sign);
            }
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
