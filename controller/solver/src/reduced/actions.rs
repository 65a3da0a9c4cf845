//! The part of the system that concerns the actions alone: damping, limits and inequalities.
//!
//! Its matrix `W` is diagonal as long as no inequality is active: an action outside its limit has a row of its own. An active
//! inequality at step `t` with the slope `k` couples all actions up to `t`, of which it is a function through their sum:
//! `mu k k'` is added to each block `(s, s')` with `s, s' <= t`. Then the plan has a dense `W [H na, H na]`, which is
//! factorised; the rewards still are the only unknowns of the reduced system.
//!
//! Which inequalities are active is not known before the step: a step that runs into one has to be made again with it, and one
//! that leaves it without it. That is Newton's method on the squares `mu max(0, residual + k' (da_0 + .. + da_t))^2`, which are
//! smooth but for their kinks.

use super::layout::{block, rows_through};
use crate::kernels::cholesky;
use crate::kernels::vector::{add_row_product, add_scaled, dot};
use crate::problem::{LinearProblem, PlanFaults, excess};
use crate::workspace::{Parts, take_parts};
use crate::{MAX_PLANS, Scalar, Shape};

/// The part of the system that concerns the actions, of each plan.
pub(super) struct ActionSystem<'a, S> {
    /// The diagonal `W_t^-1` of every step without inequalities, shape `[N, H, na]`.
    inverse: &'a mut [S],
    /// The gradient `q_t` of every step, shape `[N, H, na]`.
    gradient: &'a mut [S],
    /// The factors of `W` where inequalities are active, shape `[N, H na, H na]`.
    factor: &'a mut [S],
    /// The rows of rewards and goal of one plan, solved with the factor, shape `[R, H na]`.
    solved: &'a mut [S],
    /// A vector solved with the factor, shape `[H na]`.
    vector: &'a mut [S],
    /// The sum of `mu k k'` over the later steps, shape `[na, na]`.
    outer: &'a mut [S],
    /// Which plans have active inequalities.
    coupled: [bool; MAX_PLANS],
}

impl<'a, S: Scalar> ActionSystem<'a, S> {
    /// Lengths of the parts of its memory.
    pub(super) fn lens(shape: &Shape) -> [usize; 6] {
        let Shape { dims, plans, .. } = *shape;
        let actions = dims.actions_len();
        let coupled = usize::from(shape.inequalities > 0);
        [
            plans * actions,
            plans * actions,
            coupled * plans * actions * actions,
            coupled * shape.most_rows() * actions,
            coupled * actions,
            coupled * dims.action * dims.action,
        ]
    }

    pub(super) fn split(shape: &Shape, parts: &mut Parts<'a, S>) -> Self {
        take_parts!(parts, Self::lens(shape), Self {
            inverse, gradient, factor, solved, vector, outer;
            coupled: [false; MAX_PLANS]
        })
    }

    /// Writes 1 to `active` for every inequality that the changes `[N, H, na]` of the actions would leave violated, and 0 for
    /// the others; returns whether that is another set than the one before.
    pub(super) fn activate(
        problem: &LinearProblem<'_, S>,
        changes: Option<&[S]>,
        active: &mut [S],
    ) -> bool {
        let (dims, rows) = (problem.shape.dims, problem.shape.inequalities);
        let (h, na) = (dims.horizon, dims.action);
        let mut is_other = false;
        for (i, active) in active.iter_mut().enumerate() {
            let mut residual = problem.inequality_residual(i);
            if let Some(changes) = changes {
                let (index, slope) = (i / rows, &problem.inequality_slopes[i * na..][..na]);
                let first = index / h * h;
                for change in changes[first * na..(index + 1) * na].chunks_exact(na) {
                    residual += dot(slope, change);
                }
            }
            let new = if residual > S::ZERO { S::ONE } else { S::ZERO };
            is_other |= new != *active;
            *active = new;
        }
        is_other
    }

    /// Computes `W` and `q` of every plan with the inequalities that are `active`; a plan whose `W` is not positive definite is
    /// noted in `faults`.
    pub(super) fn prepare(
        &mut self,
        problem: &LinearProblem<'_, S>,
        active: &[S],
        faults: &mut PlanFaults,
    ) {
        let Shape { dims, plans, .. } = problem.shape;
        for (i, &action) in problem.actions.iter().enumerate() {
            let multiplier = problem.action_multipliers[i / dims.action];
            let damping = problem.scales[i / dims.actions_len()].damping;
            (self.inverse[i], self.gradient[i]) = match excess(action, problem.action_limit) {
                Some((excess, sign)) => {
                    (S::ONE / (damping + multiplier), multiplier * excess * sign)
                }
                None => (S::ONE / damping, S::ZERO),
            };
        }
        for b in 0..plans {
            let of_plan = problem.shape.inequalities_of(b);
            self.coupled[b] = false;
            if active[of_plan].iter().any(|&active| active > S::ZERO) {
                self.couple(problem, b, active);
                let size = dims.actions_len();
                let factor = &mut self.factor[b * size * size..][..size * size];
                match cholesky::factorise(factor, size) {
                    Ok(()) => self.coupled[b] = true,
                    Err(stage) => faults.set(b, stage),
                }
            }
        }
    }

