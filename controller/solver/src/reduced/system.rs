//! The reduced solver: one unknown per reward instead of one per state element, and one per element of a goal.
//!
//! With the defect change `w_t` and the action change `da_t` as unknowns,
//! `dz_{t+1} = F_t dz_t + B_t da_t + w_t`, only the rows of rewards and goal couple them. The step that minimises
//!
//! ```text
//! sum_t lambda_t |w_t + d_t|^2 + delta |w_t|^2
//!     + nu_t |excess_t + sign_t da_t|^2 (active actions) + delta |da_t|^2
//!     + mu |residual_i + k_i' (da_0 + .. + da_t)|^2 (active inequalities)
//!     + sum_t (rho_t + g_t' dz_t)^2
//!     + weight |z_H + dz_H - goal|^2 (with a goal)
//! ```
//!
//! follows from an R x R system, whose matrix is built from reward gradients propagated backward. R is H, and H + m with a
//! goal of m elements of a state, whose rows begin at the last state as the last reward's does.
//! This is a Levenberg-Marquardt step with the same residuals as the block-tridiagonal one and the
//! damping in the metric of `(w, a)` instead of `(z, a)`.

use heapless::Vec;

use super::actions::{ActionSystem, rows_len};
use super::layout::{block, rows_through};
use crate::crew::{Cut, MAX_PARTS};
use crate::kernels::cholesky;
use crate::kernels::gram::{add_gram, subtract_products, weighted_sum};
use crate::kernels::lanes::{LANES, padded};
use crate::kernels::vector::add_scaled;
use crate::problem::{Change, LinearProblem, LinearSolver, PlanFaults};
use crate::workspace::{Parts, total};
use crate::{Crew, Model, Scalar, Shape, Slab};

/// The reduced solver, which is the default: at most `O(n^2 H^2)` work and `O(n H^2)` memory a plan.
#[derive(Clone, Copy, Debug)]
pub struct Reduced;

/// Largest number of sets of active inequalities that a step is made with.
const ACTIVE_SETS: usize = 4;

/// Number of elements that a row of `n` columns takes at most, however a model cuts it.
const fn row_len(shape: &Shape) -> usize {
    padded(shape.dims.state() + 2 * (LANES - 1) * shape.parts)
}

/// The scratch memory, cut into its parts.
struct Work<'a, S> {
    /// Row `r` of plan `b` in block `t` is the gradient of reward `t + r + 1` with respect to
    /// `z_{t+1}`; each part of the columns has all rows.
    slabs: Vec<SlabMemory<'a, S>, MAX_PARTS>,
    /// Products of those rows with `B_t`.
    action_rows: &'a mut [S],
    /// The matrix `I + K` of each plan, shape `[N, R, R]`.
    matrix: &'a mut [S],
    /// The right-hand side `rho - b`, then the solution `y`, shape `[N, R]`.
    y: &'a mut [S],
    /// The part of the system that concerns the actions alone.
    actions: ActionSystem<'a, S>,
    /// The tangent `F_t dz_t + B_t da_t`, shape `[N, n]`.
    tangent: &'a mut [S],
}

/// Memory for what one part of the columns adds to the system, and for what it gets back.
struct SlabMemory<'a, S> {
    first: usize,
    width: usize,
    stride: usize,
    rows: &'a mut [S],
    /// The part's share of `K`, shape `[N, R, R]`.
    matrix: &'a mut [S],
    /// The part's share of `b`, shape `[N, R]`.
    b: &'a mut [S],
    /// The products `Q_t y` of every step, shape `[N, H, stride]`.
    p: &'a mut [S],
}

impl<'a, S: Scalar> Work<'a, S> {
    fn len(shape: &Shape) -> usize {
        let Shape {
            dims, plans, parts, ..
        } = *shape;
        let (h, n, most) = (dims.horizon, dims.state(), shape.most_rows());
        let rows = rows_through(h, most - h, 0);
        // however the columns are cut, their strides are whole cache lines
        let columns = [plans * rows * row_len(shape), plans * h * row_len(shape)];
        let of_slabs = (0..parts).flat_map(|_| [plans * most * most, plans * most]);
        let common = [rows_len(shape), most * most, most, n].map(|len| plans * len);
        let actions = ActionSystem::<S>::lens(shape);
        total((columns.into_iter().chain(of_slabs)).chain(common.into_iter().chain(actions)))
    }

