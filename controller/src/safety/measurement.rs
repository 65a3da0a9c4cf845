//! The one check that joint states pass on their way to belief and executor: shape, stamp, and whether they can be.

use crate::inputs::{InputError, JointInput, JointVec, Source, check_stamp};
use crate::safety::Limits;
use crate::time::Time;

/// A position may be outside its limits by this share of the range between them, as a robot that was pushed is.
const MARGIN: f64 = 0.1;
/// A joint may move so many times as fast as its velocity limit: by hand, or by inertia.
const FASTER: f64 = 2.0;
/// A joint may be said to be so many times as fast as its velocity limit: drivers differentiate positions, which is noisy.
const NOISIER: f64 = 10.0;
/// Positions and velocities of joints without limits, rad and rad/s: ten days of turning, and no number that a model could use.
const UNLIMITED: f64 = 1e6;
/// Stamps may be wrong by so much, s.
const STAMP_JITTER_S: f64 = 0.1;

/// Admits joint states, or says why not. Whoever takes joint states asks a gate of its own, before anything else is done with
/// them: the port of the runtime, the executor and the belief, so that the same sample is refused for the same reason wherever it
/// comes in, with middleware or without.
///
/// A joint that really is elsewhere is believed after the time that it takes to get there, so that no refusal lasts for ever; a
/// robot whose joint states are refused is stopped meanwhile as one without any.
#[derive(Clone, Debug)]
pub struct MeasurementGate {
    limits: Limits,
    future_s: f64,
    last: Option<(Time, JointVec)>,
}

impl MeasurementGate {
    /// A gate for joints with these limits that has seen nothing yet. Stamps may lie `future_s` ahead of the clock.
    #[must_use]
    pub fn new(limits: Limits, future_s: f64) -> Self {
        Self {
            limits,
            future_s,
            last: None,
        }
    }

