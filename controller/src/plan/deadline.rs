//! Keeping to a deadline: the time of the next quantum of work is predicted from the last ones.

use super::contract::PlanRequest;
use super::decisions::RoundCounts;
use crate::time::{Clock, Time};

/// Factor on the estimate when a quantum was refused. Nothing is measured then, and an estimate
/// that stays above the whole budget would refuse for ever.
const AFTER_REFUSAL: f64 = 0.7;
/// Factor on the shortest time known when a quantum was refused, below which the estimate does not fall. What has never fitted is
/// tried again after about a thousand plans: each try makes a plan late by as much as it does not fit.
const SHORTEST_AFTER_REFUSAL: f64 = 0.999;
/// Largest factor by which a quantum that took longer after refusals raises the shortest time again.
const SHORTEST_RISE: f64 = 1.5;
/// Number of quanta after which the shortest time is known.
pub(super) const KNOWN_AFTER: u32 = 3;

/// Share of the time to the deadline that the rounds before the first iteration may take.
const ROUNDS_SHARE: f64 = 0.5;

/// A timer that predicts how long quanta take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuantumTimer {
    /// Estimate in seconds; it rises at once, and falls slowly with every quantum and faster with every
    /// refusal, so that one slow quantum does not stop all later plans.
    estimate_s: f64,
    /// Time of the shortest quantum in seconds.
    shortest_s: f64,
    /// Number of quanta that were timed.
    timed: u32,
    /// Whether there was a refusal after the last quantum.
    refused: bool,
    began: Option<Time>,
    /// Time at which it was last asked whether another quantum fits.
    asked: Option<Time>,
}

impl QuantumTimer {
    /// Whether a quantum that begins now would end after `deadline`, with half as much again in reserve and
    /// `reserve_s` seconds for what follows the last one. Without a deadline it never would.
    pub(super) fn would_overrun(
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

    /// Expects the first quantum to take as long as those of `other`, which are no shorter. Nothing counts as
    /// known by that.
    pub(super) fn expect_as(&mut self, other: &Self) {
        if self.timed == 0 && self.estimate_s == 0.0 {
            self.estimate_s = other.estimate_s;
        }
    }

    /// The estimated time of a quantum in seconds; 0 before the first.
    pub(super) fn estimate_s(&self) -> f64 {
        self.estimate_s
    }

    /// Notes that a quantum began when it was asked whether it fits, or now if there was no deadline.
    pub(super) fn begin_when_asked(&mut self, clock: &dyn Clock) {
        self.began = Some(self.asked.take().unwrap_or_else(|| clock.now()));
    }

    /// Notes that a quantum begins now.
    pub(super) fn begin(&mut self, clock: &dyn Clock) {
        self.began = Some(clock.now());
    }

    /// Notes that the quantum that began last is done.
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

/// One bounded piece of work: an iteration, or a part of one where an iteration takes long.
///
/// Work of many small steps asks between them whether there is still time, so that it can be given up: that
/// is, whether the longest step so far, if begun now, would end after the deadline.
pub struct Quantum<'a> {
    iteration: u32,
    part: u32,
    deadline: Option<Time>,
    clock: &'a dyn Clock,
    /// Time in seconds that is needed after it.
    reserve_s: f64,
    last: Option<Time>,
    longest_s: f64,
}

impl<'a> Quantum<'a> {
    /// Makes part `part` of iteration `iteration` of a requested plan. A plan that is made again has no
    /// deadline: it ends where it ended.
    pub(super) fn new(
        request: &PlanRequest<'_>,
        clock: &'a dyn Clock,
        (iteration, part): (u32, u32),
        reserve_s: f64,
    ) -> Self {
        Self {
            iteration,
            part,
            deadline: request.deadline.filter(|_| request.replay.is_none()),
            clock,
            reserve_s,
            last: None,
            longest_s: 0.0,
        }
    }

    /// Number of the iteration, from 1.
    #[must_use]
    pub fn iteration(&self) -> u32 {
        self.iteration
    }

    /// Number of the part within the iteration, from 0.
    #[must_use]
    pub fn part(&self) -> u32 {
        self.part
    }

