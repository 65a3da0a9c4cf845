//! A clock that stands still, and one that jumps, told by the machine's own clock.

use std::time::Duration;

use crate::time::Time;

/// A clock that does not move for so long on the machine's own clock is silent.
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// A clock that goes back by more than this has jumped; by less, messages of it overtook each other.
const BACK: Duration = Duration::from_millis(100);
/// A clock that goes on by so much more than the machine's own between two looks has jumped.
const FORTH: Duration = Duration::from_secs(2);

/// What a look at the clock finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClockState {
    /// It runs.
    Runs,
    /// It stands still.
    Silent,
    /// It jumped by so many seconds, back where that is negative: what was stamped before belongs to another time line.
    Jumped(f64),
}

/// Compares a clock with the machine's own.
#[derive(Clone, Debug, Default)]
pub struct ClockWatch {
    /// The clock and the machine's at the last look.
    last: Option<(Time, Duration)>,
    /// The machine's clock when the other one last moved.
    moved: Duration,
}

impl ClockWatch {
    /// Looks at the clock: `now` is what it shows, `machine` the time on a monotonic clock of the machine.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    pub fn look(&mut self, now: Time, machine: Duration) -> ClockState {
        let Some((last, at)) = self.last.replace((now, machine)) else {
            self.moved = machine;
            return ClockState::Runs;
        };
        if now != last {
            self.moved = machine;
            let went_s = now.seconds_since(last);
            let expected_s = machine.saturating_sub(at).as_secs_f64();
            // The first time of a clock that showed none is no jump.
            let known = last != Time(0);
            if known && (went_s < -BACK.as_secs_f64() || went_s > expected_s + FORTH.as_secs_f64())
            {
                return ClockState::Jumped(went_s - expected_s);
            }
        }
        if machine.saturating_sub(self.moved) > SILENT_AFTER {
            ClockState::Silent
        } else {
            ClockState::Runs
        }
    }

    /// Forgets the last look, after a time without any.
    pub fn restart(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn jumps_and_silence_are_told_apart_from_a_slow_a_fast_and_a_held_one() {
        let mut watch = ClockWatch::default();
        let begin = Time::from_seconds(100.0);
        // Half as fast, then five times as fast as the machine's.
        for k in 0..500_u64 {
            assert_eq!(watch.look(begin + ms(5 * k), ms(10 * k)), ClockState::Runs);
        }
        let (mut now, mut machine) = (begin + ms(2500), ms(5000));
        for _ in 0..100 {
            assert_eq!(watch.look(now, machine), ClockState::Runs);
            (now, machine) = (now + ms(50), machine + ms(10));
        }
        // The thread that looks is held for 10 s, and the clock went on.
        (now, machine) = (now + ms(10_000), machine + ms(10_000));
        assert_eq!(watch.look(now, machine), ClockState::Runs);
        // A message overtakes another.
        assert_eq!(watch.look(now - ms(20), machine + ms(10)), ClockState::Runs);
        // It stands still.
        machine += ms(10);
        let mut states = Vec::new();
        for k in 1..=60 {
            states.push(watch.look(now - ms(20), machine + ms(10 * k)));
        }
        assert_eq!(states[40], ClockState::Runs);
        assert_eq!(states[59], ClockState::Silent);
        machine += ms(610);
        assert_eq!(watch.look(now, machine), ClockState::Runs);
        // It jumps back by 4 s and forth by an hour.
        let back = watch.look(now - ms(4000), machine + ms(10));
        assert!(
            matches!(back, ClockState::Jumped(s) if (s + 4.01).abs() < 1e-6),
            "{back:?}"
        );
        let forth = watch.look(now + ms(3_600_000), machine + ms(20));
        assert!(
            matches!(forth, ClockState::Jumped(s) if s > 3600.0),
            "{forth:?}"
        );
        assert_eq!(
            watch.look(now + ms(3_600_010), machine + ms(30)),
            ClockState::Runs
        );
        // From no time at all to the first one.
        let mut watch = ClockWatch::default();
        assert_eq!(watch.look(Time(0), ms(0)), ClockState::Runs);
        assert_eq!(watch.look(begin, ms(10)), ClockState::Runs);
    }
}
