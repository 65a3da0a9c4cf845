//! The loop that the planners on actions alone share, and what one of them has to be.

use latco_models::{Bundle, RunError};

use super::super::budget::{Cut, IterationTimer};
use super::super::contract::{PlanRequest, Planner};
use super::super::report::{PlanReport, StartKind, StopCause};
use super::super::rollout::{ActionRollout, PriorSteps, clip};
use super::super::solution::{PlanSizes, Solution};
use super::super::warm_start::Shift;
use crate::config::{Config, PlannerKind};
use crate::error::SetupError;
use crate::time::Clock;
use crate::trace::{IterationTrace, PlanTrace};

/// How often what is done.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Schedule {
    pub(in crate::plan) warm_start: bool,
    pub(in crate::plan) iterations_cold: u32,
    pub(in crate::plan) iterations_warm: u32,
    /// Iterations between clipped rollouts.
    pub(in crate::plan) rollout_every: u32,
}

/// One way to improve an action sequence.
pub(in crate::plan) trait Method: Send + Sized {
    /// The planner that it makes.
    const KIND: PlannerKind;

    /// All memory for plans of these sizes, and how often what is done.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    fn make(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
    ) -> Result<(Self, Schedule), SetupError>;

    /// Sets the actions to begin with: the last ones shifted, or others.
    fn start(&mut self, request: &PlanRequest<'_>, shift: Option<Shift>);

    /// What [`Method::start`] starts from without a shift.
    fn fresh(&self) -> StartKind {
        StartKind::Uniform
    }

    /// Actions, `[H, na]`; they may exceed their limits.
    fn actions(&self) -> &[f32];

    /// Improves them once, for a plan from `state`; `figures` has the number of the iteration. An
    /// iteration of long parts asks `cut` between them.
    ///
    /// # Errors
    /// Why there shall be no more iterations; the actions are then those to use. After
    /// [`StopCause::TimeBudget`] they are as before.
    fn improve(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
        cut: &mut Cut<'_>,
    ) -> Result<(), StopCause>;

    /// Sets random numbers back to the seed.
    fn reset(&mut self, _seed: u64) {}
}

/// A planner by a [`Method`].
pub(in crate::plan) struct ShootingPlanner<M> {
    method: M,
    schedule: Schedule,
    horizon: usize,
    action_limit: f32,
    rollout: ActionRollout,
    prior: PriorSteps,
    timer: IterationTimer,
    /// Of clipping and rolling out, which may follow the last iteration.
    rollout_timer: IterationTimer,
    /// Of the states of the answer, which follow always.
    states_timer: IterationTimer,
    has_previous: bool,
}

