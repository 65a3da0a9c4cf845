//! LatCo: latent collocation (Rybkin et al. 2021, Algorithm 1) on the bundle's graphs.
//!
//! States and actions are planned together by Levenberg-Marquardt steps with growing multipliers.
//! A plan starts from the previous one, shifted by the time that has passed (see
//! [`super::warm_start`]). When there is none, or it promises too little, several starts are made
//! (see [`super::starts`]) and iterated together (see [`super::refine`]). What is executed is the
//! best candidate by its clipped open-loop return.

use latco_models::{Bundle, RewardHead, RunError};

use super::batch::Batch;
use super::contract::{PlanRequest, Planner};
use super::decisions::Decisions;
use super::noise::Noise;
use super::problem::Problem;
use super::refine::{Best, Lane, Progress, Solve};
use super::report::StartKind;
use super::report::{PlanReport, StopCause};
use super::rollout::{ActionRollout, PriorSteps};
use super::solution::{PlanSizes, Solution};
use super::starts::{Sampler, Sampling, start_fresh};
use super::warm_start::{Relaxation, Shift, start_warm};
use crate::config::{Config, LatcoSection};
use crate::error::SetupError;
use crate::time::Clock;
use crate::trace::PlanTrace;

/// The planner of `kind = "latco"`.
pub struct LatcoPlanner {
    settings: LatcoSection,
    sizes: PlanSizes,
    /// For one plan.
    alone: Lane,
    /// For all starts at once, if there are several.
    together: Option<Lane>,
    sampler: Option<Sampler<ActionRollout>>,
    prior: PriorSteps,
    noise: Noise,
    /// The plans that are worked on. Plan 0 is what the next plan starts from.
    batch: Batch,
    progress: Vec<Progress>,
    has_previous: bool,
    reward: RewardHead,
    problem: Problem,
}

impl LatcoPlanner {
    /// Sessions and solvers for plans of these sizes, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let settings = config.planner.latco.clone();
        let starts = settings.starts as usize;
        let lane = |plans| Lane::new(bundle, sizes, &config.planner, plans);
        Ok(Self {
            alone: lane(1)?,
            together: (starts > 1).then(|| lane(starts)).transpose()?,
            sampler: (settings.sampled_starts > 0)
                .then(|| sampler(bundle, sizes, &settings))
                .transpose()?,
            prior: PriorSteps::new(bundle, sizes)?,
            noise: Noise::new(config.planner.seed),
            batch: Batch::new(sizes, starts),
            progress: vec![Progress::new(StartKind::Gaussian); starts],
            has_previous: false,
            reward: bundle.manifest().reward,
            problem: Problem::new(sizes, config.trace.iterations as usize),
            sizes: *sizes,
            settings,
        })
    }

    /// Sets the planner as it was before it was asked to solve `problem`.
    pub(super) fn restore(&mut self, problem: &Problem) {
        self.noise = Noise::from_state(&problem.noise);
        self.has_previous = problem.has_previous;
        self.batch.set_front(&problem.previous);
    }

    /// Notes the problem before it is worked on.
    fn pose(&mut self, request: &PlanRequest<'_>) {
        let problem = &mut self.problem;
        problem.anchor.copy_from_slice(request.state);
        problem.elapsed_periods = request.elapsed_periods;
        problem.has_previous = self.has_previous;
        problem.previous.copy_front(&mut self.batch);
        problem.noise = self.noise.state();
        problem.decisions = Decisions::default();
    }

    /// The previous plan shifted, anchored at the new state, as plan 0.
    fn start_warm(&mut self, state: &[f32], shift: Shift) -> Result<(), RunError> {
        let settings = &self.settings;
        let relaxation = Relaxation {
            factor: settings.multiplier_relaxation as f32,
            dynamics: settings.dynamics_multiplier as f32,
            action_limits: settings.action_multiplier as f32,
        };
        let plan = self.batch.plan_mut(0);
        start_warm(plan, &self.sizes, state, shift, &mut self.prior, relaxation)
    }

    /// Starts from nothing as plans `first..`: noise, and the best sampled sequences at the end.
    fn start_fresh(&mut self, solve: &Solve<'_>, first: usize) -> Result<(), RunError> {
        let starts = self.progress.len();
        let wanted = (self.settings.sampled_starts as usize).min(starts - first);
        let has_samples = wanted > 0 && self.draw_samples(solve, first > 0)?;
        let sampled = if has_samples { wanted } else { 0 };
        for number in first..starts {
            let mut plan = self.batch.plan_mut(number);
            plan.dynamics.fill(self.settings.dynamics_multiplier as f32);
            (plan.action_limits).fill(self.settings.action_multiplier as f32);
            let rank = (number + sampled).checked_sub(starts);
            let sampled = rank.zip(self.sampler.as_mut());
            let (prior, noise) = (&mut self.prior, &mut self.noise);
            let kind = start_fresh(sampled, solve.request.state, prior, noise, &mut plan)?;
            self.progress[number] = Progress::new(kind);
        }
        Ok(())
    }

    /// Samples and ranks action sequences, beside plan 0 where it is the shifted one; false when
    /// there is no time to.
    fn draw_samples(&mut self, solve: &Solve<'_>, is_warm: bool) -> Result<bool, RunError> {
        let Some(sampler) = &mut self.sampler else {
            return Ok(false);
        };
        let shifted = is_warm.then_some(&*self.batch.plan_mut(0).actions);
        let rounds = sampler.sample(solve, shifted, &mut self.noise)?;
        self.problem.decisions.sampling_rounds = rounds;
        Ok(rounds > 0)
    }

    /// Starts and refines; gives the iterations, why there were no more, and how many plans there
    /// were.
    fn solve(&mut self, solve: &mut Solve<'_>, shift: Option<Shift>) -> (u32, StopCause, usize) {
        const FAILED: (u32, StopCause, usize) = (0, StopCause::ModelFailed, 1);
        self.progress[0] = Progress::new(StartKind::Shifted);
        if let Some(shift) = shift {
            if self.start_warm(solve.request.state, shift).is_err() {
                self.progress[0].ended = Some(StopCause::ModelFailed);
                return FAILED;
            }
            (self.alone).consider(solve, &self.batch, &mut self.progress[..1], 0);
        }
        let promised = solve.promised(&self.reward);
        if shift.is_some() && promised >= self.settings.starts_below_return {
            if let Some(together) = &self.together {
                self.alone.expect_as(together);
            }
            let progress = &mut self.progress[..1];
            let limit = self.settings.iterations_warm;
            let (iterations, stop) = (self.alone).refine(solve, &mut self.batch, progress, limit);
            return (iterations, stop, 1);
        }
        if self
            .start_fresh(solve, usize::from(shift.is_some()))
            .is_err()
        {
            self.progress[0].ended = Some(StopCause::ModelFailed);
            return FAILED;
        }
        let lane = self.together.as_mut().unwrap_or(&mut self.alone);
        if self.progress.iter().any(|p| p.kind == StartKind::Sampled) {
            lane.consider(solve, &self.batch, &mut self.progress, 0);
        }
        let limit = match (shift, self.progress.len()) {
            (Some(_), 1) => self.settings.iterations_warm,
            _ => self.settings.iterations_cold,
        };
        let (iterations, stop) = lane.refine(solve, &mut self.batch, &mut self.progress, limit);
        (iterations, stop, self.progress.len())
    }
}

