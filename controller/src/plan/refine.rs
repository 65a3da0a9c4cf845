//! The anytime part of LatCo: iterates until a stop, and keeps the best candidate.
//!
//! The merit by which candidates are compared is the return of their clipped actions rolled out
//! through the model (see [`super::rollout`]): a plan that is still relaxed promises what its
//! actions do not lead to. The base is there before the first iteration, and every iteration can
//! only improve the answer.

use latco_models::{Bundle, RewardHead};
use latco_solver::StepReport;

use super::batch::Batch;
use super::budget::IterationTimer;
use super::contract::PlanRequest;
use super::engine::Engine;
use super::report::StartKind;
use super::report::StopCause;
use super::rollout::{ActionRollout, clip};
use super::solution::{PlanSizes, Solution};
use crate::config::{LatcoSection, PlannerSection};
use crate::error::SetupError;
use crate::time::{Clock, Time};
use crate::trace::{IterationTrace, PlanTrace};

/// What the parts of one call of the planner share.
pub(super) struct Solve<'a> {
    pub(super) request: &'a PlanRequest<'a>,
    pub(super) clock: &'a dyn Clock,
    pub(super) began: Time,
    pub(super) solution: &'a mut Solution,
    pub(super) trace: &'a mut PlanTrace,
    pub(super) best: Best,
}

impl Solve<'_> {
    /// What the best candidate promises to be paid; the lowest number if there is none.
    pub(super) fn promised(&self, head: &RewardHead) -> f64 {
        if self.best.worth == f32::NEG_INFINITY {
            return f64::NEG_INFINITY;
        }
        f64::from(head.promised(&self.solution.rewards))
    }
}

/// The best candidate so far; the candidate itself is in the solution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    /// What candidates are compared by: the return that is predicted, or what a planner makes of it.
    pub(super) worth: f32,
    pub(super) iteration: u32,
    pub(super) plan: u32,
    pub(super) kind: StartKind,
}

impl Best {
    /// Nothing yet.
    pub(super) const NONE: Self = Self {
        worth: f32::NEG_INFINITY,
        iteration: 0,
        plan: 0,
        kind: StartKind::StandingStill,
    };
}

/// How far one of the plans has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) kind: StartKind,
    /// Why it ended, if it did before the others.
    pub(super) ended: Option<StopCause>,
    pub(super) last: StepReport,
    /// Return of its last rolled out iterate.
    pub(super) final_return: f32,
    best_merit: f64,
    best_merit_at: u32,
}

impl Progress {
    /// Of a plan that was just started.
    pub(super) fn new(kind: StartKind) -> Self {
        Self {
            kind,
            ended: None,
            last: StepReport::default(),
            final_return: f32::NEG_INFINITY,
            best_merit: f64::INFINITY,
            best_merit_at: 0,
        }
    }

    /// Whether nothing went wrong with it.
    pub(super) fn is_sound(&self) -> bool {
        self.ended.is_none_or(StopCause::was_successful)
    }

    /// Takes what an iteration did.
    fn take(
        &mut self,
        iteration: u32,
        outcome: Result<StepReport, StopCause>,
        settings: &LatcoSection,
    ) {
        let report = match outcome {
            Ok(report) => report,
            Err(cause) => {
                self.ended = Some(cause);
                return;
            }
        };
        let change = (report.reward_sum - self.last.reward_sum).abs();
        self.last = report;
        if report.merit < self.best_merit {
            (self.best_merit, self.best_merit_at) = (report.merit, iteration);
        }
        if self.ended.is_some() {
            return;
        }
        if report.feasible && change < settings.reward_tolerance {
            self.ended = Some(StopCause::Converged);
        } else if iteration - self.best_merit_at >= settings.stall_iterations {
            self.ended = Some(StopCause::Stalled);
        }
    }
}

/// Solver and rollout for a fixed number of plans.
pub(super) struct Lane {
    engine: Engine,
    rollout: ActionRollout,
    timer: IterationTimer,
    /// Of [`Lane::consider`], which follows the last iteration.
    rollout_timer: IterationTimer,
    settings: LatcoSection,
    action_limit: f32,
    reward: RewardHead,
    /// Size of a state, and length of the actions of one plan.
    state_size: usize,
    actions_len: usize,
}

