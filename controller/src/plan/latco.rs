//! LatCo: latent collocation (Rybkin et al. 2021, Algorithm 1) on the bundle's graphs.
//!
//! States and actions are planned together by Levenberg-Marquardt steps with growing multipliers.
//! The first plan starts from noise; later ones from the previous plan, shifted by the elapsed
//! control periods. What is executed is the best candidate by its clipped open-loop return (see
//! [`super::rollout`]): the shifted plan itself, every few iterates, and the last.

use latco_models::{Bundle, RewardKind, RunError};
use latco_solver::{
    BlockTridiagonal, Dims, Multipliers, Plan as SolverPlan, Quantity, Reduced, Settings, Solver,
    StepError, StepReport,
};

use super::budget::IterationTimer;
use super::model::OnnxModel;
use super::noise::Noise;
use super::rollout::{ActionRollout, clip, expected_reward};
use super::{PlanReport, PlanRequest, PlanSizes, Planner, Solution, StopCause};
use crate::config::{Config, LatcoSection, SolverKind};
use crate::controller::SetupError;
use crate::time::{Clock, Time};
use crate::trace::{IterationTrace, PlanTrace};

/// The planner of `kind = "latco"`.
pub struct LatcoPlanner {
    settings: LatcoSection,
    sizes: PlanSizes,
    action_limit: f32,
    reward_kind: RewardKind,
    model: OnnxModel,
    solver: AnySolver,
    rollout: ActionRollout,
    noise: Noise,
    timer: IterationTimer,
    /// The iterate that is worked on, and from which the next plan starts.
    iterate: Iterate,
    /// The iterate of the best of several starts.
    kept: Iterate,
    clipped: Vec<f32>,
    has_previous: bool,
}

/// A collocation in progress.
#[derive(Clone, Debug)]
struct Iterate {
    /// `[H + 1, n]`
    states: Vec<f32>,
    /// `[H, na]`
    actions: Vec<f32>,
    /// lambda, `[H]`
    dynamics: Vec<f32>,
    /// nu, `[H]`
    action_limits: Vec<f32>,
}

/// How one start ended.
struct Outcome {
    stop: StopCause,
    iterations: u32,
    last: StepReport,
    /// Return of the last evaluated candidate of this start.
    final_return: f32,
}

impl Outcome {
    /// Whether the next plan should rather go on from this start than from the other.
    fn is_better_than(&self, other: &Self) -> bool {
        self.stop.was_successful()
            && (!other.stop.was_successful() || self.final_return > other.final_return)
    }
}

/// The best candidate so far.
struct Best {
    predicted_return: f32,
    iteration: u32,
}

