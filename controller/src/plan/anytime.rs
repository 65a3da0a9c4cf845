//! The one loop of all planners.
//!
//! ```text
//! base      the previous plan, shifted by the time that has passed; where there is none, or it promises
//!           too little, fresh starts (beside it)
//! improve   one quantum of work after the other, as long as the next one will be done in time;
//!           every few iterations the candidates are valued, and the best so far is kept
//! end       the best is the answer, and the most promising plan is where the next one begins
//! ```
//!
//! So the answer is never worth less than the base, and never later than one quantum. The clock is read
//! here and in [`super::deadline`] only: what it decided is noted in [`Decisions`], by which the same
//! plan can be made again without it. How plans are improved is the [`Optimiser`]'s affair.

use latco_models::{Bundle, RewardHead, RunError};

use super::batch::Iterate;
use super::contract::{PlanRequest, Planner};
use super::deadline::{Quantum, QuantumTimer, RoundTimers, Rounds};
use super::decisions::{Decisions, RoundCounts};
use super::goal::Goal;
use super::incumbent::Incumbent;
use super::optimiser::{Optimiser, Outcome, Schedule, Step};
use super::problem::Problem;
use super::report::{CandidateReturns, PlanReport, StartKind, StopCause};
use super::rollout::PriorSteps;
use super::solution::{PlanSizes, Solution};
use super::warm_start::Shift;
use crate::config::Config;
use crate::error::SetupError;
use crate::time::{Clock, MonotonicClock, Time};
use crate::trace::{IterationTrace, PlanTrace};

/// A planner that is made of an [`Optimiser`].
pub struct Anytime<O> {
    optimiser: O,
    name: &'static str,
    schedule: Schedule,
    sizes: PlanSizes,
    reward: RewardHead,
    /// Prior steps for the states of the answer, where candidates come without states.
    prior: Option<PriorSteps>,
    /// Timers for one plan, and for several that are iterated together.
    timers: [Timers; 2],
    round_timers: RoundTimers,
    end_timer: QuantumTimer,
    has_previous: bool,
    plans: Vec<Progress>,
    starts: Vec<StartKind>,
    /// The clock's decisions in the last plan.
    decisions: Decisions,
    /// Returns of the last plan's candidates.
    candidates: CandidateReturns,
    problem: Option<Problem>,
    /// The seed of a planner that has a budget, and so has to know how long its work takes.
    budgeted: Option<u64>,
}

/// Timers of the parts of the loop.
#[derive(Clone, Copy, Default)]
struct Timers {
    quantum: QuantumTimer,
    /// Timer of the valuations of the candidates, one of which may follow the last iteration.
    valuation: QuantumTimer,
}

/// The progress of one of the plans.
#[derive(Clone, Copy)]
struct Progress {
    start: StartKind,
    /// Worth of its last valued candidate.
    worth: f32,
    /// Figures of its last iteration.
    last: IterationTrace,
    /// The reason why it ended, if it ended before the others.
    ended: Option<StopCause>,
    /// Whether it has failed and is of no further use.
    failed: bool,
}

impl Progress {
    fn new(start: StartKind) -> Self {
        Self {
            start,
            worth: f32::NEG_INFINITY,
            last: IterationTrace::default(),
            ended: None,
            failed: false,
        }
    }

    fn fail(&mut self, cause: StopCause) {
        (self.ended, self.failed) = (Some(cause), true);
    }

    fn take(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Improved(figures) => self.last = figures,
            Outcome::Finished(figures, cause) => {
                self.last = figures;
                self.ended = self.ended.or(Some(cause));
            }
            Outcome::Failed(cause) => self.fail(cause),
        }
    }
}

/// One call of the planner.
struct Call<'a> {
    request: &'a PlanRequest<'a>,
    clock: &'a dyn Clock,
    began: Time,
    incumbent: Incumbent<'a>,
    trace: &'a mut PlanTrace,
}

impl Call<'_> {
    /// What the incumbent is worth less for what it violates.
    fn lost(&mut self) -> f64 {
        let actions = &self.incumbent.solution().actions;
        let constraints = self.request.constraints;
        constraints.map_or(0.0, |constraints| f64::from(constraints.penalty(actions)))
    }
}

/// The end of the iterations.
struct Ended {
    /// Number of whole iterations of each plan.
    iterations: u32,
    /// Number of the iteration that the newest candidate is from, which may be one that was not completed.
    newest: u32,
    stop: StopCause,
}