    /// Forgets the last joint states: the next may be anywhere within the limits.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Lets a sample through that comes at the time `now`, or refuses it.
    ///
    /// # Errors
    /// [`InputError`] for the first of: a wrong length, a number that is not finite, a stamp that repeats, goes back or lies in
    /// the future, a position or velocity that the joint cannot have, a move that it cannot have made. Nothing is remembered then.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in the joints.
    pub fn admit(&mut self, sample: &JointInput<'_>, now: Time) -> Result<(), InputError> {
        let &JointInput {
            stamp,
            positions,
            velocities,
        } = sample;
        sample.check(self.limits.joints())?;
        let last = self.last.as_ref();
        let last_stamp = last.map(|(stamp, _)| *stamp);
        check_stamp(Source::Joints, stamp, last_stamp, now, self.future_s)?;
        for (joint, (&position, &velocity)) in positions.iter().zip(velocities).enumerate() {
            let (lower, upper) = self.limits.position(joint);
            // Infinite where there are no limits.
            let margin = MARGIN * (upper - lower);
            let (lowest, highest) = (lower - margin, upper + margin);
            if position < lowest.max(-UNLIMITED) || position > highest.min(UNLIMITED) {
                return Err(InputError::OutsideLimits {
                    joint,
                    position,
                    lower: lower.max(-UNLIMITED),
                    upper: upper.min(UNLIMITED),
                });
            }
            let fastest = self.limits.max_velocity(joint);
            let possible = (NOISIER * fastest).min(UNLIMITED);
            if velocity.abs() > possible {
                return Err(InputError::ImpossibleVelocity {
                    joint,
                    velocity,
                    possible,
                });
            }
            if let Some((at, last)) = last {
                let time_s = stamp.seconds_since(*at).max(0.0) + STAMP_JITTER_S;
                let possible = FASTER * fastest * time_s;
                let moved = (position - last[joint]).abs();
                if moved > possible {
                    return Err(InputError::ImpossibleMove {
                        joint,
                        moved,
                        possible,
                    });
                }
            }
        }
        self.last = Some((stamp, positions.iter().copied().collect()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::limits::tests::limits;

    /// Joints of +-1 rad, 0.5 and 0.8 rad/s.
    fn gate() -> MeasurementGate {
        MeasurementGate::new(limits(), 0.2)
    }

    fn at(gate: &mut MeasurementGate, seconds: f64, positions: &[f64]) -> Result<(), InputError> {
        let stamp = Time::from_seconds(seconds);
        let velocities = &[0.0; 2];
        let sample = JointInput {
            stamp,
            positions,
            velocities,
        };
        gate.admit(&sample, stamp)
    }

    #[test]
    fn f05_positions_that_cannot_be_are_refused_and_believed_only_after_the_time_to_get_there() {
        let mut gate = gate();
        assert_eq!(at(&mut gate, 1.0, &[0.0, 0.0]), Ok(()));
        assert!(matches!(
            at(&mut gate, 1.01, &[100.0, 0.0]),
            Err(InputError::OutsideLimits { joint: 0, .. })
        ));
        let next = at(&mut gate, 1.02, &[0.01, 0.0]);
        assert_eq!(next, Ok(()), "refused ones are forgotten");
        // Within the limits, and 0.9 rad in 10 ms.
        for k in 0..4 {
            assert!(matches!(
                at(&mut gate, 1.03 + 0.01 * f64::from(k), &[0.01, 0.9]),
                Err(InputError::ImpossibleMove { joint: 1, .. })
            ));
        }
        assert_eq!(at(&mut gate, 1.08, &[0.02, 0.01]), Ok(()));
        // It really is there: at 1.6 rad/s it could have come in half a second.
        assert!(at(&mut gate, 1.4, &[0.02, 0.9]).is_err());
        assert_eq!(at(&mut gate, 1.6, &[0.02, 0.9]), Ok(()));
        // Pushed out of its limits by a little.
        assert_eq!(at(&mut gate, 3.0, &[0.02, 1.15]), Ok(()));
        gate.forget();
        assert_eq!(at(&mut gate, 3.0, &[-1.0, -1.0]), Ok(()), "put back");
    }

    #[test]
    fn every_kind_of_wrong_sample_has_its_reason_and_leaves_the_next_good_one_taken() {
        use InputError::*;
        let mut gate = gate();
        assert_eq!(at(&mut gate, 1.0, &[0.0; 2]), Ok(()));
        let sample = |seconds, positions, velocities| JointInput {
            stamp: Time::from_seconds(seconds),
            positions,
            velocities,
        };
        let now = Time::from_seconds(1.1);
        let mut refused = |sample: JointInput<'_>| gate.admit(&sample, now).unwrap_err();
        let still = &[0.0; 2][..];
        // The order is that of the list: what is no sample of these joints has no stamp to speak of.
        let short = refused(sample(0.9, &[0.0], still));
        assert!(matches!(short, JointCount { .. }), "{short}");
        let nan = refused(sample(0.9, still, &[0.0, f64::NAN]));
        assert!(matches!(nan, NonFiniteJoint { joint: 1 }), "{nan}");
        let repeated = refused(sample(1.0, &[1e30, 0.0], still));
        assert!(matches!(repeated, RepeatedStamp(_)), "{repeated}");
        let older = refused(sample(0.9, still, still));
        assert!(matches!(older, OlderStamp { .. }), "{older}");
        let future = refused(sample(1.4, still, still));
        assert!(matches!(future, FutureStamp { .. }), "{future}");
        let far = refused(sample(1.05, &[1e30, 0.0], still));
        assert!(matches!(far, OutsideLimits { joint: 0, .. }), "{far}");
        let fast = refused(sample(1.05, still, &[0.0, -8.1]));
        assert!(
            matches!(fast, ImpossibleVelocity { joint: 1, .. }),
            "{fast}"
        );
        let moved = refused(sample(1.05, &[0.5, 0.0], still));
        assert!(matches!(moved, ImpossibleMove { joint: 0, .. }), "{moved}");
        assert_eq!(gate.admit(&sample(1.05, still, &[0.0, 8.0]), now), Ok(()));
    }

    #[test]
    fn a_joint_without_limits_may_turn_but_not_be_anywhere() {
        let mut unlimited = limits();
        unlimited.lower.fill(f64::NEG_INFINITY);
        unlimited.upper.fill(f64::INFINITY);
        unlimited.max_velocity.fill(f64::INFINITY);
        let mut gate = MeasurementGate::new(unlimited, 0.2);
        assert_eq!(at(&mut gate, 1.0, &[-9e5, 9e5]), Ok(()));
        let error = at(&mut gate, 1.1, &[0.0, 1e30]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("limits of -1000000.000 to 1000000.000"),
            "{error}"
        );
    }
}
