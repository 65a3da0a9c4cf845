//! The robot as the executor sees it: joints, what the actions command, limits.

use latco_models::{ActionKind, Manifest};

use crate::axis::Axis;
use crate::config::{Config, OutputKind};
use crate::constraints::rows;
use crate::inputs::{FUTURE_STAMP_S, JointVec, MAX_JOINTS};
use crate::safety::measurement::MeasurementGate;
use crate::safety::{LONGEST_STOP, Limits};

/// Time in which the highest acceleration is built up where no highest jerk is configured, s.
const BUILD_UP_S: f64 = 0.05;
/// Time at the highest speed by which a robot may be behind where no largest error of tracking is configured, s.
const BEHIND_S: f64 = 0.5;

/// Joints, actions and limits, from the bundle's manifest and the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Robot {
    names: Vec<String>,
    axes: heapless::Vec<Axis, MAX_JOINTS>,
    /// The limits of what the actions command.
    limits: Limits,
    /// The limits of the joints whose state is known.
    joints: Limits,
    /// Those with the positions that a joint can have: a robot may be where its bundle has never been.
    possible: Limits,
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
        let (actions, kinds) = (manifest.dims.action, manifest.action.kinds());
        let mut errors = Vec::new();
        if actions > MAX_JOINTS {
            errors.push(format!(
                "the bundle has {actions} actions, this program moves at most {MAX_JOINTS} joints"
            ));
        }
        let names = &manifest.joints.names;
        // The first actions move the joints in their order, where they move joints.
        let moved = kinds.iter().filter(|kind| kind.is_of_joint()).count();
        let plain = moved == actions;
        let few = names.len() < moved && !(plain && names.is_empty());
        if few || plain && names.len() > moved {
            errors.push(format!(
                "the bundle has {} joints and {moved} actions{}, expected as many of one as of \
                 the other",
                names.len(),
                if plain { "" } else { " that move them" }
            ));
        }
        if names.is_empty()
            && kinds
                .iter()
                .any(|kind| kind.is_of_joint() && kind.sends_position())
        {
            errors.push(
                "the bundle commands positions of joints and names no joints: it cannot be known where a motion begins".to_owned(),
            );
        }
        if !section.joint_names.is_empty() && section.joint_names != *names {
            errors.push(format!(
                "robot.joint_names is {:?}, the bundle was trained with {names:?} (the order \
                 counts): write them and the lists of limits in its order, or train with data.joints in yours",
                section.joint_names
            ));
        }
        if !section.action_kinds.is_empty() && section.action_kinds != kinds {
            errors.push(format!(
                "robot.action_kinds is {}, the bundle's actions are {}",
                list(&section.action_kinds),
                list(&kinds)
            ));
        }
        if config.control.output == OutputKind::JointTrajectory && moved == 0 {
            errors.push(format!(
                "control.output is \"joint_trajectory\", and the bundle's actions ({}) move no single joints: set it to \"commands\"",
                list(&kinds)
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
            let foreign = |kind: &&ActionKind| !kind.is_of_joint();
            if let Some(kind) = kinds.iter().find(foreign) {
                errors.push(format!(
                    "keep_out needs actions that move joints, and the bundle has a {kind}: leave keep_out out and let the robot's own \
                     controller keep away"
                ));
            }
        }
        if !errors.is_empty() {
            return Err(RobotError(errors));
        }
        let axes: heapless::Vec<Axis, MAX_JOINTS> = (0..actions)
            .map(|index| {
                let joint = kinds[index].is_of_joint().then_some(index);
                Axis::new(&manifest.action, index, joint)
            })
            .collect();
        // Empty lists mean the bundle's value, and without one no limit.
        let measured = if names.is_empty() {
            actions
        } else {
            names.len()
        };
        let pick = |own: &[f64], bundle: &[f64], otherwise: f64| -> JointVec {
            (0..measured)
                .map(|i| *own.get(i).or_else(|| bundle.get(i)).unwrap_or(&otherwise))
                .collect()
        };
        let joints = &manifest.joints;
        let max_acceleration = pick(&section.max_acceleration_rad_s2, &[], f64::INFINITY);
        let built_up: JointVec = max_acceleration.iter().map(|a| a / BUILD_UP_S).collect();
        let max_velocity = pick(
            &section.max_velocity_rad_s,
            &joints.velocity_limit_rad_s,
            f64::INFINITY,
        );
        let scale: JointVec = (max_velocity.iter().enumerate())
            .map(|(joint, &speed)| match axes.get(joint) {
                Some(axis) if axis.kind.is_of_joint() => axis.rate(manifest.control_period_s),
                _ => speed,
            })
            .collect();
        let behind: JointVec = (scale.iter().zip(&max_velocity))
            .map(|(scale, speed)| BEHIND_S * speed.min(scale.abs()))
            .collect();
        let joints = Limits {
            scale,
            // Beyond the bundle's positions the model knows nothing, whatever it promises there.
            lower: narrower(
                pick(&section.min_position_rad, &[], f64::NEG_INFINITY),
                &joints.position_lower_rad,
                f64::max,
            ),
            upper: narrower(
                pick(&section.max_position_rad, &[], f64::INFINITY),
                &joints.position_upper_rad,
                f64::min,
            ),
            max_velocity,
            max_acceleration,
            max_jerk: pick(&section.max_jerk_rad_s3, &built_up, f64::INFINITY),
            max_tracking_error: pick(&section.max_tracking_error_rad, &behind, f64::INFINITY),
            velocity_scale: section.velocity_scale,
        };
        let possible = Limits {
            lower: pick(&section.min_position_rad, &joints.lower, f64::NEG_INFINITY),
            upper: pick(&section.max_position_rad, &joints.upper, f64::INFINITY),
            ..joints.clone()
        };
        let robot = Self {
            possible,
            names: names.clone(),
            limits: limits_of(&axes, &joints, &section.max_twist),
            axes,
            joints,
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

    /// Number of actions.
    #[must_use]
    pub fn actions(&self) -> usize {
        self.axes.len()
    }

    /// What the actions command.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Number of actions that move one joint each: the first ones, in the order of the joints.
    pub(crate) fn moved_joints(&self) -> usize {
        self.axes
            .iter()
            .filter(|axis| axis.kind.is_of_joint())
            .count()
    }

    /// Whether a command says where to be, so that set-points go on from where the last one was.
    pub(crate) fn sends_positions(&self) -> bool {
        self.axes.iter().any(|axis| axis.kind.sends_position())
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

    /// The limits of what the actions command: of the joints that they move, or of the components of a twist.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The limits of the joints whose state is known.
    #[must_use]
    pub fn joint_limits(&self) -> &Limits {
        &self.joints
    }

    /// Makes a gate for its joint states that has seen nothing yet.
    pub(crate) fn gate(&self) -> MeasurementGate {
        MeasurementGate::new(self.possible.clone(), FUTURE_STAMP_S)
    }

    /// Writes the speeds that a normalised action stands for, one an action: of joints in rad/s, of a twist in m/s and rad/s.
    pub(crate) fn speeds(&self, action: &[f32], speeds: &mut [f64]) {
        for (index, speed) in speeds.iter_mut().enumerate() {
            *speed = f64::from(action[index]) * self.limits.scale[index];
        }
    }

    /// Where the next set-points go on from, one an action: positions of joints that are moved by velocity, positions that were
    /// sent, and 0 for what has no position.
    pub(crate) fn places(&self, positions: &[f64], commands: &[f64]) -> JointVec {
        let place = |(index, axis): (usize, &Axis)| match (axis.kind.sends_position(), axis.joint) {
            (true, _) => commands[index],
            (false, Some(joint)) => positions[joint],
            (false, None) => 0.0,
        };
        self.axes.iter().enumerate().map(place).collect()
    }

    /// Moves what is sent on by speeds for `time_s`; velocities are sent as they are.
    pub(crate) fn send(&self, speeds: &[f64], time_s: f64, commands: &mut [f64]) {
        if self.sends_positions() {
            self.limits.advance(commands, speeds, time_s);
        }
        for ((axis, command), speed) in self.axes.iter().zip(commands).zip(speeds) {
            if !axis.kind.sends_position() {
                *command = *speed;
            }
        }
    }

    /// Makes the positions that are sent those where the joints are, as far as they are known.
    pub(crate) fn stay_at(&self, positions: &[f64], commands: &mut [f64]) {
        for (axis, command) in self.axes.iter().zip(commands) {
            if let (true, Some(joint)) = (axis.kind.sends_position(), axis.joint) {
                *command = positions[joint];
            }
        }
    }

    /// Sets another factor, 0 to 1, on the highest speed of every joint.
    pub(crate) fn set_velocity_scale(&mut self, scale: f64) {
        self.limits.velocity_scale = scale;
        self.joints.velocity_scale = scale;
    }
}

/// The words for kinds of actions.
fn list(kinds: &[ActionKind]) -> String {
    kinds
        .iter()
        .map(|kind| kind.name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The limits of the configuration, with those of the bundle as far as these are narrower.
fn narrower(mut own: JointVec, bundle: &[f64], of: fn(f64, f64) -> f64) -> JointVec {
    for (own, bundle) in own.iter_mut().zip(bundle) {
        *own = of(*own, *bundle);
    }
    own
}

/// The limits of what actions command, for joints with these limits. `max_twist` has speed and acceleration of the end effector,
/// linear and then angular, in m/s, m/s^2, rad/s and rad/s^2; where it is empty, a component is limited by its scale.
fn limits_of(axes: &[Axis], joints: &Limits, max_twist: &[f64]) -> Limits {
    let mut limits = joints.clone();
    for list in [
        &mut limits.scale,
        &mut limits.lower,
        &mut limits.upper,
        &mut limits.max_velocity,
        &mut limits.max_acceleration,
        &mut limits.max_jerk,
        &mut limits.max_tracking_error,
    ] {
        list.truncate(axes.len());
        while list.len() < axes.len() && list.push(f64::INFINITY).is_ok() {}
    }
    for (index, axis) in axes.iter().enumerate() {
        let Some(component) = axis.kind.twist_axis() else {
            continue;
        };
        let at = 2 * (component / 3);
        let (speed, acceleration) = match max_twist.get(at..at + 2) {
            Some(most) => (most[0], most[1]),
            None => (axis.command(1.0).abs(), f64::INFINITY),
        };
        (limits.lower[index], limits.upper[index]) = (f64::NEG_INFINITY, f64::INFINITY);
        limits.scale[index] = axis.command(1.0);
        limits.max_velocity[index] = speed;
        limits.max_acceleration[index] = acceleration;
        limits.max_jerk[index] = acceleration / BUILD_UP_S;
        limits.max_tracking_error[index] = f64::INFINITY;
    }
    limits
}

#[cfg(test)]
pub(crate) mod tests {
    use latco_models::Action;

    use super::*;
    use crate::safety::limits::tests::limits;

    /// Two joints with all limits, and a highest jerk in rad/s^3, for tests.
    pub(crate) fn robot(jerk: f64) -> Robot {
        of_kind(jerk, ActionKind::JointVelocity)
    }

    /// The same joints, moved by actions of a kind; their scales are those of the velocities in rad/s, in the unit of the kind and
    /// for control periods of 0.1 s.
    pub(crate) fn of_kind(jerk: f64, kind: ActionKind) -> Robot {
        let per_rad_s = if kind.is_of_joint() && kind.sends_position() {
            0.1
        } else {
            1.0
        };
        let action = Action {
            scale: vec![0.5 * per_rad_s, per_rad_s],
            limit: 1.0,
            kind: vec![kind; 2],
        };
        let joints = Limits {
            max_jerk: [jerk; 2].into_iter().collect(),
            ..limits()
        };
        let axes: heapless::Vec<Axis, MAX_JOINTS> = (0..2)
            .map(|index| Axis::new(&action, index, kind.is_of_joint().then_some(index)))
            .collect();
        Robot {
            names: vec!["base".into(), "elbow".into()],
            limits: limits_of(&axes, &joints, &[]),
            axes,
            possible: joints.clone(),
            joints,
        }
    }

    #[test]
    fn a_robot_that_is_where_its_bundle_has_never_been_is_believed_and_not_sent_there() {
        let manifest = crate::belief::tests::manifest();
        let mut config = Config::default();
        for (limit, is_believed) in [(None, false), (Some(3.1), true)] {
            config.robot.min_position_rad = limit.iter().map(|limit| -limit).collect();
            config.robot.max_position_rad = limit.into_iter().collect();
            let robot = Robot::new(&config, &manifest).unwrap();
            assert_eq!(robot.limits().position(0), (-1.0, 1.0));
            let stamp = crate::time::Time::from_seconds(1.0);
            let sample = crate::inputs::JointInput {
                stamp,
                positions: &[1.5],
                velocities: &[0.0],
            };
            assert_eq!(robot.gate().admit(&sample, stamp).is_ok(), is_believed);
        }
    }
}
