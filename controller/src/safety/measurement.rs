//! Joint states that cannot be: outside the joints' limits, or further from the last ones than the joints can move.

use crate::inputs::{InputError, JointVec};
use crate::safety::Limits;
use crate::time::Time;

/// A position may be outside its limits by this share of the range between them, as a robot that was pushed is.
const MARGIN: f64 = 0.1;
/// A joint may move so many times as fast as its velocity limit: by hand, or by inertia.
const FASTER: f64 = 2.0;
/// Stamps may be wrong by so much, s.
const STAMP_JITTER_S: f64 = 0.1;

/// Compares joint states with the limits and with the last ones that were possible.
///
/// A joint that really is elsewhere is believed after the time that it takes to get there, so that no refusal lasts for ever; a
/// robot whose joint states are refused is stopped meanwhile as one without any.
#[derive(Clone, Debug)]
pub struct MeasurementGate {
    limits: Limits,
    last: Option<(Time, JointVec)>,
}

impl MeasurementGate {
    /// A gate that has seen nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, last: None }
    }

    /// Stamp of the last joint states that passed.
    #[must_use]
    pub fn last_stamp(&self) -> Option<Time> {
        self.last.as_ref().map(|(stamp, _)| *stamp)
    }

    /// Forgets the last joint states: the next may be anywhere within the limits.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Lets joint positions through, one a joint in rad (or m), taken at `stamp`, or refuses them.
    ///
    /// # Errors
    /// [`InputError::OutsideLimits`], [`InputError::ImpossibleMove`]; nothing is remembered then.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in the joints.
    pub fn check(&mut self, stamp: Time, positions: &[f64]) -> Result<(), InputError> {
        for (joint, &position) in positions.iter().enumerate() {
            let (lower, upper) = self.limits.position(joint);
            // Infinite where there are no limits.
            let margin = MARGIN * (upper - lower);
            if position < lower - margin || position > upper + margin {
                return Err(InputError::OutsideLimits {
                    joint,
                    position,
                    lower,
                    upper,
                });
            }
            if let Some((at, last)) = &self.last {
                let time_s = stamp.seconds_since(*at).max(0.0) + STAMP_JITTER_S;
                let possible = FASTER * self.limits.max_velocity(joint) * time_s;
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

    #[test]
    fn f05_positions_that_cannot_be_are_refused_and_believed_only_after_the_time_to_get_there() {
        // Limits of +-1 rad, 0.5 and 0.8 rad/s.
        let mut gate = MeasurementGate::new(limits());
        let at = Time::from_seconds;
        assert_eq!(gate.check(at(1.0), &[0.0, 0.0]), Ok(()));
        assert!(matches!(
            gate.check(at(1.01), &[100.0, 0.0]),
            Err(InputError::OutsideLimits { joint: 0, .. })
        ));
        assert_eq!(
            gate.check(at(1.02), &[0.01, 0.0]),
            Ok(()),
            "refused ones are forgotten"
        );
        // Within the limits, and 0.9 rad in 10 ms.
        for k in 0..4 {
            assert!(matches!(
                gate.check(at(1.03 + 0.01 * f64::from(k)), &[0.01, 0.9]),
                Err(InputError::ImpossibleMove { joint: 1, .. })
            ));
        }
        assert_eq!(gate.check(at(1.08), &[0.02, 0.01]), Ok(()));
        // It really is there: at 1.6 rad/s it could have come in half a second.
        assert!(gate.check(at(1.4), &[0.02, 0.9]).is_err());
        assert_eq!(gate.check(at(1.6), &[0.02, 0.9]), Ok(()));
        // Pushed out of its limits by a little.
        assert_eq!(gate.check(at(3.0), &[0.02, 1.15]), Ok(()));
        gate.forget();
        assert_eq!(gate.check(at(3.0), &[-1.0, -1.0]), Ok(()), "put back");
    }
}
