//! The limits of a robot's joints, and the gate that every set-point passes.

use super::profile::{JointBounds, JointMotion, LimitHits, StepTimes};
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
    /// Highest jerks, rad/s^3.
    pub(crate) max_jerk: JointVec,
    /// Speeds of the normalised action 1, rad/s: what a scaled speed is relative to where there is no limit.
    pub(crate) scale: JointVec,
    /// Largest errors of tracking, rad.
    pub(crate) max_tracking_error: JointVec,
    /// Factor on the highest speed of every joint, 0 to 1.
    pub(crate) velocity_scale: f64,
}

/// The commanded motion of all joints.
#[derive(Clone, Debug, PartialEq)]
pub struct Motion {
    /// Velocities, rad/s.
    pub velocities: JointVec,
    /// Accelerations by which they were reached, rad/s^2.
    pub accelerations: JointVec,
}

impl Motion {
    /// The rest of so many joints.
    #[must_use]
    pub fn rest(joints: usize) -> Self {
        let zeros: JointVec = std::iter::repeat_n(0.0, joints).collect();
        Self {
            velocities: zeros.clone(),
            accelerations: zeros,
        }
    }

    /// Whether no joint moves.
    #[must_use]
    pub fn is_rest(&self) -> bool {
        self.velocities.iter().all(|&v| v == 0.0)
    }
}

impl Limits {
    /// Lowest and highest position of a joint, rad.
    #[must_use]
    pub fn position(&self, joint: usize) -> (f64, f64) {
        (self.lower[joint], self.upper[joint])
    }

    /// Number of joints.
    #[must_use]
    pub fn joints(&self) -> usize {
        self.scale.len()
    }

    /// Velocity of a joint in rad/s that the normalised action 1 stands for.
    #[must_use]
    pub fn scale(&self, joint: usize) -> f64 {
        self.scale[joint]
    }

    /// How far a joint may be from where the commands should have brought it, rad.
    #[must_use]
    pub fn tracking_error(&self, joint: usize) -> f64 {
        self.max_tracking_error[joint]
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

    /// Highest jerk of a joint in rad/s^3.
    #[must_use]
    pub fn max_jerk(&self, joint: usize) -> f64 {
        self.max_jerk[joint]
    }

    /// The limits of one joint as they are now: the highest speed is the scaled one, which is relative to the action 1 where there
    /// is no limit.
    #[must_use]
    pub fn joint(&self, joint: usize) -> JointBounds {
        let speed = self.max_velocity[joint];
        JointBounds {
            lower: self.lower[joint],
            upper: self.upper[joint],
            speed: if self.velocity_scale < 1.0 {
                speed.min(self.scale[joint].abs()) * self.velocity_scale
            } else {
                speed
            },
            acceleration: self.max_acceleration[joint],
            jerk: self.max_jerk[joint],
        }
    }

    /// The longest time in s that a joint takes to rest from the velocity of the action 1 and any acceleration, with set-points
    /// every `tick_s`.
    #[must_use]
    pub fn longest_stop(&self, joint: usize, tick_s: f64) -> f64 {
        let bounds = self.joint(joint);
        let speed = bounds.speed.min(self.scale[joint].abs());
        JointBounds { speed, ..bounds }.longest_stop(tick_s)
    }

    /// Brings the velocities in rad/s of all joints as near to `wanted` as the limits allow. A wanted velocity that is not
    /// finite means braking. `positions` are where the joints are, if known.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in the joints.
    pub fn step(
        &self,
        motion: &mut Motion,
        wanted: &[f64],
        positions: Option<&[f64]>,
        times: StepTimes,
    ) -> LimitHits {
        let mut hits = LimitHits::default();
        for (joint, &wanted) in wanted.iter().enumerate() {
            let now = JointMotion {
                velocity: motion.velocities[joint],
                acceleration: motion.accelerations[joint],
            };
            let position = positions.map(|positions| positions[joint]);
            let hit = (1u16 << joint, &mut hits);
            let next = (self.joint(joint)).next(now, wanted, position, times, hit);
            motion.velocities[joint] = next.velocity;
            motion.accelerations[joint] = next.acceleration;
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
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Limits of two joints without one of jerk, for tests.
    pub(crate) fn limits() -> Limits {
        let vec = |values: [f64; 2]| values.into_iter().collect::<JointVec>();
        Limits {
            lower: vec([-1.0, -1.0]),
            upper: vec([1.0, 1.0]),
            max_velocity: vec([0.5, 0.8]),
            max_acceleration: vec([5.0, 5.0]),
            max_jerk: vec([f64::INFINITY; 2]),
            max_tracking_error: vec([0.25, 0.4]),
            scale: vec([0.5, 1.0]),
            velocity_scale: 1.0,
        }
    }

    #[test]
    fn each_limit_is_kept_and_reported() {
        let limits = limits();
        let step = |limits: &Limits, wanted: [f64; 2], current: [f64; 2], position: f64| {
            let mut motion = Motion::rest(2);
            motion.velocities.copy_from_slice(&current);
            let times = StepTimes::held(0.01, 0.01);
            let hits = limits.step(&mut motion, &wanted, Some(&[position; 2]), times);
            (motion.velocities, hits)
        };
        let (v, hits) = step(&limits, [0.5, 2.0], [0.5, 0.8], 0.0);
        assert_eq!((v.as_slice(), hits.velocity), (&[0.5, 0.8][..], 2));
        assert_eq!((hits.position, hits.acceleration, hits.jerk), (0, 0, 0));
        let (v, hits) = step(&limits, [0.5, 0.0], [0.0; 2], 0.0);
        assert!((v[0] - 0.05).abs() < 1e-12);
        assert_eq!((hits.acceleration, hits.jerk), (1, 0));
        let (v, hits) = step(&limits, [0.5, -0.05], [0.0; 2], 1.0);
        assert_eq!((v[0], hits.position), (0.0, 1));
        let jerky = Limits {
            max_jerk: [100.0; 2].into_iter().collect(),
            ..limits
        };
        let (v, hits) = step(&jerky, [0.5, 0.0], [0.0; 2], 0.0);
        assert!((v[0] - 0.01).abs() < 1e-12);
        assert_eq!((hits.acceleration, hits.jerk), (0, 1));
    }
}
