//! Inequalities on what the actions of a plan add up to, such as joint positions.

use core::fmt::Debug;

use crate::Scalar;

/// Inequalities `g_i(x_t) <= 0` at the end of every step, on the sums `x_t = a_0 + .. + a_t` of a plan's actions.
///
/// Joints that are moved by velocity stand where the actions so far have brought them: bounds on their positions, and by the
/// kinematics on any part of the robot, are of this kind and do not depend on the learned states.
pub trait Inequalities<S: Scalar>: Debug {
    /// Number of inequalities at each step, `m`.
    fn rows(&self) -> usize;

    /// Evaluates the inequalities along the actions `[H, na]` of one plan.
    ///
    /// # Real-time
    /// The solver calls it inside its iteration: no allocation, no blocking.
    fn evaluate(&self, actions: &[S], rows: &mut InequalityRows<'_, S>);
}

/// Inequalities along one plan, linearised there.
#[derive(Debug)]
pub struct InequalityRows<'a, S> {
    /// Values `g_i(x_t)`, shape `[H, m]`; positive where the inequality is violated.
    pub values: &'a mut [S],
    /// Slopes `dg_i/dx_t`, shape `[H, m, na]`.
    pub slopes: &'a mut [S],
}
