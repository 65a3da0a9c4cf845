//! What came out: the highest velocity, acceleration and jerk of a series of commands, and when it came to rest.

use std::time::Duration;

use super::limits::Limits;
use crate::inputs::JointVec;
use crate::time::Time;

/// The highest values of a series of commanded velocities, by the same rule as the limits: an acceleration is a change of
/// velocity, and a jerk a change of acceleration, by the time since the command before.
#[derive(Clone, Debug)]
pub struct Peaks {
    last: Option<(Time, JointVec, JointVec)>,
    /// Highest speed of each joint, rad/s.
    pub velocity: JointVec,
    /// Highest acceleration of each joint, rad/s^2.
    pub acceleration: JointVec,
    /// Highest jerk of each joint, rad/s^3.
    pub jerk: JointVec,
    /// Time of the newest command that moves a joint.
    pub moved_at: Option<Time>,
}

impl Peaks {
    /// Peaks of no command yet.
    #[must_use]
    pub fn new(joints: usize) -> Self {
        let zeros: JointVec = std::iter::repeat_n(0.0, joints).collect();
        Self {
            last: None,
            velocity: zeros.clone(),
            acceleration: zeros.clone(),
            jerk: zeros,
            moved_at: None,
        }
    }

    /// Takes a command of velocities in rad/s. One that is not later than the one before changes the speeds alone.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in the joints.
    pub fn note(&mut self, time: Time, velocities: &[f64]) {
        if velocities.iter().any(|&v| v != 0.0) {
            self.moved_at = Some(time);
        }
        let mut accelerations: JointVec = velocities.iter().map(|_| 0.0).collect();
        for (joint, &velocity) in velocities.iter().enumerate() {
            self.velocity[joint] = self.velocity[joint].max(velocity.abs());
            let Some((at, before, changed)) = &self.last else {
                continue;
            };
            let span_s = time.seconds_since(*at);
            if span_s > 0.0 {
                let acceleration = (velocity - before[joint]) / span_s;
                let jerk = (acceleration - changed[joint]) / span_s;
                accelerations[joint] = acceleration;
                self.acceleration[joint] = self.acceleration[joint].max(acceleration.abs());
                self.jerk[joint] = self.jerk[joint].max(jerk.abs());
            }
        }
        self.last = Some((time, velocities.iter().copied().collect(), accelerations));
    }

    /// Begins another series: what comes next does not follow what came last.
    pub fn begin(&mut self) {
        self.last = None;
    }

    /// The highest shares of the limits of velocity, acceleration and jerk over all joints; 1 is at the limit.
    #[must_use]
    pub fn shares(&self, limits: &Limits) -> [f64; 3] {
        let mut shares = [0.0_f64; 3];
        for joint in 0..self.velocity.len() {
            for (share, value, limit) in [
                (0, self.velocity[joint], limits.max_velocity(joint)),
                (1, self.acceleration[joint], limits.max_acceleration(joint)),
                (2, self.jerk[joint], limits.max_jerk(joint)),
            ] {
                shares[share] = shares[share].max(value / limit);
            }
        }
        shares
    }

    /// Time from `since` to the newest command that moves a joint; none where it rested then already.
    #[must_use]
    pub fn rest_after(&self, since: Time) -> Option<Duration> {
        (self.moved_at.filter(|at| *at >= since)).map(|at| at.saturating_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::limits::tests::limits;

    #[test]
    fn the_peaks_are_those_of_differences() {
        let mut peaks = Peaks::new(2);
        let at = |ms: i64| Time(ms * 1_000_000);
        peaks.note(at(0), &[0.0, 0.0]);
        peaks.note(at(10), &[0.01, 0.0]);
        peaks.note(at(20), &[0.03, -0.4]);
        peaks.note(at(60), &[0.03, 0.0]);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(peaks.velocity[0], 0.03) && near(peaks.velocity[1], 0.4));
        assert!(near(peaks.acceleration[0], 2.0) && near(peaks.acceleration[1], 40.0));
        assert!(near(peaks.jerk[0], 100.0) && near(peaks.jerk[1], 4000.0));
        let shares = peaks.shares(&limits());
        assert!(near(shares[0], 0.5) && near(shares[1], 8.0) && shares[2] == 0.0);
        assert_eq!(peaks.rest_after(at(10)), Some(Duration::from_millis(50)));
        assert_eq!(peaks.rest_after(at(61)), None);
        peaks.begin();
        peaks.note(at(70), &[0.0, 0.8]);
        assert!(near(peaks.jerk[1], 4000.0), "another series");
    }
}