/// Sequences that are ranked by the return of their rollout through mean states.
fn sampler(
    bundle: &Bundle,
    sizes: &PlanSizes,
    settings: &LatcoSection,
) -> Result<Sampler<ActionRollout>, SetupError> {
    let sampling = Sampling {
        samples: settings.samples,
        elites: settings.sampling_elites,
        rounds: settings.sampling_rounds,
    };
    let rollout = ActionRollout::new(bundle, sizes, settings.samples as usize)?;
    let limit = bundle.manifest().action.limit;
    Ok(Sampler::new(rollout, sizes, limit, sampling))
}

impl Planner for LatcoPlanner {
    fn plan(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> PlanReport {
        self.pose(request);
        solution.stand_still(request.state);
        let mut solve = Solve {
            request,
            clock,
            began: clock.now(),
            solution,
            trace,
            best: Best::NONE,
        };
        let shift = (request.elapsed_periods)
            .filter(|_| self.has_previous && self.settings.warm_start)
            .and_then(|elapsed| Shift::new(elapsed, self.sizes.horizon));
        let (iterations, stop, plans) = self.solve(&mut solve, shift);
        let best = solve.best;
        if stop == StopCause::TimeBudget {
            self.problem.decisions.out_of_time_after = Some(iterations);
        }

        // The next plan goes on from the best of those that did not fail; of equals the first.
        let progress = &self.progress[..plans];
        let chosen = (progress.iter().enumerate())
            .filter(|(_, progress)| progress.is_sound())
            .fold(None, |best: Option<(usize, f32)>, (plan, progress)| {
                let value = progress.final_return;
                let is_better = best.is_none_or(|(_, best)| value > best);
                if is_better { Some((plan, value)) } else { best }
            })
            .map_or(0, |(plan, _)| plan);
        let (last, ended) = (progress[chosen].last, progress[chosen].ended);
        self.batch.copy_to_front(chosen);
        let report = PlanReport {
            stop: ended.unwrap_or(stop),
            warm: shift.is_some(),
            plans: plans as u32,
            iterations,
            best_iteration: best.iteration,
            best_plan: best.plan,
            best_start: best.kind,
            predicted_return: solution.predicted_return,
            dynamics_violation: last.dynamics_violation_max as f32,
            action_violation: last.action_violation_max as f32,
        };
        self.has_previous = report.stop.was_successful();
        self.problem.report = report;
        self.problem.solution.copy_from(solution);
        self.problem.last.copy_front(&mut self.batch);
        self.problem.take_trace(trace);
        report
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
        self.has_previous = false;
    }

    fn drop_warm_start(&mut self) {
        self.has_previous = false;
    }

    fn problem(&self) -> Option<&Problem> {
        Some(&self.problem)
    }

    fn name(&self) -> &'static str {
        "latco"
    }
}
