//! The brake in front of what the robot has to keep away from.

use super::limits::Limits;
use super::profile::JointMotion;
use crate::constraints::Constraints;

/// Time in s within which a robot follows a set-point well enough that one which comes to rest by it does not overshoot.
const REACTION_S: f64 = 0.2;

/// Slows velocities in rad/s, all joints alike, so that the robot at `positions` in rad comes to rest before it touches anything that
/// it has to keep away from; what leads away is not slowed. The velocities are kept for `ahead_s` before they can change.
/// Returns whether they were slowed.
///
/// # Real-time
/// No allocation; linear in the regions and joints.
pub(crate) fn hold_back(
    constraints: &Constraints,
    limits: &Limits,
    positions: &[f64],
    velocities: &mut [f64],
    ahead_s: f64,
) -> bool {
    let braking = velocities.iter().enumerate().map(|(joint, &velocity)| {
        let from = JointMotion {
            velocity,
            acceleration: 0.0,
        };
        limits.joint(joint).stop_time(from)
    });
    let stop_s = braking.fold(0.0, f64::max) + ahead_s + REACTION_S;
    let share = constraints.allowed_share(positions, velocities, stop_s);
    if share < 1.0 {
        velocities
            .iter_mut()
            .for_each(|velocity| *velocity *= share);
    }
    share < 1.0
}
