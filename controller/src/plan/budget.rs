//! Keeping to a deadline: the next iteration's time is predicted from the last ones.

use super::PlanRequest;
use crate::time::{Clock, Time};

/// Factor on the estimate when an iteration was refused. Nothing is measured then, and an estimate
/// that stays above the whole budget would refuse for ever.
const AFTER_REFUSAL: f64 = 0.7;

/// Predicts how long iterations take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IterationTimer {
    /// Estimate in seconds; rises at once, falls slowly with every iteration and faster with every
    /// refusal, so that one slow iteration does not stop all later plans.
    estimate_s: f64,
    began: Option<Time>,
    /// When it was asked last whether another one fits.
    asked: Option<Time>,
}

impl IterationTimer {
    /// Whether an iteration begun now would end after `deadline`, with half as much again in
    /// reserve for what follows the last one. Without a deadline: never.
    pub(super) fn would_overrun(&mut self, deadline: Option<Time>, clock: &dyn Clock) -> bool {
        self.would_overrun_before(deadline, clock, 0.0)
    }

    /// Whether the plan that was asked for ends after so many iterations for want of time: by its
    /// deadline, or as it did when it was made before.
    pub(super) fn is_out_of_time(
        &mut self,
        request: &PlanRequest<'_>,
        iterations: u32,
        clock: &dyn Clock,
    ) -> bool {
        match request.replay {
            Some(decisions) => decisions.out_of_time_after == Some(iterations),
            None => self.would_overrun(request.deadline, clock),
        }
    }

    /// The same where something has to follow that takes `reserve_s` seconds.
    pub(super) fn would_overrun_before(
        &mut self,
        deadline: Option<Time>,
        clock: &dyn Clock,
        reserve_s: f64,
    ) -> bool {
        let Some(deadline) = deadline else {
            return false;
        };
        let now = clock.now();
        self.asked = Some(now);
        let left_s = deadline.seconds_since(now);
        let refused = left_s <= 0.0 || left_s < 1.5 * (self.estimate_s + reserve_s);
        if refused {
            self.estimate_s *= AFTER_REFUSAL;
        }
        refused
    }

    /// How long it takes, in seconds; 0 before the first.
    pub(super) fn estimate_s(&self) -> f64 {
        self.estimate_s
    }

    /// An iteration began when it was asked whether it fits; now, if there was no deadline.
    pub(super) fn begin_when_asked(&mut self, clock: &dyn Clock) {
        self.began = Some(self.asked.take().unwrap_or_else(|| clock.now()));
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
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Duration;

    struct HandClock(Cell<Time>);

    impl Clock for HandClock {
        fn now(&self) -> Time {
            self.0.get()
        }
    }

    #[test]
    fn stops_before_the_deadline() {
        let clock = HandClock(Cell::new(Time(0)));
        let mut timer = IterationTimer::default();
        let deadline = Some(Time(50_000_000));
        let mut iterations = 0;
        let iterate = |timer: &mut IterationTimer, ms: i64| {
            timer.begin(&clock);
            clock.0.set(Time(clock.now().0 + ms * 1_000_000));
            timer.end(&clock);
        };
        while !timer.would_overrun(deadline, &clock) {
            iterate(&mut timer, 4);
            iterations += 1;
        }
        // 4 ms an iteration and half as much again in reserve: the twelfth begins at 44 ms.
        assert_eq!(iterations, 12);
        assert!(!timer.would_overrun(None, &clock));

        // One slow iteration makes it careful at once, fast ones hopeful again only slowly.
        let left = |clock: &HandClock| Some(clock.now() + Duration::from_millis(25));
        iterate(&mut timer, 20);
        iterate(&mut timer, 4);
        assert!(timer.would_overrun(left(&clock), &clock));
        for _ in 0..20 {
            iterate(&mut timer, 4);
        }
        assert!(!timer.would_overrun(left(&clock), &clock));
    }

    #[test]
    fn one_very_slow_iteration_does_not_stop_all_later_plans() {
        let clock = HandClock(Cell::new(Time(0)));
        let mut timer = IterationTimer::default();
        timer.begin(&clock);
        clock.0.set(Time(1_000_000_000));
        timer.end(&clock);
        let refused = (0..)
            .take_while(|_| {
                let deadline = Some(clock.now() + Duration::from_millis(60));
                timer.would_overrun(deadline, &clock)
            })
            .count();
        assert!(
            (1..=10).contains(&refused),
            "{refused} plans without an iteration"
        );
    }
}
