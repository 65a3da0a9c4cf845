//! The planar arm: joints that follow velocity set-points with a lag.
//!
//! Angles are 0 when the arm points straight up (along +y), positive to the left
//! (counter-clockwise), each relative to the link before it.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use crate::motion::{self, Joint, JointLimits};

/// Number of joints.
pub const JOINTS: usize = 3;
/// Largest speed of each joint in rad/s.
pub const MAX_VELOCITY_RAD_S: [f64; JOINTS] = [0.35, 0.45, 0.70];
/// Largest angle of each joint in either direction, in rad. Narrower limits trap the scripted expert.
pub const MAX_ANGLE_RAD: [f64; JOINTS] = [2.1, 2.8, 2.4];
pub use crate::motion::LAG_S;
/// Names of the joints, from the base to the tip.
pub const JOINT_NAMES: [&str; JOINTS] = ["joint_1", "joint_2", "joint_3"];

/// The limits of the joints: [`MAX_ANGLE_RAD`] and [`MAX_VELOCITY_RAD_S`].
pub const LIMITS: [JointLimits; JOINTS] = {
    let mut limits = [JointLimits {
        lower_rad: 0.0,
        upper_rad: 0.0,
        velocity_rad_s: 0.0,
    }; JOINTS];
    let mut j = 0;
    while j < JOINTS {
        limits[j] = JointLimits {
            lower_rad: -MAX_ANGLE_RAD[j],
            upper_rad: MAX_ANGLE_RAD[j],
            velocity_rad_s: MAX_VELOCITY_RAD_S[j],
        };
        j += 1;
    }
    limits
};

/// Joint angles in rad.
pub type Posture = [f64; JOINTS];

/// The base of an arm and the lengths of its links.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Place of the first joint in m.
    pub base: [f64; 2],
    /// Lengths of the links in m.
    pub links: [f64; JOINTS],
}

impl Shape {
    /// An arm that reaches most of the table.
    pub const LONG: Self = Self {
        base: [0.0, -0.85],
        links: [0.60, 0.50, 0.22],
    };
    /// An arm that reaches the lower half of the table only.
    pub const SHORT: Self = Self {
        base: [0.0, -0.85],
        links: [0.45, 0.38, 0.17],
    };

    /// Gives the arm with a tool that makes its last link longer by `length` m.
    #[must_use]
    pub fn with_tool(mut self, length: f64) -> Self {
        self.links[JOINTS - 1] += length;
        self
    }

    /// Largest distance of the tip from the base in m.
    pub fn reach(&self) -> f64 {
        self.links.iter().sum()
    }

    /// Base, the joints after it, and the tip of a posture in m, shape `[JOINTS + 1, 2]`.
    pub fn points(&self, posture: &Posture) -> [[f64; 2]; JOINTS + 1] {
        let mut points = [self.base; JOINTS + 1];
        let mut angle = FRAC_PI_2;
        for j in 0..JOINTS {
            angle += posture[j];
            let (sin, cos) = angle.sin_cos();
            points[j + 1] = [
                points[j][0] + self.links[j] * cos,
                points[j][1] + self.links[j] * sin,
            ];
        }
        points
    }

    /// Place of the tip of a posture in m.
    pub fn tip(&self, posture: &Posture) -> [f64; 2] {
        self.points(posture)[JOINTS]
    }

    /// Derivative of the tip's place by each joint in m/rad, shape `[JOINTS, 2]`.
    pub fn jacobian(&self, posture: &Posture) -> [[f64; 2]; JOINTS] {
        let points = self.points(posture);
        let tip = points[JOINTS];
        std::array::from_fn(|j| [points[j][1] - tip[1], tip[0] - points[j][0]])
    }