impl LatcoPlanner {
    /// Sessions and solver for plans of these sizes, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let settings = config.planner.latco.clone();
        let manifest = bundle.manifest();
        let dims = Dims {
            stoch: manifest.dims.stoch,
            deter: manifest.dims.deter,
            action: sizes.action,
            horizon: sizes.horizon,
        };
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
        let iterate = Iterate {
            states: vec![0.0; dims.states_len()],
            actions: vec![0.0; dims.actions_len()],
            dynamics: vec![0.0; sizes.horizon],
            action_limits: vec![0.0; sizes.horizon],
        };
        Ok(Self {
            action_limit: manifest.action.limit,
            reward_kind: manifest.reward.kind,
            model: OnnxModel::new(bundle, sizes)?,
            solver: AnySolver::new(settings.solver, dims, solver_settings)?,
            rollout: ActionRollout::new(bundle, sizes)?,
            noise: Noise::new(config.planner.seed),
            timer: IterationTimer::default(),
            kept: iterate.clone(),
            iterate,
            clipped: vec![0.0; dims.actions_len()],
            has_previous: false,
            sizes: *sizes,
            settings,
        })
    }

    /// Noise from a unit Gaussian and the initial multipliers.
    fn start_cold(&mut self, state: &[f32]) {
        self.noise.fill(&mut self.iterate.states);
        self.noise.fill(&mut self.iterate.actions);
        self.iterate.states[..self.sizes.state].copy_from_slice(state);
        let settings = &self.settings;
        self.iterate
            .dynamics
            .fill(settings.dynamics_multiplier as f32);
        self.iterate
            .action_limits
            .fill(settings.action_multiplier as f32);
    }

    /// The previous plan shifted by `elapsed` steps, anchored at the new state.
    fn start_warm(&mut self, state: &[f32], elapsed: usize) -> Result<(), RunError> {
        let (n, na) = (self.sizes.state, self.sizes.action);
        self.iterate.shift(elapsed, n, na);
        let last = self.sizes.horizon - elapsed;
        self.rollout
            .fill_states(last, &mut self.iterate.states, &self.iterate.actions)?;
        self.iterate.states[..n].copy_from_slice(state);
        let settings = &self.settings;
        let relaxation = settings.multiplier_relaxation as f32;
        relax(
            &mut self.iterate.dynamics,
            relaxation,
            settings.dynamics_multiplier as f32,
        );
        relax(
            &mut self.iterate.action_limits,
            relaxation,
            settings.action_multiplier as f32,
        );
        Ok(())
    }

    /// Rolls out the clipped actions of the iterate; keeps them in `solution` if they are the best.
    fn consider(
        &mut self,
        state: &[f32],
        iteration: u32,
        best: &mut Best,
        solution: &mut Solution,
    ) -> Result<f32, RunError> {
        clip(&self.iterate.actions, self.action_limit, &mut self.clipped);
        let value = self.rollout.evaluate(state, &self.clipped)?;
        if value > best.predicted_return {
            best.predicted_return = value;
            best.iteration = iteration;
            solution.actions.copy_from_slice(&self.clipped);
            solution.states.copy_from_slice(&self.iterate.states);
            solution.rewards.copy_from_slice(self.rollout.rewards());
            solution.predicted_return = value;
        }
        Ok(value)
    }

    /// Iterates from the current start until a stop.
    #[allow(clippy::too_many_arguments)]
    fn refine(
        &mut self,
        request: &PlanRequest<'_>,
        start: u32,
        limit: u32,
        clock: &dyn Clock,
        began: Time,
        best: &mut Best,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> Outcome {
        let mut outcome = Outcome {
            stop: StopCause::IterationBudget,
            iterations: 0,
            last: StepReport::default(),
            final_return: f32::NEG_INFINITY,
        };
        let (mut best_merit, mut best_merit_at) = (f64::INFINITY, 0);
        self.solver.reset();
        while outcome.iterations < limit {
            if self.timer.would_overrun(request.deadline, clock) {
                outcome.stop = StopCause::TimeBudget;
                break;
            }
            self.timer.begin(clock);
            let step = (self.solver).step(&mut self.model, request.state, &mut self.iterate);
            let report = match step {
                Ok(report) => report,
                Err(error) => {
                    outcome.stop = stop_cause(&error);
                    break;
                }
            };
            outcome.iterations += 1;
            let iteration = outcome.iterations;
            let change = (report.reward_sum - outcome.last.reward_sum).abs();
            outcome.last = report;
            if report.merit < best_merit {
                (best_merit, best_merit_at) = (report.merit, iteration);
            }
            let ended = if report.feasible && change < self.settings.reward_tolerance {
                Some(StopCause::Converged)
            } else if iteration - best_merit_at >= self.settings.stall_iterations {
                Some(StopCause::Stalled)
            } else {
                None
            };
            let mut rollout_return = f32::NAN;
            let is_due = iteration.is_multiple_of(self.settings.rollout_every_iterations);
            if is_due || ended.is_some() || iteration == limit {
                match self.consider(request.state, iteration, best, solution) {
                    Ok(value) => {
                        rollout_return = value;
                        outcome.final_return = value;
                    }
                    Err(_) => {
                        outcome.stop = StopCause::ModelFailed;
                        break;
                    }
                }
            }
            self.timer.end(clock);
            trace.push(IterationTrace {
                iteration,
                start,
                elapsed_ms: (clock.now().seconds_since(began) * 1e3) as f32,
                dynamics_violation_mean: report.dynamics_violation_mean as f32,
                dynamics_violation_max: report.dynamics_violation_max as f32,
                action_violation_max: report.action_violation_max as f32,
                dynamics_multiplier_mean: mean(&self.iterate.dynamics),
                dynamics_multiplier_max: report.dynamics_multiplier_max as f32,
                action_multiplier_mean: mean(&self.iterate.action_limits),
                planned_reward: (self.solver.rewards().iter())
                    .map(|r| expected_reward(self.reward_kind, *r))
                    .sum(),
                rollout_return,
            });
            if let Some(cause) = ended {
                outcome.stop = cause;
                break;
            }
        }
        // The budget may have ended between two evaluations.
        if outcome.stop == StopCause::TimeBudget
            && !(outcome.iterations).is_multiple_of(self.settings.rollout_every_iterations)
        {
            match self.consider(request.state, outcome.iterations, best, solution) {
                Ok(value) => outcome.final_return = value,
                Err(_) => outcome.stop = StopCause::ModelFailed,
            }
        }
        outcome
    }
}

