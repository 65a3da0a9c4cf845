//! The place of the rows of every step in memory: of the rewards, and behind them of the goal.

use core::ops::Range;

use crate::Scalar;
use crate::problem::LinearProblem;

/// Number of rows of all blocks `Q_{H-1}, Q_{H-2}, .., Q_t` of one plan, which lie in this order and have `1,
/// 2, .., H - t` rows, each with `goal` more.
pub(super) const fn rows_through(horizon: usize, goal: usize, t: usize) -> usize {
    (horizon - t) * (horizon - t + 1) / 2 + (horizon - t) * goal
}

/// Range of the elements of block `t` of plan `b`, `index = b H + t`, in memory of `stride` a row;
/// and its rows among the `N R` of all plans.
pub(super) fn block<S: Scalar>(
    problem: &LinearProblem<'_, S>,
    index: usize,
    stride: usize,
) -> (Range<usize>, Range<usize>) {
    let (h, rows) = (problem.shape.dims.horizon, problem.rows());
    let (b, t) = (index / h, index % h);
    let k = rows - t;
    let first = problem.shape.plans * rows_through(h, rows - h, t + 1) + b * k;
    (
        first * stride..(first + k) * stride,
        b * rows + t..(b + 1) * rows,
    )
}