impl Lane {
    /// A lane for `plans` plans, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        planner: &PlannerSection,
        plans: usize,
    ) -> Result<Self, SetupError> {
        let manifest = bundle.manifest();
        let settings = &planner.latco;
        Ok(Self {
            engine: Engine::new(bundle, sizes, planner, plans)?,
            rollout: ActionRollout::new(bundle, sizes, plans)?,
            timer: IterationTimer::default(),
            rollout_timer: IterationTimer::default(),
            settings: settings.clone(),
            action_limit: manifest.action.limit,
            reward: manifest.reward,
            state_size: sizes.state,
            actions_len: sizes.horizon * sizes.action,
        })
    }

    /// Plans that this lane iterates.
    pub(super) fn plans(&self) -> usize {
        self.engine.plans()
    }

    /// Before the first iteration: expects it to take as long as those of `other`.
    pub(super) fn expect_as(&mut self, other: &Self) {
        self.timer.expect_as(&other.timer);
        self.rollout_timer.expect_as(&other.rollout_timer);
    }

    /// Rolls out the clipped actions of all plans; keeps the best in the solution if it is better
    /// than the best so far. Noise that was not iterated yet is no candidate.
    ///
    /// On an error of the model all plans have failed.
    pub(super) fn consider(
        &mut self,
        solve: &mut Solve<'_>,
        batch: &Batch,
        progress: &mut [Progress],
        iteration: u32,
    ) {
        self.rollout_timer.begin(solve.clock);
        let len = self.actions_len;
        let actions = &batch.actions[..self.plans() * len];
        clip(actions, self.action_limit, self.rollout.actions_mut());
        if self.rollout.run(solve.request.state).is_err() {
            for progress in progress {
                progress.ended = Some(StopCause::ModelFailed);
            }
            return;
        }
        for (plan, progress) in progress.iter_mut().enumerate() {
            let is_noise = iteration == 0 && progress.kind == StartKind::Gaussian;
            if !progress.is_sound() || is_noise {
                continue;
            }
            let value = self.rollout.returns()[plan];
            progress.final_return = value;
            if value > solve.best.worth {
                solve.best = Best {
                    worth: value,
                    iteration,
                    plan: plan as u32,
                    kind: progress.kind,
                };
                let solution = &mut *solve.solution;
                (solution.actions)
                    .copy_from_slice(&self.rollout.actions_mut()[plan * len..][..len]);
                solution.states.copy_from_slice(batch.states_of(plan));
                solution.states[..self.state_size].copy_from_slice(solve.request.state);
                (solution.rewards).copy_from_slice(self.rollout.rewards(plan));
                solution.predicted_return = value;
            }
        }
        self.rollout_timer.end(solve.clock);
    }

    /// Iterates all plans until each has ended, `limit` iterations are done, or another one would
    /// overrun the deadline. Gives the number of iterations and why there were no more.
    pub(super) fn refine(
        &mut self,
        solve: &mut Solve<'_>,
        batch: &mut Batch,
        progress: &mut [Progress],
        limit: u32,
    ) -> (u32, StopCause) {
        let every = self.settings.rollout_every_iterations;
        self.engine.reset();
        let mut iteration = 0;
        while iteration < limit && progress.iter().any(|progress| progress.ended.is_none()) {
            let reserve_s = self.rollout_timer.estimate_s();
            if (self.timer).is_out_of_time(solve.request, iteration, solve.clock, reserve_s) {
                // The budget may end between two evaluations.
                if !iteration.is_multiple_of(every) {
                    self.consider(solve, batch, progress, iteration);
                }
                return (iteration, StopCause::TimeBudget);
            }
            self.timer.begin_when_asked(solve.clock);
            self.engine.step(solve.request.state, batch);
            iteration += 1;
            let running = |progress: &[Progress]| {
                let running = progress.iter().filter(|p| p.ended.is_none());
                running.count()
            };
            let before = running(progress);
            for (plan, progress) in progress.iter_mut().enumerate() {
                let outcome = self.engine.outcome(plan);
                if progress.is_sound() {
                    progress.take(iteration, outcome, &self.settings);
                }
            }
            if !progress.iter().any(Progress::is_sound) {
                // Nothing came of this iteration.
                return (iteration - 1, StopCause::IterationBudget);
            }
            let is_due = iteration.is_multiple_of(every) || iteration == limit;
            let is_rolled_out = is_due || running(progress) < before;
            if is_rolled_out {
                self.consider(solve, batch, progress, iteration);
            }
            self.record(solve, batch, progress, iteration, is_rolled_out);
            self.timer.end(solve.clock);
        }
        (iteration, StopCause::IterationBudget)
    }

    fn record(
        &self,
        solve: &mut Solve<'_>,
        batch: &Batch,
        progress: &[Progress],
        iteration: u32,
        is_rolled_out: bool,
    ) {
        let elapsed_s = solve.clock.now().seconds_since(solve.began);
        for (plan, progress) in progress.iter().enumerate() {
            if !progress.is_sound() {
                continue;
            }
            let report = &progress.last;
            let (dynamics, action_limits) = batch.multipliers_of(plan);
            solve.trace.push(IterationTrace {
                iteration,
                start: plan as u32,
                elapsed_ms: (elapsed_s * 1e3) as f32,
                dynamics_violation_mean: report.dynamics_violation_mean as f32,
                dynamics_violation_max: report.dynamics_violation_max as f32,
                action_violation_max: report.action_violation_max as f32,
                dynamics_multiplier_mean: mean(dynamics),
                dynamics_multiplier_max: report.dynamics_multiplier_max as f32,
                action_multiplier_mean: mean(action_limits),
                planned_reward: (self.engine.rewards(plan).iter())
                    .map(|r| self.reward.expected(*r))
                    .sum(),
                rollout_return: if is_rolled_out {
                    progress.final_return
                } else {
                    f32::NAN
                },
            });
        }
    }
}

/// Of at least one number.
pub(super) fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}
