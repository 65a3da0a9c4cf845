//! Surprise: how far what the camera shows is from what the model predicted, against a calibrated threshold.

use std::time::Duration;

use crate::time::Time;

/// What a calibration says of the scores of belief steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurpriseLimits {
    /// Highest score that is expected.
    pub threshold: f32,
    /// Time for which scores may be above the threshold before the robot is slowed.
    pub slow_after: Duration,
    /// Time for which scores may be above the threshold before the robot is stopped.
    pub stop_after: Duration,
}

/// What the newest scores ask for, from the mildest to the most severe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Surprise {
    /// Nothing: the scene is what the model expects, or no limits are known.
    #[default]
    Expected,
    /// The robot is to move slowly.
    Slow,
    /// The robot is to stop.
    Stop,
}

impl Surprise {
    /// The level of this number, from 0; the most severe one for greater numbers.
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        match number {
            0 => Self::Expected,
            1 => Self::Slow,
            _ => Self::Stop,
        }
    }
}

/// Compares the score of each belief step with its limits. It is a pure function of the scores and their stamps, so that a
/// replay repeats it.
#[derive(Clone, Debug, Default)]
pub struct SurpriseMonitor {
    limits: Option<SurpriseLimits>,
    /// Stamp of the first of the newest scores that are all above the threshold.
    since: Option<Time>,
    level: Surprise,
}

impl SurpriseMonitor {
    /// Makes a monitor with limits; without any, nothing surprises it.
    #[must_use]
    pub fn new(limits: Option<SurpriseLimits>) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes the score of the belief step on the image of `stamp`. A score that is no number counts as above the threshold.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    pub fn look(&mut self, stamp: Time, score: f32) -> Surprise {
        let Some(limits) = self.limits else {
            return self.level;
        };
        if score <= limits.threshold {
            self.forget();
            return self.level;
        }
        let lasts = stamp.saturating_since(*self.since.get_or_insert(stamp));
        self.level = if lasts >= limits.stop_after {
            Surprise::Stop
        } else if lasts >= limits.slow_after {
            Surprise::Slow
        } else {
            Surprise::Expected
        };
        self.level
    }

    /// What the newest scores ask for.
    #[must_use]
    pub fn level(&self) -> Surprise {
        self.level
    }

    /// Forgets all scores, as at the start of an episode.
    pub fn forget(&mut self) {
        self.since = None;
        self.level = Surprise::Expected;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_slows_and_then_stops_and_one_expected_score_ends_it() {
        let mut monitor = SurpriseMonitor::new(Some(SurpriseLimits {
            threshold: 3.0,
            slow_after: Duration::from_millis(200),
            stop_after: Duration::from_millis(500),
        }));
        let mut look = |tenths: u32, score| {
            let stamp = Time::from_seconds(0.1 * f64::from(tenths));
            monitor.look(stamp, score)
        };
        let levels: Vec<_> = (10..17).map(|k| look(k, 4.0)).collect();
        use Surprise::{Expected, Slow, Stop};
        let expected = [Expected, Expected, Slow, Slow, Slow, Stop, Stop];
        assert_eq!(levels, expected);
        assert_eq!(look(17, 3.0), Expected);
        assert_eq!(look(18, f32::NAN), Expected);
        assert_eq!(look(20, f32::NAN), Slow);
        for level in [Expected, Slow, Stop] {
            assert_eq!(Surprise::of_number(level as u8), level);
        }
        let mut without = SurpriseMonitor::new(None);
        assert_eq!(without.look(Time(0), f32::INFINITY), Expected);
        assert_eq!(without.look(Time(i64::MAX), f32::INFINITY), Expected);
    }
}