    /// Postures within the joint limits that put the tip at a place, sampled over the direction
    /// of the last link. Empty where the place is out of reach.
    pub fn postures_for(&self, tip: [f64; 2]) -> Vec<Posture> {
        const DIRECTIONS: usize = 96;
        let mut found = Vec::new();
        for k in 0..DIRECTIONS {
            let direction = TAU * k as f64 / DIRECTIONS as f64;
            let (sin, cos) = direction.sin_cos();
            let [a, b, c] = self.links;
            let x = tip[0] - c * cos - self.base[0];
            let y = tip[1] - c * sin - self.base[1];
            let bend = (x * x + y * y - a * a - b * b) / (2.0 * a * b);
            if bend.abs() > 1.0 {
                continue;
            }
            for elbow in [bend.acos(), -bend.acos()] {
                let shoulder = y.atan2(x) - (b * elbow.sin()).atan2(a + b * elbow.cos());
                let posture = [
                    wrapped(shoulder - FRAC_PI_2),
                    elbow,
                    wrapped(direction - shoulder - elbow),
                ];
                if posture
                    .iter()
                    .zip(&MAX_ANGLE_RAD)
                    .all(|(q, max)| q.abs() <= *max)
                {
                    found.push(posture);
                }
            }
        }
        found
    }
}

/// State of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm {
    /// Base and links.
    pub shape: Shape,
    /// Joint positions in rad.
    pub positions: Posture,
    /// Joint velocities in rad/s.
    pub velocities: [f64; JOINTS],
}

impl Arm {
    /// An arm at rest in a posture, which is clipped to the joint limits.
    pub fn at_rest(shape: Shape, posture: Posture) -> Self {
        let mut positions = posture;
        for (q, limit) in positions.iter_mut().zip(&LIMITS) {
            *q = q.clamp(limit.lower_rad, limit.upper_rad);
        }
        Self {
            shape,
            positions,
            velocities: [0.0; JOINTS],
        }
    }

    /// Holds velocity set-points (rad/s) for `dt_s` seconds. Velocities approach them
    /// exponentially, with the time constant [`LAG_S`]; the motion is integrated exactly, so two halves equal a
    /// whole unless a limit stops a joint. A joint that runs into its limit stops there.
    ///
    /// Set-points beyond the velocity limits are clipped, those not finite count as 0.
    pub fn advance(&mut self, set_points: &[f64; JOINTS], dt_s: f64) {
        let state = self.positions.iter_mut().zip(&mut self.velocities);
        let joints = state.map(|(position, velocity)| Joint { position, velocity });
        motion::advance(joints, &LIMITS, set_points, dt_s);
    }

    /// Base, the joints after it, and the tip in m, shape `[JOINTS + 1, 2]`.
    pub fn points(&self) -> [[f64; 2]; JOINTS + 1] {
        self.shape.points(&self.positions)
    }

    /// Place of the tip in m.
    pub fn tip(&self) -> [f64; 2] {
        self.points()[JOINTS]
    }

    /// Time in seconds that the arm takes to a posture at full speed, without the lag.
    pub fn time_to_s(&self, posture: &Posture) -> f64 {
        (0..JOINTS)
            .map(|j| (posture[j] - self.positions[j]).abs() / MAX_VELOCITY_RAD_S[j])
            .fold(0.0, f64::max)
    }
}

