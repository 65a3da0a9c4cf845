//! The robot as the executor sees it: joints, scaling of the actions, limits.

use latco_models::Manifest;

use crate::config::Config;
use crate::constraints::rows;
use crate::inputs::{JointVec, MAX_JOINTS};
use crate::safety::measurement::MeasurementGate;
use crate::safety::{LONGEST_STOP, Limits};

/// Time in which the highest acceleration is built up where no highest jerk is configured, s.
const BUILD_UP_S: f64 = 0.05;
/// Time at the highest speed by which a robot may be behind where no largest error of tracking is configured, s.
const BEHIND_S: f64 = 0.5;

/// Joints and limits, from the bundle's manifest and the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Robot {
    names: Vec<String>,
    limits: Limits,
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
        if rows(config, actions) > 0 {
            let chain = config.kinematics.joint_axes.len() / 3;
            if chain > 0 && chain != actions {
                errors.push(format!(
                    "kinematics.joint_axes has {chain} joints, the bundle moves {actions}"
                ));
            }
            if names.is_empty() {
                errors.push(
                    "keep_out needs joint states, and the bundle names no joints: it cannot be known where the robot is"
                        .to_owned(),
                );
            }
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
        let max_acceleration = pick(&section.max_acceleration_rad_s2, &[], f64::INFINITY);
        let built_up: JointVec = max_acceleration.iter().map(|a| a / BUILD_UP_S).collect();
        let scale = manifest.action.scale.iter().map(|&s| f64::from(s));
        let max_velocity = pick(
            &section.max_velocity_rad_s,
            &joints.velocity_limit_rad_s,
            f64::INFINITY,
        );
        let behind: JointVec = (scale.clone().zip(&max_velocity))
            .map(|(scale, speed)| BEHIND_S * speed.min(scale.abs()))
            .collect();
        let robot = Self {
            names: names.clone(),
            limits: Limits {
                scale: scale.collect(),
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
                max_velocity,
                max_acceleration,
                max_jerk: pick(&section.max_jerk_rad_s3, &built_up, f64::INFINITY),
                max_tracking_error: pick(&section.max_tracking_error_rad, &behind, f64::INFINITY),
                velocity_scale: section.velocity_scale,
            },
        };
        let tick_s = 1.0 / config.control.command_rate_hz;
        let longest_s = LONGEST_STOP.as_secs_f64();
        let slow = (0..actions)
            .map(|joint| (joint, robot.limits.longest_stop(joint, tick_s)))
            .filter(|(_, stop_s)| *stop_s > longest_s);
        let errors: Vec<String> = slow
            .map(|(joint, stop_s)| {
                format!(
                    "joint {joint} may take {stop_s:.1} s to rest from its highest velocity, expected at most {longest_s} s: \
                     raise robot.max_acceleration_rad_s2 and robot.max_jerk_rad_s3"
                )
            })
            .collect();
        if errors.is_empty() {
            Ok(robot)
        } else {
            Err(RobotError(errors))
        }
    }

    /// Number of joints that are moved.
    #[must_use]
    pub fn joints(&self) -> usize {
        self.limits.scale.len()
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
        self.limits.scale[joint]
    }

    /// The limits of its joints.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Makes a gate for its joint states that has seen nothing yet.
    pub(crate) fn gate(&self, config: &Config) -> MeasurementGate {
        let future_s = config.timeouts.future_stamp_ms * 1e-3;
        MeasurementGate::new(self.limits.clone(), future_s)
    }

    /// Writes the joint velocities in rad/s that a normalised action stands for, one a joint.
    pub(crate) fn velocities(&self, action: &[f32], velocities: &mut [f64]) {
        for (joint, velocity) in velocities.iter_mut().enumerate() {
            *velocity = f64::from(action[joint]) * self.limits.scale[joint];
        }
    }

    /// Sets another factor, 0 to 1, on the highest speed of every joint.
    pub(crate) fn set_velocity_scale(&mut self, scale: f64) {
        self.limits.velocity_scale = scale;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::safety::limits::tests::limits;

    /// Two joints with all limits, and a highest jerk in rad/s^3, for tests.
    pub(crate) fn robot(jerk: f64) -> Robot {
        Robot {
            names: vec!["base".into(), "elbow".into()],
            limits: Limits {
                max_jerk: [jerk; 2].into_iter().collect(),
                ..limits()
            },
        }
    }
}