    /// Whether to give the work up; to be asked between its steps.
    pub fn is_over(&mut self) -> bool {
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

/// The size of a round: of all its sequences, or of a few of them where there is no time for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoundSize {
    Full,
    Small,
}

/// Timers of the rounds of both sizes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTimers {
    full: QuantumTimer,
    small: QuantumTimer,
}

/// The time for rounds of work before the first iteration. After a small round none is full again.
pub struct Rounds<'a> {
    timers: &'a mut RoundTimers,
    clock: &'a dyn Clock,
    /// Time by which the last round has to be done.
    end: Option<Time>,
    /// Rounds for which there was time when the same plan was made before.
    replayed: Option<RoundCounts>,
    done: RoundCounts,
}

impl<'a> Rounds<'a> {
    /// Makes the rounds of a requested plan that the planner began at `began`; they may take [`ROUNDS_SHARE`]
    /// of the time to its deadline.
    pub(super) fn new(
        timers: &'a mut RoundTimers,
        request: &PlanRequest<'_>,
        clock: &'a dyn Clock,
        began: Time,
    ) -> Self {
        Self {
            timers,
            clock,
            end: request.deadline.map(|deadline| {
                let time = deadline.saturating_since(began);
                began + time.mul_f64(ROUNDS_SHARE)
            }),
            replayed: request.replay.map(|decisions| decisions.rounds()),
            done: RoundCounts::default(),
        }
    }

    /// Does one more round if there is time for it; returns whether there was.
    ///
    /// # Errors
    /// The error of the round.
    pub fn one_more<E>(&mut self, round: impl FnOnce() -> Result<(), E>) -> Result<bool, E> {
        self.one_more_of(false, |_| round())
    }

    /// Does one more round if there is time for it, a small one if there are such and no time for a full one; returns whether
    /// there was.
    ///
    /// # Errors
    /// The error of the round.
    pub(super) fn one_more_of<E>(
        &mut self,
        has_small: bool,
        round: impl FnOnce(RoundSize) -> Result<(), E>,
    ) -> Result<bool, E> {
        let fits = match self.replayed {
            Some(rounds) => (self.done.full < rounds.full, self.done.small < rounds.small),
            None => {
                let fits =
                    |timer: &mut QuantumTimer| !timer.would_overrun(self.end, self.clock, 0.0);
                let full = self.done.small == 0 && fits(&mut self.timers.full);
                (full, !full && has_small && fits(&mut self.timers.small))
            }
        };
        let (size, timer, done) = match fits {
            (true, _) => (RoundSize::Full, &mut self.timers.full, &mut self.done.full),
            (_, true) if has_small => (
                RoundSize::Small,
                &mut self.timers.small,
                &mut self.done.small,
            ),
            _ => return Ok(false),
        };
        timer.begin(self.clock);
        round(size)?;
        timer.end(self.clock);
        *done += 1;
        Ok(true)
    }

    /// Number of rounds that are done.
    #[must_use]
    pub fn done(&self) -> u32 {
        self.done.full + self.done.small
    }

