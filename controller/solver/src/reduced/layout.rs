//! The place of the reward rows of every step in memory.

use core::ops::Range;

use crate::problem::LinearProblem;

/// Number of rows of all blocks `Q_{H-1}, Q_{H-2}, .., Q_t` of one plan, which lie in this order and have `1,
/// 2, .., H - t` rows.
pub(super) const fn rows_through(horizon: usize, t: usize) -> usize {
    (horizon - t) * (horizon - t + 1) / 2
}

/// Range of the elements of block `t` of plan `b`, `index = b H + t`, in memory of `stride` a row;
/// and its rows.
pub(super) fn block<S>(
    problem: &LinearProblem<'_, S>,
    index: usize,
    stride: usize,
) -> (Range<usize>, usize) {
    let h = problem.shape.dims.horizon;
    let (b, t) = (index / h, index % h);
    let k = h - t;
    let first = problem.shape.plans * rows_through(h, t + 1) + b * k;
    (first * stride..(first + k) * stride, k)
}
