//! What the robot has to keep away from, and the kinematics by which that is known.

crate::settings! {
    /// `[kinematics]`: the arm when all joints stand at 0, in the frame of its base. Needed for `keep_out` alone.
    pub struct KinematicsSection {
        /// Axis of each revolute joint: x, y, z, one joint after the other.
        joint_axes: Vec<f64>;
        /// A point on each of these axes: x, y, z, one joint after the other. A link goes from the point of its joint to that
        /// of the next one, the last link to the tip.
        joint_points_m: Vec<f64>;
        /// The tip: x, y, z.
        tip_m: Vec<f64>;
        /// Distance from the middle line of a link to its surface.
        link_radius_m: f64 = 0.05, at_least(0.0);
    }
}

crate::settings! {
    /// `[keep_out]`: what plans keep away from, and what brakes the robot before it gets there, in the frame of its base.
    pub struct KeepOutSection {
        /// Balls that no link may touch: x, y, z and radius of each.
        balls_m: Vec<f64>;
        /// Boxes along the axes that no link may touch: x, y, z of the middle and the three lengths of each.
        boxes_m: Vec<f64>;
        /// Box along the axes that the tip has to stay in: x, y, z of the middle and the three lengths.
        tip_box_m: Vec<f64>;
        /// Distance that plans keep beyond all that; the robot is braked 1 cm before it.
        margin_m: f64 = 0.05, at_least(0.0);
        /// Distance that plans keep from the ends of the joints (`robot.min_position_rad`, `robot.max_position_rad`); without a
        /// value plans do not know of them.
        joint_margin_rad: Option<f64>, at_least(0.0);
    }
}

/// Largest number of regions.
pub const MAX_REGIONS: usize = 16;