impl<O: Optimiser> Anytime<O> {
    /// Makes a planner for plans of these sizes. With `planner.budget_ms` it first finds out how long its
    /// work takes, so that it keeps to the budget from the first plan on.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn new(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
        mut optimiser: O,
    ) -> Result<Self, SetupError> {
        let keeps_problems = optimiser.save(&mut Iterate::new(sizes)).is_some();
        let most_plans = optimiser.most_plans();
        let mut planner = Self {
            name: config.planner.kind.name(),
            schedule: optimiser.schedule(),
            optimiser,
            sizes: *sizes,
            reward: bundle.manifest().reward,
            prior: (!O::GIVES_STATES)
                .then(|| PriorSteps::new(bundle, sizes))
                .transpose()?,
            timers: [Timers::default(); 2],
            round_timers: RoundTimers::default(),
            end_timer: QuantumTimer::default(),
            has_previous: false,
            plans: Vec::with_capacity(most_plans),
            starts: Vec::with_capacity(most_plans),
            decisions: Decisions::default(),
            candidates: CandidateReturns::default(),
            problem: keeps_problems.then(|| Problem::new(sizes, PlanTrace::lines(config))),
            budgeted: config.planner.budget_ms.map(|_| config.planner.seed),
        };
        planner.learn_times(&MonotonicClock::starting_at(Time(0)));
        Ok(planner)
    }

    /// The optimiser that improves the plans.
    #[must_use]
    pub fn optimiser(&self) -> &O {
        &self.optimiser
    }

    /// Makes the base; returns the number of iterations by which it may be improved.
    fn start(&mut self, call: &mut Call<'_>, shift: Option<Shift>) -> Result<u32, RunError> {
        let mut timers = self.round_timers;
        let mut rounds = Rounds::new(&mut timers, call.request, call.clock, call.began);
        let limit = self.start_in(&mut rounds, call, shift);
        self.decisions.sampling_rounds = rounds.counts().packed();
        self.round_timers = timers;
        limit
    }

    /// Makes the base like [`Anytime::start`], with the time for `rounds` of sampling.
    fn start_in(
        &mut self,
        rounds: &mut Rounds<'_>,
        call: &mut Call<'_>,
        shift: Option<Shift>,
    ) -> Result<u32, RunError> {
        self.plans.clear();
        self.optimiser.begin(call.request.goal);
        if let Some(shift) = shift {
            let kind = self.optimiser.start_warm(call.request, shift, rounds)?;
            self.plans.push(Progress::new(kind));
            self.value(call, 0);
            let promised = call.incumbent.promised(&self.reward) - call.lost();
            if (self.schedule.fresh_starts_below_return).is_none_or(|least| promised >= least) {
                let [alone, together] = &mut self.timers;
                alone.quantum.expect_as(&together.quantum);
                alone.valuation.expect_as(&together.valuation);
                return Ok(self.schedule.iterations_warm);
            }
        }
        let starts = &mut self.starts;
        starts.clear();
        let has_candidates = (self.optimiser).start_fresh(call.request, rounds, starts)?;
        self.plans.extend(starts.iter().copied().map(Progress::new));
        if has_candidates {
            self.value(call, 0);
        }
        Ok(if shift.is_some() && self.plans.len() == 1 {
            self.schedule.iterations_warm
        } else {
            self.schedule.iterations_cold
        })
    }

    /// Improves all plans until each has ended, `limit` iterations are done, or the next quantum would
    /// overrun the deadline.
    fn iterate(&mut self, call: &mut Call<'_>, limit: u32) -> Ended {
        self.optimiser.prepare();
        let (mut iterations, mut parts) = (0, 0);
        while iterations < limit && self.plans.iter().any(|plan| plan.ended.is_none()) {
            if self.is_out_of_time(call, iterations, parts) {
                return self.run_out(call, iterations, parts);
            }
            self.timers().quantum.begin_when_asked(call.clock);
            let (at, reserve_s) = ((iterations + 1, parts), self.reserve_s());
            let mut quantum = Quantum::new(call.request, call.clock, at, reserve_s);
            match self.optimiser.improve(call.request, &mut quantum) {
                Step::GivenUp => return self.run_out(call, iterations, 0),
                Step::Part => {
                    parts += 1;
                    self.timers().quantum.end(call.clock);
                    continue;
                }
                Step::Iteration => parts = 0,
            }
            let has_ended = self.take_outcomes();
            if self.plans.iter().all(|plan| plan.failed) {
                break; // nothing came of this iteration
            }
            iterations += 1;
            let every = self.schedule.value_every;
            let is_valued = has_ended || iterations.is_multiple_of(every) || iterations == limit;
            if is_valued {
                self.value(call, iterations);
            }
            self.note(call, iterations, is_valued);
            self.timers().quantum.end(call.clock);
        }
        Ended {
            iterations,
            newest: iterations,
            stop: StopCause::IterationBudget,
        }
    }

    /// Whether the plan ends here for want of time: by its deadline, or where it ended when it was made
    /// before.
    fn is_out_of_time(&mut self, call: &Call<'_>, iterations: u32, parts: u32) -> bool {
        match call.request.replay {
            Some(decisions) => {
                decisions.out_of_time_after == Some(iterations)
                    && parts == decisions.parts.min(self.optimiser.parts() - 1)
            }
            None => {
                let (deadline, reserve_s) = (call.request.deadline, self.reserve_s());
                let timer = &mut self.timers().quantum;
                timer.would_overrun(deadline, call.clock, reserve_s)
            }
        }
    }

    /// Ends the plan for want of time, which may be within an iteration and between two valuations.
    fn run_out(&mut self, call: &mut Call<'_>, iterations: u32, parts: u32) -> Ended {
        self.decisions.out_of_time_after = Some(iterations);
        self.decisions.parts = parts;
        let counts = parts > 0 && self.optimiser.interrupt(parts);
        let newest = iterations + u32::from(counts);
        if counts || !iterations.is_multiple_of(self.schedule.value_every) {
            self.value(call, newest);
        }
        Ended {
            iterations,
            newest,
            stop: StopCause::TimeBudget,
        }
    }

    /// Asks the optimiser what an iteration did to each plan; returns whether it was the last of one.
    fn take_outcomes(&mut self) -> bool {
        let mut has_ended = false;
        for (number, plan) in self.plans.iter_mut().enumerate() {
            let ran = plan.ended.is_none();
            if !plan.failed {
                plan.take(self.optimiser.outcome(number));
            }
            has_ended |= ran && plan.ended.is_some();
        }
        has_ended
    }

    /// Values the candidate of each plan and keeps the best if it beats the incumbent. Noise that has not
    /// been iterated is no candidate.
    fn value(&mut self, call: &mut Call<'_>, iteration: u32) {
        self.timers().valuation.begin(call.clock);
        if self.optimiser.value(call.request.state).is_err() {
            for plan in &mut self.plans {
                plan.fail(StopCause::ModelFailed);
            }
            return;
        }
        for (number, plan) in self.plans.iter_mut().enumerate() {
            let is_noise = iteration == 0 && plan.start == StartKind::Gaussian;
            if plan.failed || is_noise {
                continue;
            }
            let candidate = call.request.penalised(self.optimiser.candidate(number));
            plan.worth = candidate.worth;
            let value = candidate.predicted_return;
            self.candidates.note(iteration, plan.start, value);
            let place = (iteration, number as u32, plan.start);
            call.incumbent.challenge(&candidate, place);
        }
        self.timers().valuation.end(call.clock);
    }

    /// Notes the figures of an iteration.
    fn note(&self, call: &mut Call<'_>, iteration: u32, is_valued: bool) {
        let elapsed_s = call.clock.now().seconds_since(call.began);
        for (number, plan) in self.plans.iter().enumerate() {
            if plan.failed {
                continue;
            }
            call.trace.push(IterationTrace {
                iteration,
                start: number as u32,
                elapsed_ms: (elapsed_s * 1e3) as f32,
                rollout_return: if is_valued { plan.worth } else { f32::NAN },
                ..plan.last
            });
        }
    }

    /// Does what follows the last iteration: values a last candidate, and rolls out the states of the answer.
    fn end(&mut self, call: &mut Call<'_>, newest: u32) -> Result<(), RunError> {
        self.end_timer.begin(call.clock);
        if let Some(candidate) = self.optimiser.last_candidate(call.request.state)? {
            let candidate = call.request.penalised(candidate);
            call.incumbent.renew(&candidate, newest);
        }
        if let Some(prior) = &mut self.prior {
            let solution = call.incumbent.solution();
            prior.fill(0, &mut solution.states, &solution.actions)?;
        }
        self.end_timer.end(call.clock);
        Ok(())
    }

    /// The plan from which the next one goes on: of those that did not fail, the one that is worth most, and
    /// of equals the first.
    fn most_promising(&self) -> usize {
        let sound = (self.plans.iter().enumerate()).filter(|(_, plan)| !plan.failed);
        sound
            .fold(None, |best: Option<(usize, f32)>, (number, plan)| {
                let is_better = best.is_none_or(|(_, worth)| plan.worth > worth);
                if is_better {
                    Some((number, plan.worth))
                } else {
                    best
                }
            })
            .map_or(0, |(number, _)| number)
    }

    fn timers(&mut self) -> &mut Timers {
        &mut self.timers[usize::from(self.plans.len() > 1)]
    }

    /// Time in seconds that is needed after the last quantum.
    fn reserve_s(&mut self) -> f64 {
        self.timers().valuation.estimate_s() + self.end_timer.estimate_s()
    }

    /// Records the problem before it is worked on.
    fn record_problem(&mut self, request: &PlanRequest<'_>) {
        if let Some(problem) = &mut self.problem {
            problem.anchor.copy_from_slice(request.state);
            problem
                .constraints
                .clone_from(&request.constraints.cloned());
            problem.goal.set(request.goal);
            problem.elapsed_periods = request.elapsed_periods;
            problem.has_previous = self.has_previous;
            problem.noise = (self.optimiser.save(&mut problem.previous)).unwrap_or_default();
        }
    }

    /// Records the answer beside the problem.
    fn record_answer(&mut self, report: &PlanReport, solution: &Solution, trace: &PlanTrace) {
        if let Some(problem) = &mut self.problem {
            problem.decisions = self.decisions;
            problem.report = *report;
            problem.solution.copy_from(solution);
            self.optimiser.save(&mut problem.last);
            problem.take_trace(trace);
        }
    }
}

