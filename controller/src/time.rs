//! Points in time as the core sees them: always an argument, never read from the machine.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest span that [`span`] gives: beyond it, sums and multiples would overflow.
const LONGEST: f64 = 1e9;

/// A span of so many seconds from a number that may be anything: none where it is negative or no number, 1e9 s (32 years) where it
/// is longer.
#[must_use]
pub fn span(seconds: f64) -> Duration {
    if seconds > 0.0 {
        Duration::try_from_secs_f64(seconds.min(LONGEST)).unwrap_or_default()
    } else {
        Duration::ZERO
    }
}

/// Nanoseconds since an epoch that all inputs of one controller share
/// (ROS time, simulated time, or a monotonic clock).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub i64);

impl Time {
    /// Makes the time `seconds` after the epoch.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e9).round() as i64)
    }

    /// Seconds from `earlier` to this time; negative when this time is the older one.
    #[must_use]
    pub fn seconds_since(self, earlier: Time) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 * 1e-9
    }

    /// The span from `earlier` to this time, zero when this time is the older one.
    #[must_use]
    pub fn saturating_since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(nanos(span)))
    }
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// A clock at which a planner may look while it works, to keep to its budget.
pub trait Clock {
    /// The time now, on the same epoch as the inputs.
    fn now(&self) -> Time;
}

/// A clock that stands still: budgets by time never end, so that iteration counts alone decide. Simulation
/// and replay use it, and are deterministic because of it.
#[derive(Clone, Copy, Debug)]
pub struct FrozenClock(pub Time);

impl Clock for FrozenClock {
    fn now(&self) -> Time {
        self.0
    }
}

/// A monotonic clock of this process, counted from its creation and set to `epoch` there.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    epoch: Time,
    started: std::time::Instant,
}

impl MonotonicClock {
    /// A clock that shows `epoch` now and runs on from there.
    #[must_use]
    pub fn starting_at(epoch: Time) -> Self {
        Self {
            epoch,
            started: std::time::Instant::now(),
        }
    }

    /// A clock that shows the system's time (nanoseconds since 1970) but never jumps afterwards.
    #[must_use]
    pub fn system() -> Self {
        let since_1970 = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self::starting_at(Time(nanos(since_1970)))
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Time {
        self.epoch + self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f04_no_number_of_seconds_panics() {
        for wild in [f64::NAN, f64::INFINITY, f64::MAX, 1e300, 1.9e19, 1e18, 1e9] {
            let span = span(wild);
            assert_eq!(span.as_secs_f64(), if wild.is_nan() { 0.0 } else { 1e9 });
            // What is done with spans.
            let _ = (std::time::Instant::now() + span, span * 10_000);
            assert!(Time(i64::MAX) + span == Time(i64::MAX));
        }
        for none in [-1.0, f64::NEG_INFINITY, -0.0, 1e-300] {
            assert_eq!(span(none), Duration::ZERO);
        }
        assert_eq!(span(0.25), Duration::from_millis(250));
    }

    #[test]
    fn spans_are_signed_and_saturate() {
        let early = Time::from_seconds(1.0);
        let late = early + Duration::from_millis(250);
        assert!((late.seconds_since(early) - 0.25).abs() < 1e-12);
        assert!((early.seconds_since(late) + 0.25).abs() < 1e-12);
        assert_eq!(early.saturating_since(late), Duration::ZERO);
        assert_eq!(Time(i64::MAX) + Duration::from_secs(1), Time(i64::MAX));
        assert_eq!(late - Duration::from_millis(250), early);
    }
}
