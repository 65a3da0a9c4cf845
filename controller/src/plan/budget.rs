//! Keeping to a deadline: the next iteration's time is predicted from the last ones.

use crate::time::{Clock, Time};

/// Predicts how long iterations take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IterationTimer {
    /// Estimate in seconds; rises at once, falls slowly.
    estimate_s: f64,
    began: Option<Time>,
}

impl IterationTimer {
    /// Whether an iteration begun now would end after `deadline`, with half as much again in
    /// reserve for what follows the last one. Without a deadline: never.
    pub(super) fn would_overrun(&self, deadline: Option<Time>, clock: &dyn Clock) -> bool {
        let Some(deadline) = deadline else {
            return false;
        };
        let left_s = deadline.seconds_since(clock.now());
        left_s <= 0.0 || left_s < 1.5 * self.estimate_s
    }

    /// An iteration begins.
    pub(super) fn begin(&mut self, clock: &dyn Clock) {
        self.began = Some(clock.now());
    }

    /// It is done.
    pub(super) fn end(&mut self, clock: &dyn Clock) {
        if let Some(began) = self.began.take() {
            let took_s = clock.now().seconds_since(began).max(0.0);
            self.estimate_s = took_s.max(0.9 * self.estimate_s + 0.1 * took_s);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Duration;

    /// Moves on by a fixed span at every look.
    pub(crate) struct TickingClock {
        now: Cell<Time>,
        span: Duration,
    }

    impl TickingClock {
        pub(crate) fn new(span: Duration) -> Self {
            Self {
                now: Cell::new(Time(0)),
                span,
            }
        }
    }

    impl Clock for TickingClock {
        fn now(&self) -> Time {
            let now = self.now.get() + self.span;
            self.now.set(now);
            now
        }
    }

    #[test]
    fn stops_before_the_deadline() {
        let clock = TickingClock::new(Duration::from_millis(2));
        let mut timer = IterationTimer::default();
        let deadline = Some(Time::from_seconds(0.05));
        let mut iterations = 0;
        while !timer.would_overrun(deadline, &clock) {
            timer.begin(&clock);
            timer.end(&clock);
            iterations += 1;
        }
        assert!(clock.now().0 <= 50_000_000, "{:?}", clock.now());
        assert!((5..10).contains(&iterations), "{iterations}");
        assert!(!timer.would_overrun(None, &clock));
    }
}
