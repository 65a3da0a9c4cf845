//! The robot as the executor sees it: joints, scaling of the actions, limits.

use latco_models::Manifest;

use crate::config::Config;
use crate::inputs::{JointVec, MAX_JOINTS};

/// Joints and limits, from the bundle's manifest and the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Robot {
    names: Vec<String>,
    scale: JointVec,
    lower: JointVec,
    upper: JointVec,
    max_velocity: JointVec,
    max_acceleration: JointVec,
    velocity_scale: f64,
}

/// Which limits changed a set-point, one bit a joint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitHits {
    /// Position.
    pub position: u16,
    /// Velocity.
    pub velocity: u16,
    /// Acceleration.
    pub acceleration: u16,
}

impl LimitHits {
    /// Whether any limit was hit.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// An error for a configuration and a bundle that are not about the same robot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration does not fit the bundle:{}", .0.iter().fold(String::new(), |t, m| t + "\n  " + m))]
pub struct RobotError(pub Vec<String>);

impl Robot {
    /// Makes the robot of a bundle, with the limits of the configuration where it has any.
    ///
    /// # Errors
    /// [`RobotError`] with every mismatch at once.
    pub fn new(config: &Config, manifest: &Manifest) -> Result<Self, RobotError> {
        let section = &config.robot;
        let actions = manifest.dims.action;
        let mut errors = Vec::new();
        if actions > MAX_JOINTS {
            errors.push(format!(
                "the bundle has {actions} actions, this program moves at most {MAX_JOINTS} joints"
            ));
        }
        let names = &manifest.joints.names;
        if !names.is_empty() && names.len() != actions {
            errors.push(format!(
                "the bundle has {} joints and {actions} actions, expected as many of one as of \
                 the other",
                names.len()
            ));
        }
        if !section.joint_names.is_empty() && section.joint_names != *names {
            errors.push(format!(
                "robot.joint_names is {:?}, the bundle was trained with {names:?} (the order \
                 counts)",
                section.joint_names
            ));
        }
        if !errors.is_empty() {
            return Err(RobotError(errors));
        }
        // Empty lists mean the bundle's value, and without one no limit.
        let pick = |own: &[f64], bundle: &[f64], otherwise: f64| -> JointVec {
            (0..actions)
                .map(|i| *own.get(i).or_else(|| bundle.get(i)).unwrap_or(&otherwise))
                .collect()
        };
        let joints = &manifest.joints;
        Ok(Self {
            names: names.clone(),
            scale: manifest
                .action
                .scale
                .iter()
                .map(|&s| f64::from(s))
                .collect(),
            lower: pick(
                &section.min_position_rad,
                &joints.position_lower_rad,
                f64::NEG_INFINITY,
            ),
            upper: pick(
                &section.max_position_rad,
                &joints.position_upper_rad,
                f64::INFINITY,
            ),
            max_velocity: pick(
                &section.max_velocity_rad_s,
                &joints.velocity_limit_rad_s,
                f64::INFINITY,
            ),
            max_acceleration: pick(&section.max_acceleration_rad_s2, &[], f64::INFINITY),
            velocity_scale: section.velocity_scale,
        })
    }

    /// Number of joints that are moved.
    #[must_use]
    pub fn joints(&self) -> usize {
        self.scale.len()
    }

    /// Names of the joints in order; empty for a robot without joint states.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the robot has joint states.
    #[must_use]
    pub fn has_joint_states(&self) -> bool {
        !self.names.is_empty()
    }

    /// Velocity in rad/s that the normalised action 1 stands for.
    #[must_use]
    pub fn action_scale(&self, joint: usize) -> f64 {
        self.scale[joint]
    }

    /// Sets another factor, 0 to 1, on the highest speed of every joint.
    pub(crate) fn set_velocity_scale(&mut self, scale: f64) {
        self.velocity_scale = scale;
    }

    /// Highest speed of a joint in rad/s. Without a limit, a scaled one is relative to the action 1.
    fn max_speed(&self, joint: usize) -> f64 {
        let speed = self.max_velocity[joint];
        if self.velocity_scale < 1.0 {
            speed.min(self.scale[joint].abs()) * self.velocity_scale
        } else {
            speed
        }
    }