    /// The rounds that are done, by their size.
    pub(super) fn counts(&self) -> RoundCounts {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::super::decisions::Decisions;
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
    fn no_quantum_begins_that_would_end_after_the_deadline() {
        let clock = HandClock(Cell::new(Time(0)));
        let mut timer = QuantumTimer::default();
        let deadline = Some(Time(50_000_000));
        let mut iterations = 0;
        let iterate = |timer: &mut QuantumTimer, ms: i64| {
            timer.begin(&clock);
            clock.0.set(Time(clock.now().0 + ms * 1_000_000));
            timer.end(&clock);
        };
        while !timer.would_overrun(deadline, &clock, 0.0) {
            iterate(&mut timer, 4);
            iterations += 1;
        }
        // 4 ms an iteration and half as much again in reserve: the twelfth begins at 44 ms.
        assert_eq!(iterations, 12);
        assert!(!timer.would_overrun(None, &clock, 0.0));

        // One slow iteration makes it careful at once, fast ones hopeful again only slowly.
        let left = |clock: &HandClock| Some(clock.now() + Duration::from_millis(25));
        iterate(&mut timer, 20);
        iterate(&mut timer, 4);
        assert!(timer.would_overrun(left(&clock), &clock, 0.0));
        for _ in 0..20 {
            iterate(&mut timer, 4);
        }
        assert!(!timer.would_overrun(left(&clock), &clock, 0.0));
    }

    #[test]
    fn one_very_slow_iteration_does_not_stop_all_later_plans() {
        let clock = HandClock(Cell::new(Time(0)));
        let mut timer = QuantumTimer::default();
        timer.begin(&clock);
        clock.0.set(Time(1_000_000_000));
        timer.end(&clock);
        let refused = (0..)
            .take_while(|_| {
                let deadline = Some(clock.now() + Duration::from_millis(60));
                timer.would_overrun(deadline, &clock, 0.0)
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
        let mut timer = QuantumTimer::default();
        let iterate = |timer: &mut QuantumTimer| {
            timer.begin(&clock);
            clock.0.set(Time(clock.now().0 + 8_000_000));
            timer.end(&clock);
        };
        for _ in 0..KNOWN_AFTER {
            iterate(&mut timer);
        }
        let mut tried = 0;
        for _ in 0..1000 {
            if !timer.would_overrun(Some(clock.now() + Duration::from_millis(5)), &clock, 0.0) {
                iterate(&mut timer);
                tried += 1;
            }
        }
        // At times, as the machine may have become faster.
        assert!((1..=3).contains(&tried), "{tried} of 1000");
    }

    #[test]
    fn rounds_are_small_where_there_is_no_time_for_full_ones_and_are_repeated_as_they_were() {
        let clock = HandClock(Cell::new(Time(0)));
        let mut timers = RoundTimers::default();
        let mut plan = |deadline_ms: Option<i64>, replay| {
            let request = PlanRequest {
                state: &[],
                elapsed_periods: None,
                constraints: None,
                goal: None,
                deadline: deadline_ms.map(|ms| clock.now() + Duration::from_millis(ms as u64)),
                replay,
            };
            let mut rounds = Rounds::new(&mut timers, &request, &clock, clock.now());
            for _ in 0..3 {
                let done = rounds.one_more_of(true, |size| {
                    let ms = if size == RoundSize::Full { 8 } else { 2 };
                    clock.0.set(clock.now() + Duration::from_millis(ms));
                    Ok::<(), ()>(())
                });
                if done == Ok(false) {
                    break;
                }
            }
            rounds.counts()
        };
        let counts = |full, small| RoundCounts { full, small };
        assert_eq!(plan(None, None), counts(3, 0));
        // Half of 12 ms for rounds, with half as much again in reserve.
        assert_eq!(plan(Some(12), None), counts(0, 2));
        assert_eq!(plan(Some(60), None), counts(3, 0));
        for made in [counts(0, 2), counts(1, 1), counts(2, 0), counts(0, 0)] {
            let decisions = Decisions {
                sampling_rounds: made.packed(),
                ..Decisions::default()
            };
            assert_eq!(plan(Some(1), Some(decisions)), made);
        }
    }

    #[test]
    fn work_is_given_up_before_the_step_that_would_end_too_late() {
        let clock = HandClock(Cell::new(Time(0)));
        let request = |replay| PlanRequest {
            state: &[],
            elapsed_periods: None,
            constraints: None,
            goal: None,
            deadline: Some(Time(50_000_000)),
            replay,
        };
        let parts = |mut quantum: Quantum<'_>| {
            (0..100)
                .take_while(|_| {
                    let goes_on = !quantum.is_over();
                    clock.0.set(Time(clock.now().0 + 6_000_000));
                    goes_on
                })
                .count()
        };
        // The seventh ends at 42 ms, and 3 ms are kept for what follows.
        assert_eq!(parts(Quantum::new(&request(None), &clock, (1, 0), 3e-3)), 7);
        clock.0.set(Time(0));
        let again = Some(super::super::decisions::Decisions::default());
        assert_eq!(
            parts(Quantum::new(&request(again), &clock, (1, 0), 3e-3)),
            100
        );
    }
}
