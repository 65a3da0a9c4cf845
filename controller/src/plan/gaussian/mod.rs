//! Gaussian LatCo: collocation of the means and deviations of the states (Rybkin et al. 2021,
//! section 3.4, Algorithms 2 and 3, appendix C).
//!
//! The reward of a plan is its expectation over the states' distribution, so that a good outcome that
//! only might come is worth no more than it should be; LatCo plans for the mean state, which is what the
//! optimist or the pessimist in the model makes of it. Actions are not distributed: the plan's are executed.
//!
//! [`model`] makes Gaussian plans out of the solver's (means), [`lane`] iterates, and [`rollout`] values
//! candidates: what is executed is the best by expected return of its clipped actions.

mod lane;
mod model;
mod moments;
mod rollout;
mod steps;

use latco_models::{Bundle, RewardHead, RunError};

use super::batch::Batch;
use super::noise::Noise;
use super::refine::{Best, Solve};
use super::report::StartKind;
use super::rollout::PriorSteps;
use super::starts::{Sampler, Sampling, start_fresh};
use super::warm_start::{Relaxation, Shift, start_warm};
use super::{Decisions, PlanReport, PlanRequest, PlanSizes, Planner, Solution, StopCause};
use crate::config::{Config, GaussianLatcoSection, PlannerKind};
use crate::error::SetupError;
use crate::time::Clock;
use crate::trace::PlanTrace;

use lane::{Lane, Progress};
use rollout::ExpectedReturns;

/// The planner of `kind = "gaussian_latco"`.
pub struct GaussianPlanner {
    settings: GaussianLatcoSection,
    sizes: PlanSizes,
    /// For one plan.
    alone: Lane,
    /// For all starts at once, if there are several.
    together: Option<Lane>,
    sampler: Option<Sampler<ExpectedReturns>>,
    prior: PriorSteps,
    noise: Noise,
    /// What the clock decided in the last plan.
    decisions: Decisions,
    /// The plans that are worked on. Plan 0 is what the next plan starts from.
    batch: Batch,
    progress: Vec<Progress>,
    has_previous: bool,
    reward: RewardHead,
}