    fn split(shape: &Shape, cut: &Cut, scratch: &'a mut [S]) -> Self {
        let Shape { dims, plans, .. } = *shape;
        let (h, n, most) = (dims.horizon, dims.state(), shape.most_rows());
        let mut parts = Parts::new(scratch);
        let slabs = (0..cut.parts())
            .map(|i| SlabMemory {
                first: cut.first(i),
                width: cut.width(i),
                stride: cut.stride(i),
                rows: parts.take(plans * rows_through(h, most - h, 0) * cut.stride(i)),
                matrix: parts.take(plans * most * most),
                b: parts.take(plans * most),
                p: parts.take(plans * h * cut.stride(i)),
            })
            .collect();
        Self {
            slabs,
            action_rows: parts.take(plans * rows_len(shape)),
            matrix: parts.take(plans * most * most),
            y: parts.take(plans * most),
            actions: ActionSystem::split(shape, &mut parts),
            tangent: parts.take(plans * n),
        }
    }
}

impl LinearSolver for Reduced {
    const MOVES_ANCHOR: bool = false;
    const TAKES_INEQUALITIES: bool = true;

    fn scratch_len(shape: &Shape) -> usize {
        Work::<f32>::len(shape)
    }

    fn solve<S: Scalar, M: Model<S>, C: Crew>(
        problem: &LinearProblem<'_, S>,
        crew: &mut C,
        model: &mut M,
        scratch: &mut [S],
        change: Change<'_, S>,
        faults: &mut PlanFaults,
    ) {
        let Change {
            states,
            actions,
            active,
        } = change;
        let cut = model.cut(problem.shape.parts);
        let mut work = Work::split(&problem.shape, &cut, scratch);
        propagate(problem, crew, model, &mut work);
        assemble(problem, crew, &mut work);
        ActionSystem::activate(problem, None, active);
        for pass in 1..=ACTIVE_SETS {
            solve_actions(problem, &mut work, actions, active, faults);
            if pass == ACTIVE_SETS || !ActionSystem::activate(problem, Some(actions), active) {
                break;
            }
        }

        let y = &*work.y;
        crew.each(&mut work.slabs, |_, slab| {
            for (index, p) in slab.p.chunks_exact_mut(slab.stride).enumerate() {
                let (elements, rows) = block(problem, index, slab.stride);
                weighted_sum(&y[rows], &slab.rows[elements], slab.stride, p);
            }
        });
        forward(problem, crew, model, &mut work, states, actions);
    }
}

/// Assembles and solves the system with the inequalities that are `active`, for `y` and the changes of the actions.
fn solve_actions<S: Scalar>(
    problem: &LinearProblem<'_, S>,
    work: &mut Work<'_, S>,
    actions: &mut [S],
    active: &[S],
    faults: &mut PlanFaults,
) {
    let (h, plans, size) = (
        problem.shape.dims.horizon,
        problem.shape.plans,
        problem.rows(),
    );
    let goal = problem.goal_rows();
    let matrices = &mut work.matrix[..plans * size * size];
    let right = &mut work.y[..plans * size];
    matrices.fill(S::ZERO);
    for (b, right) in right.chunks_exact_mut(size).enumerate() {
        right[..h].copy_from_slice(&problem.residuals[b * h..][..h]);
        right[h..].copy_from_slice(&problem.goal_residuals[b * goal..][..goal]);
    }
    for slab in &work.slabs {
        add_scaled(matrices, S::ONE, &slab.matrix[..plans * size * size]);
        add_scaled(right, S::ONE, &slab.b[..plans * size]);
    }
    for b in 0..plans {
        for i in 0..size {
            matrices[b * size * size + i * (size + 1)] += S::ONE;
        }
    }
    let rows = &*work.action_rows;
    work.actions.prepare(problem, active, faults);
    work.actions.add_to(problem, rows, matrices, right);
    for b in 0..plans {
        let matrix = &mut matrices[b * size * size..][..size * size];
        let y = &mut right[b * size..][..size];
        match cholesky::factorise(matrix, size) {
            Ok(()) => cholesky::solve(matrix, size, y),
            Err(stage) => {
                faults.set(b, stage);
                y.fill(S::ZERO);
            }
        }
    }
    work.actions.changes(problem, rows, right, actions);
}