    /// Adds the active inequalities of plan `b` to its gradient, and writes its matrix.
    fn couple(&mut self, problem: &LinearProblem<'_, S>, b: usize, active: &[S]) {
        let (dims, rows) = (problem.shape.dims, problem.shape.inequalities);
        let (h, na, size) = (dims.horizon, dims.action, dims.actions_len());
        let weight = problem.inequality_weight;
        let first = problem.shape.inequalities_of(b).start;
        self.outer.fill(S::ZERO);
        // the gradient of the later steps, which are functions of this step's actions as well
        let pull = &mut self.vector[..na];
        pull.fill(S::ZERO);
        for t in (0..h).rev() {
            let of_step = first + t * rows..first + (t + 1) * rows;
            for i in of_step.filter(|&i| active[i] > S::ZERO) {
                let slope = &problem.inequality_slopes[i * na..][..na];
                add_scaled(pull, weight * problem.inequality_residual(i), slope);
                for (line, &factor) in self.outer.chunks_exact_mut(na).zip(slope) {
                    add_scaled(line, weight * factor, slope);
                }
            }
            let at = b * size + t * na;
            add_scaled(&mut self.gradient[at..][..na], S::ONE, pull);
            for j in 0..na {
                let line = &mut self.factor[(at + j) * size..][..(t + 1) * na];
                for block in line.chunks_exact_mut(na) {
                    block.copy_from_slice(&self.outer[j * na..][..na]);
                }
                line[t * na + j] += S::ONE / self.inverse[at + j];
            }
        }
    }

    /// Adds what the actions contribute to the matrix `I + K [R, R]` of each plan and to its right-hand side `rho - b`. `rows` are
    /// the products of the reward rows with `B_t`.
    pub(super) fn add_to(
        &mut self,
        problem: &LinearProblem<'_, S>,
        rows: &[S],
        matrix: &mut [S],
        right: &mut [S],
    ) {
        let size = problem.rows();
        for b in 0..problem.shape.plans {
            let matrix = &mut matrix[b * size * size..][..size * size];
            let right = &mut right[b * size..][..size];
            if self.coupled[b] {
                self.add_coupled(problem, b, rows, matrix, right);
            } else {
                self.add_diagonal(problem, b, rows, matrix, right);
            }
        }
    }

    fn add_diagonal(
        &self,
        problem: &LinearProblem<'_, S>,
        b: usize,
        rows: &[S],
        matrix: &mut [S],
        right: &mut [S],
    ) {
        let (h, na) = (problem.shape.dims.horizon, problem.shape.dims.action);
        let size = problem.rows();
        for t in 0..h {
            let index = b * h + t;
            let (rows_of_step, _) = block(problem, index, na);
            let rows = &rows[rows_of_step];
            let inverse = &self.inverse[index * na..][..na];
            let gradient = &self.gradient[index * na..][..na];
            for r in 0..size - t {
                let row = &rows[r * na..][..na];
                let y = &mut right[t + r];
                for j in 0..na {
                    *y -= row[j] * inverse[j] * gradient[j];
                }
                let line = &mut matrix[(t + r) * size + t..][..=r];
                for (entry, other) in line.iter_mut().zip(rows.chunks_exact(na)) {
                    for j in 0..na {
                        *entry += row[j] * inverse[j] * other[j];
                    }
                }
            }
        }
    }

    fn add_coupled(
        &mut self,
        problem: &LinearProblem<'_, S>,
        b: usize,
        rows: &[S],
        matrix: &mut [S],
        right: &mut [S],
    ) {
        let dims = problem.shape.dims;
        let (h, na, size) = (dims.horizon, dims.action, dims.actions_len());
        let rows_of_plan = problem.rows();
        let factor = &self.factor[b * size * size..][..size * size];
        let solved = &mut self.solved[..rows_of_plan * size];
        solved.fill(S::ZERO);
        for t in 0..h {
            let (rows_of_step, _) = block(problem, b * h + t, na);
            for (r, row) in rows[rows_of_step].chunks_exact(na).enumerate() {
                solved[(t + r) * size + t * na..][..na].copy_from_slice(row);
            }
        }
        cholesky::solve_rows(factor, size, solved);
        self.vector
            .copy_from_slice(&self.gradient[b * size..][..size]);
        cholesky::solve_row(factor, size, size, self.vector);
        for (r, row) in solved.chunks_exact(size).enumerate() {
            right[r] -= dot(row, self.vector);
            let others = solved.chunks_exact(size);
            for (entry, other) in matrix[r * rows_of_plan..][..=r].iter_mut().zip(others) {
                *entry += dot(row, other);
            }
        }
    }

    /// Writes the changes of the actions `[N, H, na]`, `-W^-1 (q + B' p)`, for the solutions `y [N, R]`.
    pub(super) fn changes(
        &self,
        problem: &LinearProblem<'_, S>,
        rows: &[S],
        y: &[S],
        changes: &mut [S],
    ) {
        let (na, size) = (problem.shape.dims.action, problem.shape.dims.actions_len());
        for (index, change) in changes.chunks_exact_mut(na).enumerate() {
            let (elements, of_step) = block(problem, index, na);
            change.copy_from_slice(&self.gradient[index * na..][..na]);
            add_row_product(change, &y[of_step], &rows[elements]);
        }
        for (b, change) in changes.chunks_exact_mut(size).enumerate() {
            if self.coupled[b] {
                cholesky::solve(&self.factor[b * size * size..][..size * size], size, change);
                change.iter_mut().for_each(|change| *change = -*change);
            } else {
                for (change, &inverse) in change.iter_mut().zip(&self.inverse[b * size..]) {
                    *change = -(*change * inverse);
                }
            }
        }
    }
}

/// Number of elements of the products of all reward rows with `B_t`, of one plan.
pub(super) const fn rows_len(shape: &Shape) -> usize {
    let horizon = shape.dims.horizon;
    rows_through(horizon, shape.most_rows() - horizon, 0) * shape.dims.action
}