impl GaussianPlanner {
    /// Sessions and solvers for plans of these sizes, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let settings = config.planner.gaussian_latco.clone();
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
            decisions: Decisions::default(),
            batch: Batch::new(sizes, starts),
            progress: vec![Progress::new(StartKind::Gaussian); starts],
            has_previous: false,
            reward: bundle.manifest().reward,
            sizes: *sizes,
            settings,
        })
    }

    /// Draws the samples of this plan's states: the same in all its iterations, so that these have one
    /// aim, and the same for all its starts.
    fn draw(&mut self) {
        let (samples, n) = (self.settings.samples as usize, self.sizes.state);
        let noise = self.alone.noise_mut();
        moments::draw(&mut self.noise, samples, n, noise);
        if let Some(together) = &mut self.together {
            together.noise_mut().copy_from_slice(self.alone.noise_mut());
        }
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
        let state = solve.request.state;
        let wanted = (self.settings.sampled_starts as usize).min(starts - first);
        let mut sampled = 0;
        if let Some(sampler) = self.sampler.as_mut().filter(|_| wanted > 0) {
            sampler.valuation_mut().draw(&mut self.noise);
            let shifted = (first > 0).then_some(&*self.batch.plan_mut(0).actions);
            let rounds = sampler.sample(solve, shifted, &mut self.noise)?;
            self.decisions.sampling_rounds = rounds;
            sampled = if rounds > 0 { wanted } else { 0 };
        }
        for number in first..starts {
            let mut plan = self.batch.plan_mut(number);
            plan.dynamics.fill(self.settings.dynamics_multiplier as f32);
            (plan.action_limits).fill(self.settings.action_multiplier as f32);
            let rank = (number + sampled).checked_sub(starts);
            let sampled = rank.zip(self.sampler.as_mut());
            let (prior, noise) = (&mut self.prior, &mut self.noise);
            let kind = start_fresh(sampled, state, prior, noise, &mut plan)?;
            self.progress[number] = Progress::new(kind);
        }
        Ok(())
    }

    /// Starts and refines; gives the iterations, why there were no more, and how many plans there
    /// were.
    fn solve(&mut self, solve: &mut Solve<'_>, shift: Option<Shift>) -> (u32, StopCause, usize) {
        let state = solve.request.state;
        self.decisions = Decisions::default();
        self.draw();
        self.progress[0] = Progress::new(StartKind::Shifted);
        if let Some(shift) = shift {
            if self.start_warm(state, shift).is_err() {
                self.progress[0].ended = Some(StopCause::ModelFailed);
                return (0, StopCause::ModelFailed, 1);
            }
            (self.alone).consider(solve, &self.batch, &mut self.progress[..1], 0);
            let promised = solve.promised(&self.reward);
            if promised >= self.settings.starts_below_return {
                self.alone.start_deviations(0, true);
                let progress = &mut self.progress[..1];
                let limit = self.settings.iterations_warm;
                let (iterations, stop) =
                    (self.alone).refine(solve, &mut self.batch, progress, limit);
                return (iterations, stop, 1);
            }
        }
        if self
            .start_fresh(solve, usize::from(shift.is_some()))
            .is_err()
        {
            self.progress[0].ended = Some(StopCause::ModelFailed);
            return (0, StopCause::ModelFailed, 1);
        }
        let lane = self.together.as_mut().unwrap_or(&mut self.alone);
        let has_actions = |progress: &Progress| progress.kind != StartKind::Gaussian;
        if self.progress.iter().any(has_actions) {
            lane.consider(solve, &self.batch, &mut self.progress, 0);
        }
        for (plan, progress) in self.progress.iter().enumerate() {
            lane.start_deviations(plan, has_actions(progress));
        }
        let limit = match (shift, self.progress.len()) {
            (Some(_), 1) => self.settings.iterations_warm,
            _ => self.settings.iterations_cold,
        };
        let (iterations, stop) = lane.refine(solve, &mut self.batch, &mut self.progress, limit);
        (iterations, stop, self.progress.len())
    }
}

/// Sequences that are ranked by their expected return.
fn sampler(
    bundle: &Bundle,
    sizes: &PlanSizes,
    settings: &GaussianLatcoSection,
) -> Result<Sampler<ExpectedReturns>, SetupError> {
    let sampling = Sampling {
        samples: settings.sequences,
        elites: settings.sampling_elites,
        rounds: settings.sampling_rounds,
    };
    let valuation = ExpectedReturns::new(
        bundle,
        sizes,
        settings.sequences as usize,
        settings.sequence_samples as usize,
        settings,
    )?;
    let limit = bundle.manifest().action.limit;
    Ok(Sampler::new(valuation, sizes, limit, sampling))
}

impl Planner for GaussianPlanner {
    fn plan(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> PlanReport {
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
            self.decisions.out_of_time_after = Some(iterations);
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
        let chosen_progress = progress[chosen];
        self.batch.copy_to_front(chosen);
        let report = PlanReport {
            stop: chosen_progress.ended.unwrap_or(stop),
            warm: shift.is_some(),
            plans: plans as u32,
            iterations,
            best_iteration: best.iteration,
            best_plan: best.plan,
            best_start: best.kind,
            predicted_return: solution.predicted_return,
            dynamics_violation: chosen_progress.violation(),
            action_violation: chosen_progress.last.action_violation_max as f32,
        };
        self.has_previous = report.stop.was_successful();
        report
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
        self.has_previous = false;
    }

    fn drop_warm_start(&mut self) {
        self.has_previous = false;
    }

    fn decisions(&self) -> Option<Decisions> {
        Some(self.decisions)
    }

    fn name(&self) -> &'static str {
        PlannerKind::GaussianLatco.name()
    }
}
