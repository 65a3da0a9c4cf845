//! The whole configuration.

use super::goal::GoalSection;
use super::keep_out::{KeepOutSection, KinematicsSection};
use super::planner::PlannerSection;
use super::sections::{
    BundleSection, ControlSection, NodeSection, RobotSection, TimeoutsSection, TopicsSection,
    TraceSection,
};

crate::settings! {
    /// Everything a controller needs to know beside the model bundle. Every field has a default but `bundle.path`.
    pub struct Config {
        /// The model.
        bundle: BundleSection;
        /// The robot, where it differs from what the bundle says of it. An empty list means "as the bundle says" (names,
        /// velocity) or "unlimited".
        robot: RobotSection;
        /// Where the arm is for given positions of its joints: what it looks like when all stand at 0, in the frame of its base.
        /// Only `keep_out` needs it.
        kinematics: KinematicsSection;
        /// What plans keep away from, and what brakes the robot before it gets there, in the frame of the robot's base.
        keep_out: KeepOutSection;
        /// What plans shall end in, told by a picture.
        goal: GoalSection, no_parameter;
        /// Rates, timing and form of the output.
        control: ControlSection;
        /// Which planner, and what all planners share. The table of a planner has the name of its kind.
        planner: PlannerSection;
        /// How old an input may be.
        timeouts: TimeoutsSection;
        /// What is kept of each decision.
        trace: TraceSection;
        /// Names of the topics, relative; they are remapped by `-r from:=to`.
        topics: TopicsSection, no_parameter;
        /// The ROS node.
        node: NodeSection, no_parameter;
    }
}