/// The equal angle within `[-pi, pi)`.
fn wrapped(angle: f64) -> f64 {
    (angle + PI).rem_euclid(TAU) - PI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn straight_up_is_zero_and_left_is_positive() {
        let [x, y] = Arm::at_rest(Shape::LONG, [0.0; 3]).tip();
        assert!(x.abs() < 1e-12 && (y - 0.47).abs() < 1e-12, "{x} {y}");
        assert!(Arm::at_rest(Shape::LONG, [0.3, 0.0, 0.0]).tip()[0] < -0.1);
    }

    #[test]
    fn velocity_follows_its_set_point_with_the_stated_lag() {
        let mut arm = Arm::at_rest(Shape::LONG, [0.0; 3]);
        arm.advance(&[0.35, 0.0, 0.0], LAG_S);
        let share = arm.velocities[0] / 0.35;
        assert!((share - (1.0 - (-1.0f64).exp())).abs() < 1e-12, "{share}");
        for _ in 0..40 {
            arm.advance(&[0.35, 0.0, 0.0], 0.02);
        }
        assert!((arm.velocities[0] - 0.35).abs() < 1e-4);
        // In the long run the joint trails an ideal one by set-point times lag.
        let behind = 0.35 * (LAG_S + 0.8) - arm.positions[0];
        assert!((behind - 0.35 * LAG_S).abs() < 1e-4, "{behind}");
    }

    #[test]
    fn motion_does_not_depend_on_how_time_is_cut() {
        let set = [0.3, -0.2, 0.6];
        let mut whole = Arm::at_rest(Shape::LONG, [0.1, 0.2, -0.3]);
        let mut parts = whole;
        whole.advance(&set, 0.1);
        for _ in 0..5 {
            parts.advance(&set, 0.02);
        }
        for j in 0..JOINTS {
            assert!((whole.positions[j] - parts.positions[j]).abs() < 1e-12);
            assert!((whole.velocities[j] - parts.velocities[j]).abs() < 1e-12);
        }
    }

    #[test]
    fn joints_stop_at_their_limits_and_can_leave_them() {
        let mut arm = Arm::at_rest(Shape::LONG, [9.0, -9.0, 0.0]);
        assert_eq!(arm.positions, [2.1, -2.8, 0.0]);
        for _ in 0..500 {
            arm.advance(&[100.0, -100.0, 100.0], 0.02);
            for j in 0..JOINTS {
                assert!(arm.positions[j].abs() <= MAX_ANGLE_RAD[j]);
                assert!(arm.velocities[j].abs() <= MAX_VELOCITY_RAD_S[j]);
            }
        }
        assert_eq!((arm.positions[2], arm.velocities[2]), (2.4, 0.0));
        arm.advance(&[-0.35, 0.45, -0.7], 0.5);
        for (q, max) in arm.positions.iter().zip(MAX_ANGLE_RAD) {
            assert!(q.abs() < max - 0.05);
        }
    }

    #[test]
    fn set_points_and_times_that_are_not_numbers_do_no_harm() {
        let mut arm = Arm::at_rest(Shape::LONG, [0.0; 3]);
        arm.advance(&[f64::NAN, f64::INFINITY, 0.7], 0.1);
        assert_eq!((arm.velocities[0], arm.velocities[1]), (0.0, 0.0));
        assert!(arm.velocities[2] > 0.3);
        let before = arm;
        for dt in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            arm.advance(&[0.1; 3], dt);
        }
        assert_eq!(arm, before);
    }

    #[test]
    fn postures_put_the_tip_where_asked() {
        for place in [[0.0, 0.3], [-0.7, -0.1], [0.85, -0.2], [0.3, 0.35]] {
            let found = Shape::LONG.postures_for(place);
            assert!(found.len() > 10, "{place:?}: {}", found.len());
            for posture in found {
                let [x, y] = Shape::LONG.tip(&posture);
                assert!((x - place[0]).hypot(y - place[1]) < 1e-9);
            }
        }
        assert!(Shape::LONG.postures_for([0.9, 0.9]).is_empty());
        let far = [0.1, 0.6];
        assert!(Shape::SHORT.postures_for(far).is_empty());
        assert!(!Shape::SHORT.with_tool(0.5).postures_for(far).is_empty());
    }

    #[test]
    fn the_jacobian_is_the_derivative_of_the_tip() {
        let posture = [0.4, -0.9, 0.7];
        let shape = Shape::SHORT.with_tool(0.3);
        let jacobian = shape.jacobian(&posture);
        for j in 0..JOINTS {
            let (mut more, mut less) = (posture, posture);
            more[j] += 1e-6;
            less[j] -= 1e-6;
            let (a, b) = (shape.tip(&more), shape.tip(&less));
            for axis in 0..2 {
                let difference = (a[axis] - b[axis]) / 2e-6;
                assert!((difference - jacobian[j][axis]).abs() < 1e-8);
            }
        }
    }
}
