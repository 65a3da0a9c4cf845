//! The anytime part of Gaussian LatCo: iterates plans until a stop, and keeps the best candidate.

use latco_models::{Bundle, RewardHead};
use latco_solver::{Dims, GruJacobian, GruWeights, Reduced, Settings, Shape, Solver, StepReport};

use super::super::batch::Batch;
use super::super::budget::IterationTimer;
use super::super::engine::{failure, stop_cause};
use super::super::model::OnnxModel;
use super::super::refine::{Best, Solve, mean};
use super::super::report::StartKind;
use super::super::report::StopCause;
use super::super::rollout::clip;
use super::super::solution::PlanSizes;
use super::super::threads::{Threads, threads};
use super::model::GaussianModel;
use super::rollout::MomentRollout;
use super::steps::OnnxSteps;
use crate::config::{GaussianLatcoSection, PlannerSection};
use crate::error::SetupError;
use crate::trace::IterationTrace;

/// How far one of the plans has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) kind: StartKind,
    /// Why it ended, if it did before the others.
    pub(super) ended: Option<StopCause>,
    pub(super) last: StepReport,
    /// Largest squared violation of the deviations over the steps, of the last iterate.
    deviation_violation: f32,
    /// What its last rolled out iterate is worth.
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
            deviation_violation: 0.0,
            final_return: f32::NEG_INFINITY,
            best_merit: f64::INFINITY,
            best_merit_at: 0,
        }
    }

    /// Whether nothing went wrong with it.
    pub(super) fn is_sound(&self) -> bool {
        self.ended.is_none_or(StopCause::was_successful)
    }

    /// Largest squared violation of the dynamics: of the means and of the deviations together.
    pub(super) fn violation(&self) -> f32 {
        self.last.dynamics_violation_max as f32 + self.deviation_violation
    }

    /// Takes what an iteration did.
    fn take(
        &mut self,
        iteration: u32,
        outcome: Result<StepReport, StopCause>,
        deviation_violation: f32,
        settings: &GaussianLatcoSection,
    ) {
        let report = match outcome {
            Ok(report) => report,
            Err(cause) => {
                self.ended = Some(cause);
                return;
            }
        };
        let change = (report.reward_sum - self.last.reward_sum).abs();
        (self.last, self.deviation_violation) = (report, deviation_violation);
        if report.merit < self.best_merit {
            (self.best_merit, self.best_merit_at) = (report.merit, iteration);
        }
        if self.ended.is_some() {
            return;
        }
        let feasible = report.feasible && f64::from(deviation_violation) <= settings.tolerance;
        if feasible && change < settings.reward_tolerance {
            self.ended = Some(StopCause::Converged);
        } else if iteration - self.best_merit_at >= settings.stall_iterations {
            self.ended = Some(StopCause::Stalled);
        }
    }
}

