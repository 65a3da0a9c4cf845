//! What the commands of a simulated arm are: velocities of its joints, positions, or the velocity of its tip.

use latco_models::ActionKind;

use crate::arm::{Arm, JOINTS, LAG_S, MAX_VELOCITY_RAD_S, Posture, Shape};
use crate::steer::joint_speeds;

/// Gain of the position control of the joints on the velocity by which they are behind.
const VELOCITY_GAIN: f64 = 1.0;
/// Its gain in 1/s on the position by which they are behind. As their velocities follow with a lag, it overshoots just not, and what
/// they are behind goes down by e in twice the lag over (1 + [`VELOCITY_GAIN`]): within a control period, so that a picture and the
/// joints tell nearly all of the state, as with the servos of robots.
const POSITION_GAIN_PER_S: f64 = (1.0 + VELOCITY_GAIN) * (1.0 + VELOCITY_GAIN) / (4.0 * LAG_S);
/// Speed in 1/s at which a joint comes back from the end of its range while that does not move the tip.
const CENTRING_PER_S: f64 = 0.15;
/// Speed of the tip in m/s for the action 1, in either direction of the table.
const TIP_SPEED_M_S: f64 = 0.3;

/// What the commands of an arm are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// Velocities of the joints.
    Velocity,
    /// Positions of the joints.
    Position,
    /// Positions of the joints; recordings of it have their changes in a control period.
    Change,
    /// The velocity of the tip in the plane of the table.
    Twist,
}

impl Drive {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Velocity, Self::Position, Self::Change, Self::Twist];

    /// What stands behind the name of a task whose arm is driven so.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Velocity => "",
            Self::Position => "-position",
            Self::Change => "-change",
            Self::Twist => "-twist",
        }
    }

    /// Name of a task, and how its arm is driven.
    #[must_use]
    pub fn split(task: &str) -> (&str, Self) {
        let found = Self::ALL.into_iter().skip(1);
        let mut found = found.filter_map(|drive| Some((task.strip_suffix(drive.suffix())?, drive)));
        found.next().unwrap_or((task, Self::Velocity))
    }

    /// The kinds of the actions.
    pub(crate) fn kinds(self) -> Vec<ActionKind> {
        match self {
            Self::Velocity => vec![ActionKind::JointVelocity; JOINTS],
            Self::Position => vec![ActionKind::JointPosition; JOINTS],
            Self::Change => vec![ActionKind::JointPositionChange; JOINTS],
            Self::Twist => vec![ActionKind::TwistLinearX, ActionKind::TwistLinearY],
        }
    }

    /// What the action 1 stands for: rad/s, rad in a control period of `period_s`, or m/s.
    pub(crate) fn scale(self, period_s: f64) -> Vec<f64> {
        match self {
            Self::Velocity => MAX_VELOCITY_RAD_S.to_vec(),
            Self::Position | Self::Change => {
                MAX_VELOCITY_RAD_S.map(|speed| speed * period_s).to_vec()
            }
            Self::Twist => vec![TIP_SPEED_M_S; 2],
        }
    }

    /// Whether commands are positions of the joints.
    pub(crate) fn sends_positions(self) -> bool {
        matches!(self, Self::Position | Self::Change)
    }

    /// Velocities of the joints in rad/s under a `command`, which was `before` until `dt_s` ago.
    pub(crate) fn velocities(
        self,
        arm: &Arm,
        hand: &Shape,
        command: &[f64],
        before: &Posture,
        dt_s: f64,
    ) -> Posture {
        match self {
            Self::Velocity => command.try_into().expect("one set-point per joint"),
            Self::Position | Self::Change => {
                assert_eq!(command.len(), JOINTS, "one set-point per joint");
                std::array::from_fn(|j| {
                    let speed = (command[j] - before[j]) / dt_s;
                    speed
                        + VELOCITY_GAIN * (speed - arm.velocities[j])
                        + POSITION_GAIN_PER_S * (command[j] - arm.positions[j])
                })
            }
            Self::Twist => {
                let twist: [f64; 2] = command.try_into().expect("two components of the twist");
                let twist = twist.map(|speed| if speed.is_finite() { speed } else { 0.0 });
                tip_speeds(arm, hand, twist)
            }
        }
    }

    /// The normalised action, one number each of [`Drive::kinds`], that moves the arm as normalised joint velocities do.
    pub(crate) fn action(self, arm: &Arm, hand: &Shape, velocities: &[f32], action: &mut [f32]) {
        if self != Self::Twist {
            action.copy_from_slice(velocities);
            return;
        }
        let jacobian = hand.jacobian(&arm.positions);
        for (axis, action) in action.iter_mut().enumerate() {
            let joints = jacobian.iter().zip(velocities).zip(MAX_VELOCITY_RAD_S);
            let speed: f64 = joints
                .map(|((column, v), most)| column[axis] * f64::from(*v) * most)
                .sum();
            *action = ((speed / TIP_SPEED_M_S) as f32).clamp(-1.0, 1.0);
        }
    }
}

/// Velocities of the joints in rad/s that move the tip by a twist in m/s, as a servo does: the least ones relative to their limits,
/// all slower where one would be too fast, and as far as it does not move the tip, toward the middle of their ranges.
fn tip_speeds(arm: &Arm, hand: &Shape, twist: [f64; 2]) -> Posture {
    let share = |speeds: &Posture| {
        let most = speeds
            .iter()
            .fold(1.0, |most: f64, speed| most.max(speed.abs()));
        speeds.map(|speed| speed / most)
    };
    let wanted = share(&joint_speeds(arm, hand, twist));
    // What moves the joints back, less what of it moves the tip.
    let back: Posture =
        std::array::from_fn(|j| -CENTRING_PER_S * arm.positions[j] / MAX_VELOCITY_RAD_S[j]);
    let jacobian = hand.jacobian(&arm.positions);
    let of_tip: [f64; 2] = std::array::from_fn(|axis| {
        (0..JOINTS)
            .map(|j| jacobian[j][axis] * back[j] * MAX_VELOCITY_RAD_S[j])
            .sum()
    });
    let taken = joint_speeds(arm, hand, of_tip);
    let moving = twist != [0.0; 2];
    let both: Posture =
        std::array::from_fn(|j| wanted[j] + if moving { back[j] - taken[j] } else { 0.0 });
    let both = share(&both);
    std::array::from_fn(|j| both[j] * MAX_VELOCITY_RAD_S[j])
}
