//! What is sent to the robot, and why.

use crate::inputs::JointVec;
use crate::safety::{Decision, LimitHits, StopReason};
use crate::time::Time;

/// The reason why the robot is moved as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A step of a plan is followed.
    Follow {
        /// Number of the plan.
        plan: u64,
        /// Number of the step in the plan.
        step: usize,
    },
    /// The robot brakes, or is at rest, for this reason.
    Stop(StopReason),
}

/// The set-point to be sent to the robot.
#[derive(Clone, Debug, PartialEq)]
pub struct SetPoint {
    /// Time at which it applies.
    pub time: Time,
    /// Velocities, one an action: of a joint in rad/s, of the end effector in m/s and rad/s.
    pub velocities: JointVec,
    /// What is sent, one an action, in the unit of its kind; NaN is not known yet, and not sent.
    pub commands: JointVec,
    /// Joint positions expected now in rad, from the joint states and the commands since.
    pub positions: JointVec,
    /// The reason why the robot is moved as it is.
    pub mode: Mode,
    /// What is done about the faults that hold, and the most severe of them.
    pub decision: Decision,
    /// Stamp of the image that the followed plan is based on.
    pub plan_stamp: Option<Time>,
    /// The limits that changed it.
    pub limits: LimitHits,
}