/// Model, solver and rollout for a fixed number of plans.
pub(super) struct Lane {
    model: GaussianModel<OnnxSteps>,
    solver: Solver<f32, Reduced, Vec<f32>>,
    crew: Threads,
    rollout: MomentRollout,
    timer: IterationTimer,
    /// Of [`Lane::consider`], which follows the last iteration.
    rollout_timer: IterationTimer,
    settings: GaussianLatcoSection,
    action_limit: f32,
    reward: RewardHead,
    plans: usize,
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
        let settings = planner.gaussian_latco.clone();
        let manifest = bundle.manifest();
        let dims = Dims {
            stoch: manifest.dims.stoch,
            deter: manifest.dims.deter,
            action: sizes.action,
            horizon: sizes.horizon,
        };
        let shape = Shape::of(dims).with_plans(plans);
        let solver_settings = Settings {
            initial_dynamics_multiplier: settings.dynamics_multiplier,
            initial_action_multiplier: settings.action_multiplier,
            dynamics_tolerance: settings.tolerance,
            action_tolerance: settings.tolerance,
            learning_rate: settings.multiplier_rate,
            damping: settings.damping,
            action_limit: f64::from(manifest.action.limit),
            ..Settings::default()
        };
        let arena = vec![0.0; Solver::<f32, Reduced, Vec<f32>>::len(&shape)];
        let samples = settings.samples as usize;
        let scale = settings.std_scale as f32;
        let steps = OnnxSteps::new(bundle, plans * sizes.horizon * samples)?;
        Ok(Self {
            model: GaussianModel::new(
                shape,
                samples,
                scale,
                steps,
                (manifest.reward, settings.objective),
                kernels(bundle, shape)?,
            ),
            solver: Solver::new_in(shape, solver_settings, arena)?,
            crew: Threads::new(threads(planner.threads, sizes.state))
                .map_err(SetupError::Threads)?,
            rollout: MomentRollout::new(bundle, sizes, plans, samples, &settings)?,
            timer: IterationTimer::default(),
            rollout_timer: IterationTimer::default(),
            settings,
            action_limit: manifest.action.limit,
            reward: manifest.reward,
            plans,
            state_size: sizes.state,
            actions_len: sizes.horizon * sizes.action,
        })
    }

    /// The samples that all states are made of, `[H, K, n]`.
    pub(super) fn noise_mut(&mut self) -> &mut [f32] {
        self.model.noise_mut()
    }

    /// Starts a plan with the deviations that its rolled out actions have, if `follows` says so, else
    /// with the configured one.
    pub(super) fn start_deviations(&mut self, plan: usize, follows: bool) {
        let deviations = self.model.deviations_mut(plan);
        if follows {
            deviations.copy_from_slice(self.rollout.deviations(plan));
        } else {
            deviations.fill((self.settings.initial_std * self.settings.std_scale) as f32);
            deviations[..self.state_size].fill(0.0);
        }
    }

    /// Carries the clipped actions of all plans forward; keeps the best in the solution if it is better
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
        let actions = &batch.actions[..self.plans * self.actions_len];
        clip(actions, self.action_limit, self.rollout.actions_mut());
        let state = solve.request.state;
        if self.rollout.run(state, self.model.noise()).is_err() {
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
                (solution.actions).copy_from_slice(self.rollout.actions(plan));
                (solution.states).copy_from_slice(self.rollout.means(plan));
                (solution.rewards).copy_from_slice(self.rollout.rewards(plan));
                solution.predicted_return = solution.rewards.iter().sum();
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
        let running = |progress: &[Progress]| progress.iter().filter(|p| p.ended.is_none()).count();
        self.solver.reset();
        let mut iteration = 0;
        while iteration < limit && running(progress) > 0 {
            let reserve_s = self.rollout_timer.estimate_s();
            if (self.timer).is_out_of_time(solve.request, iteration, solve.clock, reserve_s) {
                // The budget may end between two evaluations.
                if !iteration.is_multiple_of(every) {
                    self.consider(solve, batch, progress, iteration);
                }
                return (iteration, StopCause::TimeBudget);
            }
            self.timer.begin_when_asked(solve.clock);
            let before = running(progress);
            iteration += 1;
            self.step(solve.request.state, batch, progress, iteration);
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

    /// One iteration of all plans from the known state `anchor`.
    fn step(
        &mut self,
        anchor: &[f32],
        batch: &mut Batch,
        progress: &mut [Progress],
        iteration: u32,
    ) {
        let (mut plan, mut multipliers) = batch.first(self.plans, anchor);
        let stepped =
            (self.solver).step_all(&mut self.model, &mut self.crew, &mut plan, &mut multipliers);
        let failed = stepped.err().map(failure);
        let horizon = self.solver.dims().horizon;
        let violations = self.model.deviations.violations.chunks_exact(horizon);
        for (plan, (progress, violations)) in progress.iter_mut().zip(violations).enumerate() {
            if !progress.is_sound() {
                continue;
            }
            let outcome = match failed {
                Some(cause) => Err(cause),
                None => self.solver.outcome(plan).map_err(stop_cause),
            };
            let largest = violations
                .iter()
                .fold(0.0, |largest: f32, v| largest.max(*v));
            progress.take(iteration, outcome, largest, &self.settings);
        }
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
            let rewards = self.solver.rewards(plan).iter();
            solve.trace.push(IterationTrace {
                iteration,
                start: plan as u32,
                elapsed_ms: (elapsed_s * 1e3) as f32,
                dynamics_violation_mean: report.dynamics_violation_mean as f32,
                dynamics_violation_max: progress.violation(),
                action_violation_max: report.action_violation_max as f32,
                dynamics_multiplier_mean: mean(dynamics),
                dynamics_multiplier_max: report.dynamics_multiplier_max as f32,
                action_multiplier_mean: mean(action_limits),
                planned_reward: rewards.map(|r| self.reward.expected(*r)).sum(),
                rollout_return: if is_rolled_out {
                    progress.final_return
                } else {
                    f32::NAN
                },
            });
        }
    }
}

/// Products with averaged gate factors, where the bundle gives them.
pub(super) fn kernels(
    bundle: &Bundle,
    shape: Shape,
) -> Result<Option<GruJacobian<f32, Vec<f32>>>, SetupError> {
    let (Some(weights), Some(sizes)) = (bundle.weights(), OnnxModel::gru_sizes(bundle)) else {
        return Ok(None);
    };
    let (plans, horizon, parts) = (shape.plans, shape.dims.horizon, shape.parts);
    let weights = GruWeights {
        input_kernel: &weights.input_kernel,
        gru_input_kernel: &weights.gru_input_kernel,
        gru_recurrent_kernel: &weights.gru_recurrent_kernel,
        prior_kernel: &weights.prior_kernel,
        mean_kernel: &weights.mean_kernel,
    };
    let len = GruJacobian::<f32, Vec<f32>>::len(&sizes, plans, horizon, parts);
    let arena = vec![0.0; len];
    let made = GruJacobian::new_in(sizes, &weights, plans, horizon, parts, arena)?;
    Ok(Some(made))
}