impl<M: Method> ShootingPlanner<M> {
    /// Sessions for plans of these sizes, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub(in crate::plan) fn new(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
    ) -> Result<Self, SetupError> {
        let (method, schedule) = M::make(config, bundle, sizes)?;
        Ok(Self {
            method,
            schedule,
            horizon: sizes.horizon,
            action_limit: bundle.manifest().action.limit,
            rollout: ActionRollout::new(bundle, sizes, 1)?,
            prior: PriorSteps::new(bundle, sizes)?,
            timer: IterationTimer::default(),
            rollout_timer: IterationTimer::default(),
            states_timer: IterationTimer::default(),
            has_previous: false,
        })
    }

    /// Clips the actions and rolls them out; gives their return, and keeps them if it is the best.
    fn consider(
        &mut self,
        solve: &mut Shot<'_>,
        solution: &mut Solution,
        report: &mut PlanReport,
    ) -> Result<f32, RunError> {
        self.rollout_timer.begin(solve.clock);
        let actions = self.rollout.actions_mut();
        clip(self.method.actions(), self.action_limit, actions);
        self.rollout.run(solve.request.state)?;
        let value = self.rollout.returns()[0];
        if value > solve.best {
            solve.best = value;
            (solution.actions).copy_from_slice(self.rollout.actions_mut());
            solution.rewards.copy_from_slice(self.rollout.rewards(0));
            solution.predicted_return = value;
            report.best_iteration = report.iterations;
            report.best_start = solve.start;
        }
        self.rollout_timer.end(solve.clock);
        Ok(value)
    }

    /// Ends a plan for want of time, which may be between two evaluations.
    fn run_out_of_time(
        &mut self,
        shot: &mut Shot<'_>,
        solution: &mut Solution,
        report: &mut PlanReport,
    ) -> Result<(), RunError> {
        report.stop = StopCause::TimeBudget;
        if !(report.iterations).is_multiple_of(self.schedule.rollout_every) {
            self.consider(shot, solution, report)?;
        }
        Ok(())
    }

    /// Iterates until there is a reason to stop.
    fn iterate(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
        report: &mut PlanReport,
    ) -> Result<(), RunError> {
        let began = clock.now();
        let (start, limit) = if report.warm {
            (StartKind::Shifted, self.schedule.iterations_warm)
        } else {
            (self.method.fresh(), self.schedule.iterations_cold)
        };
        let mut shot = Shot {
            request,
            clock,
            start,
            best: f32::NEG_INFINITY,
        };
        self.consider(&mut shot, solution, report)?;
        let every = self.schedule.rollout_every;
        loop {
            if report.iterations == limit {
                return Ok(());
            }
            let reserve_s = self.rollout_timer.estimate_s() + self.states_timer.estimate_s();
            if (self.timer).is_out_of_time(request, report.iterations, clock, reserve_s) {
                return self.run_out_of_time(&mut shot, solution, report);
            }
            self.timer.begin_when_asked(clock);
            let mut figures = IterationTrace {
                iteration: report.iterations + 1,
                rollout_return: f32::NAN,
                ..IterationTrace::default()
            };
            let mut cut = Cut::new(request, clock, reserve_s);
            let stop = (self.method.improve(request.state, &mut figures, &mut cut)).err();
            if stop == Some(StopCause::TimeBudget) {
                return self.run_out_of_time(&mut shot, solution, report);
            }
            if matches!(stop, Some(StopCause::ModelFailed | StopCause::NonFinite)) {
                report.stop = stop.unwrap_or_default();
                return Ok(());
            }
            report.iterations += 1;
            report.dynamics_violation = figures.dynamics_violation_max;
            report.action_violation = figures.action_violation_max;
            let is_due = report.iterations.is_multiple_of(every)
                || report.iterations == limit
                || stop.is_some();
            if is_due {
                figures.rollout_return = self.consider(&mut shot, solution, report)?;
            }
            self.timer.end(clock);
            figures.elapsed_ms = (clock.now().seconds_since(began) * 1e3) as f32;
            trace.push(figures);
            if let Some(stop) = stop {
                report.stop = stop;
                return Ok(());
            }
        }
    }
}

/// What the parts of one call share.
struct Shot<'a> {
    request: &'a PlanRequest<'a>,
    clock: &'a dyn Clock,
    /// What it started from.
    start: StartKind,
    /// Return of the answer.
    best: f32,
}

impl<M: Method> Planner for ShootingPlanner<M> {
    fn plan(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> PlanReport {
        let shift = request
            .elapsed_periods
            .filter(|_| self.schedule.warm_start && self.has_previous)
            .and_then(|elapsed| Shift::new(elapsed, self.horizon));
        self.method.start(request, shift);
        let mut report = PlanReport {
            warm: shift.is_some(),
            plans: 1,
            ..PlanReport::default()
        };
        solution.stand_still(request.state);
        let done = self
            .iterate(request, clock, solution, trace, &mut report)
            .and_then(|()| {
                report.predicted_return = solution.predicted_return;
                self.states_timer.begin(clock);
                let filled = (self.prior).fill(0, &mut solution.states, &solution.actions);
                self.states_timer.end(clock);
                filled
            });
        if done.is_err() {
            report.stop = StopCause::ModelFailed;
        }
        self.has_previous = report.stop.was_successful();
        report
    }

    fn reset(&mut self, seed: u64) {
        self.method.reset(seed);
        self.has_previous = false;
    }

    fn drop_warm_start(&mut self) {
        self.has_previous = false;
    }

    fn name(&self) -> &'static str {
        M::KIND.name()
    }
}
