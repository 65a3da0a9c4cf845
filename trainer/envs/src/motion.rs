//! How joints move: velocities follow their set-points with a lag.

/// Limits of one joint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointLimits {
    /// Lower end of the position in rad.
    pub lower_rad: f64,
    /// Upper end of the position in rad.
    pub upper_rad: f64,
    /// Largest speed in either direction in rad/s.
    pub velocity_rad_s: f64,
}

/// Time constant in seconds with which velocities follow their set-points.
pub const LAG_S: f64 = 0.08;

/// Longest time in seconds in which a robot moves without a look at what it touches.
const LONGEST_PIECE_S: f64 = 0.02;

/// Cuts a time into equal pieces of at most [`LONGEST_PIECE_S`]; there are none where it is not positive and
/// finite.
pub(crate) fn pieces(dt_s: f64) -> impl Iterator<Item = f64> {
    let count = if dt_s > 0.0 && dt_s.is_finite() {
        (dt_s / LONGEST_PIECE_S - 1e-9).ceil().max(1.0)
    } else {
        0.0
    };
    (0..count as u64).map(move |_| dt_s / count)
}

/// State of one joint.
pub(crate) struct Joint<'a> {
    pub(crate) position: &'a mut f64,
    pub(crate) velocity: &'a mut f64,
}

/// Holds velocity set-points for `dt_s` seconds. Velocities approach them exponentially; the motion is integrated exactly,
/// so two halves equal a whole unless a limit stops a joint. A joint that runs into its limit stops there.
///
/// Set-points beyond the velocity limits are clipped, those not finite count as 0.
pub(crate) fn advance<'a>(
    joints: impl Iterator<Item = Joint<'a>>,
    limits: &[JointLimits],
    set_points: &[f64],
    dt_s: f64,
) {
    if !(dt_s > 0.0 && dt_s.is_finite()) {
        return;
    }
    let reached = -(-dt_s / LAG_S).exp_m1();
    for ((joint, limit), set_point) in joints.zip(limits).zip(set_points) {
        let wanted = if set_point.is_finite() {
            set_point.clamp(-limit.velocity_rad_s, limit.velocity_rad_s)
        } else {
            0.0
        };
        let gap = wanted - *joint.velocity;
        let moved = *joint.position + wanted * dt_s - gap * LAG_S * reached;
        *joint.velocity += gap * reached;
        *joint.position = moved.clamp(limit.lower_rad, limit.upper_rad);
        if *joint.position != moved {
            *joint.velocity = 0.0;
        }
    }
}