/// Reward gradients from each state back to all before it, `Q_{t-1} = [g_t, F_t' Q_t]`, and their
/// products with `B_t`.
fn propagate<S: Scalar, M: Model<S>, C: Crew>(
    problem: &LinearProblem<'_, S>,
    crew: &mut C,
    model: &mut M,
    work: &mut Work<'_, S>,
) {
    let Shape { dims, plans, .. } = problem.shape;
    let (h, n, na) = (dims.horizon, dims.state(), dims.action);
    let goal = problem.goal_rows();
    for t in (0..h).rev() {
        let k = h - t + goal;
        let older = plans * rows_through(h, goal, t + 1);
        let newer = plans * rows_through(h, goal, t);
        let mut slabs: Vec<_, MAX_PARTS> = Vec::new();
        for slab in &mut work.slabs {
            let stride = slab.stride;
            let (known, unknown) = slab.rows.split_at_mut(newer * stride);
            let rows = &mut known[older * stride..];
            // the newest row: the gradient of the reward at the end of this step
            for (b, rows) in rows.chunks_exact_mut(k * stride).enumerate() {
                let gradient = &problem.gradients[(b * h + t) * n + slab.first..][..slab.width];
                let (row, padding) = rows[..stride].split_at_mut(slab.width);
                row.iter_mut()
                    .zip(gradient)
                    .for_each(|(x, gradient)| *x = gradient.flush());
                padding.fill(S::ZERO);
                if t + 1 == h {
                    // and behind it those of the goal, each the slope by one element of the last state
                    rows[stride..].fill(S::ZERO);
                    for i in 0..slab.width.min(goal.saturating_sub(slab.first)) {
                        rows[(1 + slab.first + i) * stride + i] = problem.goal_slope;
                    }
                }
            }
            let states = if t > 0 {
                &mut unknown[..plans * (k + 1) * stride]
            } else {
                &mut []
            };
            // no more parts than MAX_PARTS, see Cut
            let _ = slabs.push(Slab {
                first: slab.first,
                width: slab.width,
                stride,
                rows,
                states,
            });
        }
        let actions = &mut work.action_rows[older * na..newer * na];
        model.transpose_product(crew, t, &mut slabs, actions);
    }
}

/// Assembles each part's share of `I + K` and `rho - b` of each plan.
fn assemble<S: Scalar, C: Crew>(
    problem: &LinearProblem<'_, S>,
    crew: &mut C,
    work: &mut Work<'_, S>,
) {
    let Shape { dims, plans, .. } = problem.shape;
    let (h, n, size) = (dims.horizon, dims.state(), problem.rows());
    crew.each(&mut work.slabs, |_, slab| {
        slab.matrix[..plans * size * size].fill(S::ZERO);
        slab.b[..plans * size].fill(S::ZERO);
        for index in 0..plans * h {
            let (b, t) = (index / h, index % h);
            let (elements, rows) = block(problem, index, slab.stride);
            let elements = &slab.rows[elements];
            let (inverse_alpha, scale) = problem.dynamics_terms(b, t);
            let matrix = &mut slab.matrix[b * size * size + t * (size + 1)..];
            add_gram(inverse_alpha, elements, slab.stride, matrix, size);
            // Q_t' c_t
            let defects = &problem.defects[index * n + slab.first..][..slab.width];
            subtract_products(scale, defects, elements, slab.stride, &mut slab.b[rows]);
        }
    });
}

/// Computes the change of the states, `dz_{t+1} = F_t dz_t + B_t da_t + w_t`.
fn forward<S: Scalar, M: Model<S>, C: Crew>(
    problem: &LinearProblem<'_, S>,
    crew: &mut C,
    model: &mut M,
    work: &mut Work<'_, S>,
    states: &mut [S],
    actions: &[S],
) {
    let Shape { dims, plans, .. } = problem.shape;
    let (h, n) = (dims.horizon, dims.state());
    for b in 0..plans {
        states[b * (h + 1) * n..][..n].fill(S::ZERO);
    }
    for t in 0..h {
        model.product(crew, t, states, actions, work.tangent);
        for (b, tangent) in work.tangent.chunks_exact(n).enumerate() {
            let index = b * h + t;
            let (inverse_alpha, scale) = problem.dynamics_terms(b, t);
            let next = &mut states[(b * (h + 1) + t + 1) * n..][..n];
            next.copy_from_slice(tangent);
            add_scaled(next, -scale, &problem.defects[index * n..][..n]);
            for slab in &work.slabs {
                let p = &slab.p[index * slab.stride..][..slab.width];
                add_scaled(&mut next[slab.first..], -inverse_alpha, p);
            }
        }
    }
}