/// Number of quanta of each plan from which the times are learnt.
const LEARNT_QUANTA: u32 = 4;

impl<O: Optimiser> Planner for Anytime<O> {
    fn plan(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> PlanReport {
        self.record_problem(request);
        self.decisions = Decisions::default();
        self.candidates = CandidateReturns::default();
        let mut call = Call {
            request,
            clock,
            began: clock.now(),
            incumbent: Incumbent::standing_still(request.state, solution),
            trace,
        };
        let shift = (request.elapsed_periods)
            .filter(|_| self.has_previous && self.schedule.warm_start)
            .and_then(|elapsed| self.optimiser.shift(elapsed, self.sizes.horizon));
        let ended = match self.start(&mut call, shift) {
            Ok(limit) => self.iterate(&mut call, limit),
            Err(_) => Ended {
                iterations: 0,
                newest: 0,
                stop: StopCause::ModelFailed,
            },
        };
        let kept = self.most_promising();
        let of_kept = self.plans.get(kept).copied();
        let mut stop = of_kept.and_then(|plan| plan.ended).unwrap_or(ended.stop);
        if ended.stop == StopCause::ModelFailed || self.end(&mut call, ended.newest).is_err() {
            stop = StopCause::ModelFailed;
        }
        self.optimiser.keep(kept);
        let figures = of_kept.map_or_else(IterationTrace::default, |plan| plan.last);
        let Incumbent {
            iteration,
            plan,
            start,
            ..
        } = call.incumbent;
        let report = PlanReport {
            stop,
            warm: shift.is_some(),
            plans: self.plans.len().max(1) as u32,
            iterations: ended.iterations,
            best_iteration: iteration,
            best_plan: plan,
            best_start: start,
            predicted_return: solution.predicted_return,
            dynamics_violation: figures.dynamics_violation_max,
            action_violation: figures.action_violation_max,
        };
        self.has_previous = stop.was_successful();
        self.record_answer(&report, solution, trace);
        report
    }

    /// Makes plans from a state of zeros until the time of every quantum is known, and forgets them.
    fn learn_times(&mut self, clock: &dyn Clock) {
        let Some(seed) = self.budgeted else {
            return;
        };
        self.timers = [Timers::default(); 2];
        (self.round_timers, self.end_timer) = Default::default();
        let state = vec![0.0; self.sizes.state];
        let mut solution = Solution::new(&self.sizes);
        let mut trace = PlanTrace::with_capacity(1);
        // Of an iteration of many parts a few have to do.
        let is_parted = self.optimiser.parts() > 1;
        let decisions = Decisions {
            sampling_rounds: RoundCounts { full: 1, small: 1 }.packed(),
            parts: LEARNT_QUANTA,
            out_of_time_after: Some(if is_parted { 0 } else { LEARNT_QUANTA }),
        };
        // With a goal work takes longest.
        let goal = Goal {
            belief: vec![0.0; self.sizes.goal],
            weight: 1.0,
        };
        for _ in 0..super::deadline::KNOWN_AFTER {
            let request = PlanRequest {
                state: &state,
                elapsed_periods: None,
                constraints: None,
                goal: (self.sizes.goal > 0).then_some(&goal),
                deadline: None,
                replay: Some(decisions),
            };
            trace.clear(0, clock.now());
            self.plan(&request, clock, &mut solution, &mut trace);
        }
        self.reset(seed);
    }

    fn reset(&mut self, seed: u64) {
        self.optimiser.reset(seed);
        self.has_previous = false;
    }

    fn drop_warm_start(&mut self) {
        self.has_previous = false;
    }

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn restore(&mut self, problem: &Problem) -> bool {
        if self.problem.is_some() {
            self.has_previous = problem.has_previous;
            self.optimiser.restore(&problem.previous, &problem.noise);
        }
        self.problem.is_some()
    }

    fn decisions(&self) -> Option<Decisions> {
        Some(self.decisions)
    }

    fn candidates(&self) -> CandidateReturns {
        self.candidates
    }

    fn name(&self) -> &'static str {
        self.name
    }
}
