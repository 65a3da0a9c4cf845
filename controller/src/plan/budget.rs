//! Keeping to a deadline: the next iteration's time is predicted from the last ones.

use super::contract::PlanRequest;
use crate::time::{Clock, Time};

/// Factor on the estimate when an iteration was refused. Nothing is measured then, and an estimate
/// that stays above the whole budget would refuse for ever.
const AFTER_REFUSAL: f64 = 0.7;
/// The same for the shortest time known, below which the estimate does not fall.
const SHORTEST_AFTER_REFUSAL: f64 = 0.98;
/// By how much an iteration that took longer after refusals raises the shortest time again, at most.
const SHORTEST_RISE: f64 = 1.5;
/// Iterations after which the shortest time is known.
pub(super) const KNOWN_AFTER: u32 = 3;

/// Predicts how long iterations take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IterationTimer {
    /// Estimate in seconds; rises at once, falls slowly with every iteration and faster with every
    /// refusal, so that one slow iteration does not stop all later plans.
    estimate_s: f64,
    /// The shortest of them, in seconds.
    shortest_s: f64,
    /// Iterations that were timed.
    timed: u32,
    /// Whether there was a refusal after the last of them.
    refused: bool,
    began: Option<Time>,
    /// When it was asked last whether another one fits.
    asked: Option<Time>,
}

impl IterationTimer {
    /// Whether an iteration begun now would end after `deadline`, with half as much again in
    /// reserve. Without a deadline: never.
    pub(super) fn would_overrun(&mut self, deadline: Option<Time>, clock: &dyn Clock) -> bool {
        self.would_overrun_before(deadline, clock, 0.0)
    }

    /// Whether the plan that was asked for ends after so many iterations for want of time: by its
    /// deadline, with `reserve_s` seconds for what follows the last one, or as it did when it was made
    /// before.
    pub(super) fn is_out_of_time(
        &mut self,
        request: &PlanRequest<'_>,
        iterations: u32,
        clock: &dyn Clock,
        reserve_s: f64,
    ) -> bool {
        match request.replay {
            Some(decisions) => decisions.out_of_time_after == Some(iterations),
            None => self.would_overrun_before(request.deadline, clock, reserve_s),
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
            let least = if self.timed < KNOWN_AFTER {
                0.0
            } else {
                self.shortest_s
            };
            self.estimate_s = least.max(AFTER_REFUSAL * self.estimate_s);
            self.shortest_s *= SHORTEST_AFTER_REFUSAL;
            self.refused = true;
        }
        refused
    }

    /// Before the first iteration: expects it to take as long as those of `other`, which are no
    /// shorter. Nothing is taken for known by that.
    pub(super) fn expect_as(&mut self, other: &Self) {
        if self.timed == 0 && self.estimate_s == 0.0 {
            self.estimate_s = other.estimate_s;
        }
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
            self.shortest_s = if self.timed == 0 {
                took_s
            } else if self.refused {
                took_s.min(SHORTEST_RISE * self.shortest_s)
            } else {
                took_s.min(self.shortest_s)
            };
            self.timed = self.timed.saturating_add(1);
            self.refused = false;
        }
    }
}

/// What an iteration of many parts asks between them, so that it can be given up in time: whether the
/// longest part so far, begun now, would end after the deadline.
pub(super) struct Cut<'a> {
    deadline: Option<Time>,
    clock: &'a dyn Clock,
    /// For what follows.
    reserve_s: f64,
    last: Option<Time>,
    longest_s: f64,
}

impl<'a> Cut<'a> {
    /// For a plan that was asked for. One that is made again is never cut: it ends where it did.
    pub(super) fn new(request: &PlanRequest<'_>, clock: &'a dyn Clock, reserve_s: f64) -> Self {
        Self {
            deadline: request.deadline.filter(|_| request.replay.is_none()),
            clock,
            reserve_s,
            last: None,
            longest_s: 0.0,
        }
    }

    /// Whether to give up; asked between parts.
    pub(super) fn is_due(&mut self) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        let now = self.clock.now();
        if let Some(last) = self.last.replace(now) {
            self.longest_s = self.longest_s.max(now.seconds_since(last));
        }
        deadline.seconds_since(now) < self.longest_s + self.reserve_s
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

    #[test]
    fn iterations_that_never_fit_are_hardly_ever_tried() {
        let clock = HandClock(Cell::new(Time(0)));
        let mut timer = IterationTimer::default();
        let iterate = |timer: &mut IterationTimer| {
            timer.begin(&clock);
            clock.0.set(Time(clock.now().0 + 8_000_000));
            timer.end(&clock);
        };
        for _ in 0..KNOWN_AFTER {
            iterate(&mut timer);
        }
        let mut tried = 0;
        for _ in 0..1000 {
            if !timer.would_overrun(Some(clock.now() + Duration::from_millis(5)), &clock) {
                iterate(&mut timer);
                tried += 1;
            }
        }
        // At times, as the machine may have become faster.
        assert!((1..=60).contains(&tried), "{tried} of 1000");
    }

    #[test]
    fn a_cut_comes_before_the_part_that_would_end_too_late() {
        let clock = HandClock(Cell::new(Time(0)));
        let request = |replay| PlanRequest {
            state: &[],
            elapsed_periods: None,
            deadline: Some(Time(50_000_000)),
            replay,
        };
        let parts = |mut cut: Cut<'_>| {
            (0..100)
                .take_while(|_| {
                    let goes_on = !cut.is_due();
                    clock.0.set(Time(clock.now().0 + 6_000_000));
                    goes_on
                })
                .count()
        };
        // The seventh ends at 42 ms, and 3 ms are kept for what follows.
        assert_eq!(parts(Cut::new(&request(None), &clock, 3e-3)), 7);
        clock.0.set(Time(0));
        let again = Some(super::super::decisions::Decisions::default());
        assert_eq!(parts(Cut::new(&request(again), &clock, 3e-3)), 100);
    }
}