    /// The velocity in rad/s nearest to `wanted` that the limits allow.
    ///
    /// `position` is where the joint is, if known; `elapsed_s` the time since `current` was sent,
    /// `ahead_s` the time until the next set-point. Close to a position limit the velocity is
    /// such that braking at the acceleration limit ends at it.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn limit(
        &self,
        joint: usize,
        wanted: f64,
        current: f64,
        position: Option<f64>,
        elapsed_s: f64,
        ahead_s: f64,
        hits: &mut LimitHits,
    ) -> f64 {
        let bit = 1u16 << joint;
        let speed = self.max_speed(joint);
        let mut velocity = wanted.clamp(-speed, speed);
        // The scaled action 1 may exceed the limit by rounding; that is no hit.
        if (velocity - wanted).abs() > 1e-6 * speed {
            hits.velocity |= bit;
        }
        let acceleration = self.max_acceleration[joint];
        if let Some(position) = position {
            let toward = |distance: f64| braking_speed(distance, acceleration, ahead_s);
            let (down, up) = (
                -toward(position - self.lower[joint]),
                toward(self.upper[joint] - position),
            );
            let allowed = velocity.clamp(down, up);
            if (allowed - velocity).abs() > 1e-9 {
                hits.position |= bit;
                velocity = allowed;
            }
        }
        let change = acceleration * elapsed_s;
        let reachable = velocity.clamp(current - change, current + change);
        if reachable != velocity {
            hits.acceleration |= bit;
        }
        reachable
    }
}

/// The highest speed now from which the joint still comes to rest within `distance`, when this
/// speed is kept for `ahead_s` and then braked: `v ahead + v^2 / (2 a) = distance`.
fn braking_speed(distance: f64, acceleration: f64, ahead_s: f64) -> f64 {
    if distance <= 0.0 {
        return 0.0;
    }
    if distance == f64::INFINITY {
        return f64::INFINITY;
    }
    if acceleration == f64::INFINITY {
        return distance / ahead_s;
    }
    let kept = acceleration * ahead_s;
    (kept * kept + 2.0 * acceleration * distance).sqrt() - kept
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two joints with all limits, for tests.
    pub(crate) fn robot() -> Robot {
        let vec = |values: [f64; 2]| values.into_iter().collect::<JointVec>();
        Robot {
            names: vec!["base".into(), "elbow".into()],
            scale: vec([0.5, 1.0]),
            lower: vec([-1.0, -1.0]),
            upper: vec([1.0, 1.0]),
            max_velocity: vec([0.5, 0.8]),
            max_acceleration: vec([5.0, 5.0]),
            velocity_scale: 1.0,
        }
    }

    #[test]
    fn each_limit_is_kept_and_reported() {
        let robot = robot();
        let limit = |joint, wanted, current, position| {
            let mut hits = LimitHits::default();
            let v = robot.limit(joint, wanted, current, position, 0.01, 0.01, &mut hits);
            (v, hits)
        };
        let (v, hits) = limit(1, 2.0, 0.8, Some(0.0));
        assert_eq!((v, hits.velocity), (0.8, 2));
        let (v, hits) = limit(0, 0.5, 0.0, Some(0.0));
        assert!((v - 0.05).abs() < 1e-12);
        assert_eq!(hits.acceleration, 1);
        let (v, hits) = limit(0, 0.5, 0.0, Some(1.0));
        assert_eq!((v, hits.position), (0.0, 1));
        let (v, hits) = limit(0, 0.5, 0.5, Some(0.0));
        assert_eq!((v, hits.any()), (0.5, false));
    }

    #[test]
    fn a_joint_driven_at_its_limit_stops_before_it() {
        let robot = robot();
        let (mut position, mut velocity) = (0.0, 0.0);
        for _ in 0..2000 {
            velocity = robot.limit(
                1,
                0.8,
                velocity,
                Some(position),
                0.01,
                0.01,
                &mut LimitHits::default(),
            );
            position += velocity * 0.01;
            assert!(position <= 1.0 + 1e-9, "{position}");
        }
        assert!(position > 0.99, "{position}");
        assert!(velocity.abs() < 1e-3, "{velocity}");
    }
}
