//! Surprise: how far what the camera shows is from what the model predicted, against the bundle's calibrated thresholds.
//!
//! A belief adapts: the image after the first one that the model does not know already surprises it less, and a black picture
//! becomes what it expects. So the first score above the threshold stops the robot until somebody says that the scene is again
//! one to move in, by a reset, a new episode or activation; that this is rarely for nothing is what the calibration is for.

use std::time::Duration;

use latco_models::ExpectedSurprise;

use crate::config::SurpriseAction;
use crate::time::Time;

/// Time for which a robot is slow after a score that asks for it.
pub const SLOW_FOR: Duration = Duration::from_secs(1);

/// Scores above which a robot is slowed and stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurpriseLimits {
    /// Highest score at which a robot is not slowed.
    pub slow: f32,
    /// Highest score at which it is not stopped.
    pub stop: f32,
}

/// What the newest scores ask for, from the mildest to the most severe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
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
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Slow => "slow",
            Self::Stop => "stop",
        }
    }

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
    /// Whether the robot is to be slowed and stopped; it is only told of otherwise.
    acts: bool,
    slow_until: Option<Time>,
    level: Surprise,
}

impl SurpriseMonitor {
    /// Makes a monitor with limits; without any, nothing surprises it.
    #[must_use]
    pub fn new(limits: Option<SurpriseLimits>) -> Self {
        Self {
            limits,
            acts: true,
            ..Self::default()
        }
    }

    /// Makes a monitor with a bundle's calibration. It acts only if that is wanted and the calibration promises few enough false
    /// stops.
    #[must_use]
    pub fn calibrated(expected: Option<&ExpectedSurprise>, action: SurpriseAction) -> Self {
        let limits = expected.map(|expected| SurpriseLimits {
            slow: expected.slow,
            stop: expected.stop,
        });
        Self {
            acts: action == SurpriseAction::Stop
                && expected.is_some_and(ExpectedSurprise::may_stop),
            ..Self::new(limits)
        }
    }

    /// Takes the score of the belief step on the image of `stamp`. A score that is no number counts as above all limits.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    pub fn look(&mut self, stamp: Time, score: f32) -> Surprise {
        let Some(limits) = self.limits else {
            return self.level;
        };
        let exceeds = |limit: f32| score.is_nan() || score > limit;
        if exceeds(limits.slow) {
            self.slow_until = Some(stamp + SLOW_FOR);
        }
        if self.level == Surprise::Stop || exceeds(limits.stop) {
            self.level = Surprise::Stop;
        } else if self.slow_until.is_some_and(|until| stamp < until) {
            self.level = Surprise::Slow;
        } else {
            self.level = Surprise::Expected;
        }
        self.level
    }

    /// What the executor is to do about it.
    #[must_use]
    pub fn action(&self) -> Surprise {
        if self.acts {
            self.level
        } else {
            Surprise::Expected
        }
    }

    /// What the newest scores ask for.
    #[must_use]
    pub fn level(&self) -> Surprise {
        self.level
    }

    /// Forgets all scores, as at the start of an episode.
    pub fn forget(&mut self) {
        self.slow_until = None;
        self.level = Surprise::Expected;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::tests::surprised_above;

    use Surprise::{Expected, Slow, Stop};

    fn monitor(action: SurpriseAction, false_stops_per_hour: f64) -> SurpriseMonitor {
        let mut expected = surprised_above([3.0, 6.0]).surprise.unwrap();
        expected.false_stops_per_hour = false_stops_per_hour;
        SurpriseMonitor::calibrated(Some(&expected), action)
    }

    fn at(tenths: u32) -> Time {
        Time::from_seconds(0.1 * f64::from(tenths))
    }

    #[test]
    fn what_surprises_a_little_slows_for_a_second() {
        let mut monitor = monitor(SurpriseAction::Stop, 0.125);
        assert_eq!(monitor.look(at(10), 3.0), Expected);
        assert_eq!(monitor.look(at(11), 3.1), Slow);
        assert_eq!(monitor.look(at(15), 4.0), Slow);
        assert_eq!(monitor.look(at(21), 0.0), Slow);
        assert_eq!(monitor.look(at(24), 0.0), Slow);
        assert_eq!(monitor.look(at(25), 0.0), Expected);
        assert_eq!(monitor.action(), Expected);
    }

    #[test]
    fn one_score_above_the_threshold_stops_until_it_is_forgotten() {
        for score in [6.1, f32::NAN, f32::INFINITY] {
            let mut monitor = monitor(SurpriseAction::Stop, 0.125);
            assert_eq!(monitor.look(at(10), 6.0), Slow);
            assert_eq!(monitor.look(at(11), score), Stop);
            // The belief has adapted.
            for tenths in 12..100 {
                assert_eq!(monitor.look(at(tenths), 0.0), Stop);
            }
            assert_eq!(monitor.action(), Stop);
            monitor.forget();
            assert_eq!(monitor.level(), Expected);
            assert_eq!(monitor.look(at(101), 0.0), Expected);
        }
    }

    #[test]
    fn it_only_tells_where_it_is_told_so_or_promises_too_little() {
        for (action, false_stops_per_hour, acts) in [
            (SurpriseAction::Stop, 0.125, true),
            (SurpriseAction::Warn, 0.125, false),
            (SurpriseAction::Stop, 0.13, false),
        ] {
            let mut monitor = monitor(action, false_stops_per_hour);
            assert_eq!(monitor.look(at(10), 7.0), Stop);
            assert_eq!(monitor.level(), Stop);
            assert_eq!(monitor.action(), if acts { Stop } else { Expected });
        }
    }

    #[test]
    fn without_a_calibration_nothing_surprises() {
        let mut without = SurpriseMonitor::calibrated(None, SurpriseAction::Stop);
        assert_eq!(without.look(Time(0), f32::INFINITY), Expected);
        assert_eq!(without.look(Time(i64::MAX), f32::NAN), Expected);
        for level in [Expected, Slow, Stop] {
            assert_eq!(Surprise::of_number(level as u8), level);
        }
    }
}
