//! The limits of a robot's joints, and the gate that every set-point passes.

use crate::inputs::JointVec;

/// Limits of the joints; infinite where there are none.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Lowest positions, rad.
    pub(crate) lower: JointVec,
    /// Highest positions, rad.
    pub(crate) upper: JointVec,
    /// Highest speeds, rad/s.
    pub(crate) max_velocity: JointVec,
    /// Highest accelerations, rad/s^2.
    pub(crate) max_acceleration: JointVec,
    /// Speeds of the normalised action 1, rad/s: what a scaled speed is relative to where there is no limit.
    pub(crate) scale: JointVec,
    /// Factor on the highest speed of every joint, 0 to 1.
    pub(crate) velocity_scale: f64,
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

/// The times of a step from one set-point to the next, s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StepTimes {
    /// Time since the set-point before was sent.
    pub(crate) elapsed_s: f64,
    /// Time until the next one.
    pub(crate) ahead_s: f64,
}

impl Limits {
    /// Lowest and highest position of a joint, rad.
    #[must_use]
    pub fn position(&self, joint: usize) -> (f64, f64) {
        (self.lower[joint], self.upper[joint])
    }

    /// Highest speed of a joint in rad/s, not scaled.
    #[must_use]
    pub fn max_velocity(&self, joint: usize) -> f64 {
        self.max_velocity[joint]
    }

    /// Highest acceleration of a joint in rad/s^2.
    #[must_use]
    pub fn max_acceleration(&self, joint: usize) -> f64 {
        self.max_acceleration[joint]
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

    /// Brings the velocities in rad/s of all joints as near to `wanted` as the limits allow. A wanted velocity that is not
    /// finite means braking. `positions` are where the joints are, if known.
    pub(crate) fn step(
        &self,
        velocities: &mut [f64],
        wanted: &[f64],
        positions: Option<&[f64]>,
        times: StepTimes,
    ) -> LimitHits {
        let mut hits = LimitHits::default();
        for (joint, (velocity, &wanted)) in velocities.iter_mut().zip(wanted).enumerate() {
            let wanted = if wanted.is_finite() { wanted } else { 0.0 };
            let position = positions.map(|positions| positions[joint]);
            *velocity = self.limit(joint, [wanted, *velocity], position, times, &mut hits);
        }
        hits
    }

    /// Moves positions in rad on by velocities in rad/s for `time_s`. No joint leaves its limits by that; one that is outside may
    /// only come back.
    pub(crate) fn advance(&self, positions: &mut [f64], velocities: &[f64], time_s: f64) {
        for (joint, (position, velocity)) in positions.iter_mut().zip(velocities).enumerate() {
            let (before, (lower, upper)) = (*position, self.position(joint));
            *position = (before + velocity * time_s).clamp(lower.min(before), upper.max(before));
        }
    }

    /// The velocity in rad/s of one joint nearest to the `wanted` one that the limits allow after the `current` one.
    ///
    /// Close to a position limit the velocity is such that braking at the acceleration limit ends at it.
    fn limit(
        &self,
        joint: usize,
        [wanted, current]: [f64; 2],
        position: Option<f64>,
        times: StepTimes,
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
            let toward = |distance: f64| braking_speed(distance, acceleration, times.ahead_s);
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
        let change = acceleration * times.elapsed_s;
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

    const TIMES: StepTimes = StepTimes {
        elapsed_s: 0.01,
        ahead_s: 0.01,
    };

    /// Limits of two joints, for tests.
    pub(crate) fn limits() -> Limits {
        let vec = |values: [f64; 2]| values.into_iter().collect::<JointVec>();
        Limits {
            lower: vec([-1.0, -1.0]),
            upper: vec([1.0, 1.0]),
            max_velocity: vec([0.5, 0.8]),
            max_acceleration: vec([5.0, 5.0]),
            scale: vec([0.5, 1.0]),
            velocity_scale: 1.0,
        }
    }

    #[test]
    fn each_limit_is_kept_and_reported() {
        let limits = limits();
        let limit = |joint, wanted, current, position| {
            let mut hits = LimitHits::default();
            let v = limits.limit(joint, [wanted, current], position, TIMES, &mut hits);
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
        let limits = limits();
        let (mut position, mut velocity) = (0.0, 0.0);
        for _ in 0..2000 {
            velocity = limits.limit(
                1,
                [0.8, velocity],
                Some(position),
                TIMES,
                &mut LimitHits::default(),
            );
            position += velocity * 0.01;
            assert!(position <= 1.0 + 1e-9, "{position}");
        }
        assert!(position > 0.99, "{position}");
        assert!(velocity.abs() < 1e-3, "{velocity}");
    }
}