impl Planner for LatcoPlanner {
    fn plan(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> PlanReport {
        let began = clock.now();
        let mut best = Best {
            predicted_return: f32::NEG_INFINITY,
            iteration: 0,
        };
        // The answer if nothing better is found: stand still.
        solution.actions.fill(0.0);
        solution.rewards.fill(0.0);
        for row in solution.states.chunks_exact_mut(self.sizes.state) {
            row.copy_from_slice(request.state);
        }
        solution.predicted_return = 0.0;

        let elapsed = (request.elapsed_periods)
            .filter(|&elapsed| self.has_previous && elapsed < self.sizes.horizon);
        let base = elapsed.map(|elapsed| {
            self.start_warm(request.state, elapsed)?;
            self.consider(request.state, 0, &mut best, solution)
        });
        let outcome = match base {
            Some(Ok(_)) => self.plan_warm(request, clock, began, &mut best, solution, trace),
            Some(Err(_)) => Outcome {
                stop: StopCause::ModelFailed,
                iterations: 0,
                last: StepReport::default(),
                final_return: f32::NEG_INFINITY,
            },
            None => self.plan_cold(request, clock, began, &mut best, solution, trace),
        };
        self.has_previous = outcome.stop.was_successful();
        PlanReport {
            stop: outcome.stop,
            warm: elapsed.is_some(),
            iterations: outcome.iterations,
            best_iteration: best.iteration,
            predicted_return: solution.predicted_return,
            dynamics_violation: outcome.last.dynamics_violation_max as f32,
            action_violation: outcome.last.action_violation_max as f32,
        }
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
        self.has_previous = false;
    }

    fn drop_warm_start(&mut self) {
        self.has_previous = false;
    }

    fn name(&self) -> &'static str {
        "latco"
    }
}

impl LatcoPlanner {
    /// Goes on with the shifted plan; while it promises next to nothing, against a fresh start.
    fn plan_warm(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        began: Time,
        best: &mut Best,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> Outcome {
        let limit = self.settings.iterations_warm;
        let warm = self.refine(request, 0, limit, clock, began, best, solution, trace);
        let is_poor = f64::from(best.predicted_return) < self.settings.restart_below_return;
        if !is_poor || warm.stop == StopCause::TimeBudget {
            return warm;
        }
        self.kept.copy_from(&self.iterate);
        self.start_cold(request.state);
        let limit = self.settings.iterations_cold;
        let mut fresh = self.refine(request, 1, limit, clock, began, best, solution, trace);
        let iterations = warm.iterations + fresh.iterations;
        if !fresh.is_better_than(&warm) {
            self.iterate.copy_from(&self.kept);
            fresh = warm;
        }
        Outcome {
            iterations,
            ..fresh
        }
    }

    /// All starts one after the other; the iterate of the best is kept for the next plan.
    fn plan_cold(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        began: Time,
        best: &mut Best,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> Outcome {
        let mut chosen: Option<Outcome> = None;
        let mut iterations = 0;
        for start in 0..self.settings.starts {
            self.start_cold(request.state);
            let limit = self.settings.iterations_cold;
            let outcome = self.refine(request, start, limit, clock, began, best, solution, trace);
            iterations += outcome.iterations;
            let out_of_time = outcome.stop == StopCause::TimeBudget;
            if (chosen.as_ref()).is_none_or(|chosen| outcome.is_better_than(chosen)) {
                chosen = Some(outcome);
                self.kept.copy_from(&self.iterate);
            }
            if out_of_time {
                break;
            }
        }
        self.iterate.copy_from(&self.kept);
        let mut chosen = chosen.expect("the configuration asks for at least one start");
        chosen.iterations = iterations;
        chosen
    }
}

impl Iterate {
    /// Shifts everything forward by `elapsed` steps (less than H). States after the old horizon
    /// are left for the caller to fill; actions and multipliers repeat their last value.
    fn shift(&mut self, elapsed: usize, n: usize, na: usize) {
        shift_rows(&mut self.states, elapsed, n);
        shift_rows(&mut self.actions, elapsed, na);
        shift_rows(&mut self.dynamics, elapsed, 1);
        shift_rows(&mut self.action_limits, elapsed, 1);
    }

    fn copy_from(&mut self, other: &Self) {
        self.states.copy_from_slice(&other.states);
        self.actions.copy_from_slice(&other.actions);
        self.dynamics.copy_from_slice(&other.dynamics);
        self.action_limits.copy_from_slice(&other.action_limits);
    }
}

/// Row t becomes row t + `by`; the rows at the end repeat the last one.
fn shift_rows(values: &mut [f32], by: usize, size: usize) {
    let rows = values.len() / size;
    let by = by.min(rows.saturating_sub(1));
    values.copy_within(by * size.., 0);
    for row in rows - by..rows {
        values.copy_within((rows - by - 1) * size..(rows - by) * size, row * size);
    }
}

/// Multiplies by `factor`, but takes no multiplier that is above the initial value below it.
fn relax(multipliers: &mut [f32], factor: f32, initial: f32) {
    if factor == 1.0 {
        return;
    }
    for multiplier in multipliers {
        *multiplier = (*multiplier).min((*multiplier * factor).max(initial));
    }
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

fn stop_cause<E>(error: &StepError<E>) -> StopCause {
    match error {
        StepError::Model(_) | StepError::Layout(_) => StopCause::ModelFailed,
        StepError::NotPositiveDefinite { .. } => StopCause::FactorisationFailed,
        StepError::NonFinite(
            Quantity::Plan
            | Quantity::Multipliers
            | Quantity::Means
            | Quantity::Rewards
            | Quantity::Step,
        ) => StopCause::NonFinite,
    }
}

/// Either linear solver, in memory of its own.
enum AnySolver {
    Reduced(Solver<f32, Reduced, Vec<f32>>),
    BlockTridiagonal(Solver<f32, BlockTridiagonal, Vec<f32>>),
}

impl AnySolver {
    fn new(kind: SolverKind, dims: Dims, settings: Settings) -> Result<Self, SetupError> {
        Ok(match kind {
            SolverKind::Reduced => {
                let arena = vec![0.0; Solver::<f32, Reduced, Vec<f32>>::len(&dims)];
                Self::Reduced(Solver::new_in(dims, settings, arena)?)
            }
            SolverKind::BlockTridiagonal => {
                let arena = vec![0.0; Solver::<f32, BlockTridiagonal, Vec<f32>>::len(&dims)];
                Self::BlockTridiagonal(Solver::new_in(dims, settings, arena)?)
            }
        })
    }

    /// Outputs of the reward head at the last iterate, `[H]`.
    fn rewards(&self) -> &[f32] {
        match self {
            Self::Reduced(solver) => solver.rewards(),
            Self::BlockTridiagonal(solver) => solver.rewards(),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Reduced(solver) => solver.reset(),
            Self::BlockTridiagonal(solver) => solver.reset(),
        }
    }

    fn step(
        &mut self,
        model: &mut OnnxModel,
        anchor: &[f32],
        iterate: &mut Iterate,
    ) -> Result<StepReport, StepError<RunError>> {
        let mut plan = SolverPlan {
            anchor,
            states: &mut iterate.states,
            actions: &mut iterate.actions,
        };
        let mut multipliers = Multipliers {
            dynamics: &mut iterate.dynamics,
            actions: &mut iterate.action_limits,
        };
        match self {
            Self::Reduced(solver) => solver.step(model, &mut plan, &mut multipliers),
            Self::BlockTridiagonal(solver) => solver.step(model, &mut plan, &mut multipliers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_moves_rows_and_repeats_the_last() {
        let mut rows = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5];
        shift_rows(&mut rows, 1, 2);
        assert_eq!(rows, [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 3.0, 3.5]);
        shift_rows(&mut rows, 0, 2);
        assert_eq!(rows, [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 3.0, 3.5]);
        shift_rows(&mut rows, 9, 2);
        assert_eq!(rows, [3.0, 3.5, 3.0, 3.5, 3.0, 3.5, 3.0, 3.5]);
    }

    #[test]
    fn relaxed_multipliers_stay_at_or_above_the_initial_value() {
        let mut multipliers = [0.5, 1.0, 4.0, 1000.0];
        relax(&mut multipliers, 1.0, 1.0);
        assert_eq!(multipliers, [0.5, 1.0, 4.0, 1000.0]);
        relax(&mut multipliers, 0.1, 1.0);
        assert_eq!(multipliers, [0.5, 1.0, 1.0, 100.0]);
    }

    #[test]
    fn errors_of_the_solver_have_their_stop_cause() {
        let failed: StepError<RunError> = StepError::NotPositiveDefinite { stage: 3 };
        assert_eq!(stop_cause(&failed), StopCause::FactorisationFailed);
        let failed: StepError<RunError> = StepError::NonFinite(Quantity::Means);
        assert_eq!(stop_cause(&failed), StopCause::NonFinite);
    }
}
