//! Collocation of several plans together.

use latco_models::{Bundle, RewardHead, RunError};
use latco_solver::{Inequalities, Shape, StepReport};

use super::super::batch::{Batch, Iterate};
use super::super::contract::PlanRequest;
use super::super::deadline::{Quantum, Rounds};
use super::super::goal::Goal;
use super::super::graphs::dims;
use super::super::incumbent::Candidate;
use super::super::model::OnnxModel;
use super::super::noise::{Noise, NoiseState};
use super::super::optimiser::{Optimiser, Outcome, Schedule, Step};
use super::super::report::{StartKind, StopCause};
use super::super::rollout::{PriorSteps, Valuation};
use super::super::solution::PlanSizes;
use super::super::starts::{Sampler, small_round, start_fresh};
use super::super::threads::{Threads, threads};
use super::super::warm_start::{Shift, start_warm};
use super::gaussian::Gaussians;
use super::mean::Means;
use super::settings::Settings;
use super::states::States;
use super::stepper::{Anchor, Lm, Stepper};
use crate::config::{Config, SolverKind};
use crate::constraints;
use crate::error::SetupError;
use crate::trace::IterationTrace;

/// An optimiser that improves plans by collocation. A plan starts from the previous one; where there is none,
/// or it promises too little, several start from noise and from the best of sampled action sequences.
pub struct Collocation<S: States> {
    settings: Settings,
    states: S,
    sizes: PlanSizes,
    action_limit: f32,
    reward: RewardHead,
    lanes: Lanes<S>,
    sampler: Option<Sampler<S::Valuation>>,
    prior: PriorSteps,
    noise: Noise,
    /// The plans that are iterated. The next plan goes on from plan 0.
    batch: Batch,
    /// The starts of the plans that are iterated.
    starts: Vec<StartKind>,
    /// Sum of the rewards of each plan after its last iteration.
    reward_sums: Vec<f64>,
    outcomes: Vec<Outcome>,
}

/// The lane that iterates one plan, and the lane that iterates all starts at once.
struct Lanes<S: States> {
    alone: Lane<S>,
    /// The lane for all starts; `None` where there is only one start.
    together: Option<Lane<S>>,
    /// Whether all starts are being iterated.
    is_together: bool,
}

impl<S: States> Lanes<S> {
    /// The lane that is in use.
    fn active(&self) -> &Lane<S> {
        match &self.together {
            Some(together) if self.is_together => together,
            _ => &self.alone,
        }
    }

    /// The lane that is in use.
    fn active_mut(&mut self) -> &mut Lane<S> {
        match &mut self.together {
            Some(together) if self.is_together => together,
            _ => &mut self.alone,
        }
    }
}

/// Model, stepper and valuation for a fixed number of plans.
struct Lane<S: States> {
    plans: usize,
    model: S::Model,
    stepper: Box<dyn Stepper<S::Model>>,
    threads: Threads,
    valuation: S::Valuation,
}

impl Collocation<Means> {
    /// Makes LatCo by the settings of `[planner.latco]`.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn latco(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let lm = lm(config, bundle);
        Self::with_stepper(config, bundle, sizes, |_, shape| lm.stepper(shape))
    }

    /// Makes LatCo's starts by the same settings, which no iteration improves.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn starts_only(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
    ) -> Result<Self, SetupError> {
        let mut starts = Self::latco(config, bundle, sizes)?;
        starts.settings.schedule.iterations_cold = 0;
        starts.settings.schedule.iterations_warm = 0;
        Ok(starts)
    }

    /// Makes LatCo by the settings of `[planner.latco]`, but with other steps.
    ///
    /// # Errors
    /// The reason of ONNX Runtime, of the solver, or of `stepper`.
    pub fn with_stepper(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
        stepper: impl Fn(&OnnxModel, Shape) -> Result<Box<dyn Stepper<OnnxModel>>, SetupError>,
    ) -> Result<Self, SetupError> {
        let latco = &config.planner.latco;
        let settings = Settings::new(latco, latco.samples, latco.tolerance);
        Self::new(config, bundle, sizes, settings, Means, &stepper)
    }
}

impl Collocation<Gaussians> {
    /// Makes Gaussian LatCo by the settings of `[planner.latco]` and `[planner.gaussian_latco]`.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn gaussian(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
    ) -> Result<Self, SetupError> {
        let own = &config.planner.gaussian_latco;
        let lm = Lm {
            solver: SolverKind::Reduced,
            settings: latco_solver::Settings {
                dynamics_tolerance: own.tolerance,
                action_tolerance: own.tolerance,
                ..lm(config, bundle).settings
            },
        };
        let states = Gaussians::new(own, sizes);
        let settings = Settings::new(&config.planner.latco, own.sequences, own.tolerance);
        Self::new(config, bundle, sizes, settings, states, &|_, shape| {
            lm.stepper(shape)
        })
    }
}

/// The Levenberg-Marquardt steps of LatCo, by the settings of `[planner.latco]`.
#[must_use]
pub fn lm(config: &Config, bundle: &Bundle) -> Lm {
    let section = &config.planner.latco;
    Lm {
        solver: section.solver,
        settings: latco_solver::Settings {
            initial_dynamics_multiplier: section.dynamics_multiplier,
            initial_action_multiplier: section.action_multiplier,
            dynamics_tolerance: section.tolerance,
            action_tolerance: section.tolerance,
            learning_rate: section.multiplier_rate,
            damping: section.damping,
            action_limit: f64::from(bundle.manifest().action.limit),
            ..latco_solver::Settings::default()
        },
    }
}

/// Function that makes the stepper of the plans of a shape.
type MakeStepper<'a, M> = &'a dyn Fn(&M, Shape) -> Result<Box<dyn Stepper<M>>, SetupError>;

impl<S: States> Collocation<S> {
    /// Makes sessions and steppers for plans of these sizes; all memory is allocated here.
    fn new(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
        settings: Settings,
        states: S,
        stepper: MakeStepper<'_, S::Model>,
    ) -> Result<Self, SetupError> {
        let manifest = bundle.manifest();
        let lane = |plans| -> Result<Lane<S>, SetupError> {
            let shape = Shape::of(dims(bundle, sizes))
                .with_plans(plans)
                .with_inequalities(constraints::rows(config, sizes.action))
                .with_goal(sizes.goal);
            let model = states.model(bundle, shape)?;
            Ok(Lane {
                plans,
                stepper: stepper(&model, shape)?,
                model,
                threads: Threads::new(threads(config.planner.threads, sizes.state))
                    .map_err(SetupError::Threads)?,
                valuation: states.valuation(bundle, sizes, plans)?,
            })
        };
        let starts = settings.starts;
        let sampler = |sampled: usize| -> Result<_, SetupError> {
            if sampled == 0 {
                return Ok(None);
            }
            let (limit, sampling) = (manifest.action.limit, settings.sampling);
            let valuation = |sequences| states.sequence_valuation(bundle, sizes, sequences);
            let full = valuation(sampling.samples as usize)?;
            let small = small_round(sampling.samples).filter(|_| S::HAS_SMALL_ROUNDS);
            let small = small.map(valuation).transpose()?;
            Ok(Some(Sampler::new(full, small, sizes, limit, sampling)))
        };
        Ok(Self {
            lanes: Lanes {
                alone: lane(1)?,
                together: (starts > 1).then(|| lane(starts)).transpose()?,
                is_together: false,
            },
            sampler: sampler(settings.sampled_starts)?,
            prior: PriorSteps::new(bundle, sizes)?,
            noise: Noise::new(config.planner.seed),
            batch: Batch::new(sizes, starts),
            starts: Vec::with_capacity(starts),
            reward_sums: vec![0.0; starts],
            outcomes: vec![Outcome::Failed(StopCause::ModelFailed); starts],
            sizes: *sizes,
            action_limit: manifest.action.limit,
            reward: manifest.reward,
            settings,
            states,
        })
    }

    /// Samples and ranks action sequences, some of them around plan 0 if there is one already; returns
    /// whether there was time for it.
    fn sample(
        &mut self,
        request: &PlanRequest<'_>,
        rounds: &mut Rounds<'_>,
    ) -> Result<bool, RunError> {
        let Some(sampler) = &mut self.sampler else {
            return Ok(false);
        };
        if rounds.done() == 0 {
            draw::<S>(sampler, &mut self.noise);
        }
        let shifted = (!self.starts.is_empty()).then_some(&*self.batch.plan_mut(0).actions);
        sampler.sample(request, shifted, &mut self.noise, rounds)?;
        Ok(rounds.done() > 0)
    }

    /// The outcome of an iteration for a plan.
    fn examine(&mut self, plan: usize) -> Outcome {
        let lane = self.lanes.active();
        let report = match lane.stepper.outcome(plan) {
            Ok(report) => report,
            Err(cause) => return Outcome::Failed(cause),
        };
        let violation = S::violation(&lane.model, plan);
        let figures = self.figures(plan, &report);
        let is_feasible = report.feasible && f64::from(violation) <= self.settings.tolerance;
        let before = std::mem::replace(&mut self.reward_sums[plan], report.reward_sum);
        let change = (report.reward_sum - before).abs();
        if is_feasible && change < self.settings.reward_tolerance {
            Outcome::Finished(figures, StopCause::Converged)
        } else {
            Outcome::Improved(figures)
        }
    }

    /// The figures of an iteration of a plan.
    fn figures(&self, plan: usize, report: &StepReport) -> IterationTrace {
        let lane = self.lanes.active();
        let (dynamics, action_limits) = self.batch.multipliers_of(plan);
        let rewards = lane.stepper.rewards(plan).iter();
        IterationTrace {
            dynamics_violation_mean: report.dynamics_violation_mean as f32,
            dynamics_violation_max: report.dynamics_violation_max as f32
                + S::violation(&lane.model, plan),
            action_violation_max: report.action_violation_max as f32,
            dynamics_multiplier_mean: mean(dynamics),
            dynamics_multiplier_max: report.dynamics_multiplier_max as f32,
            action_multiplier_mean: mean(action_limits),
            planned_reward: rewards.map(|r| self.reward.expected(*r)).sum(),
            ..IterationTrace::default()
        }
    }
}

/// Draws the noise that the valuations of sampled sequences need.
fn draw<S: States>(sampler: &mut Sampler<S::Valuation>, noise: &mut Noise) {
    (sampler.valuations_mut()).for_each(|valuation| S::draw_for_sequences(valuation, noise));
}

/// The mean of at least one number.
fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

impl<S: States> Optimiser for Collocation<S> {
    const GIVES_STATES: bool = true;

    fn schedule(&self) -> Schedule {
        self.settings.schedule
    }

    fn most_plans(&self) -> usize {
        self.settings.starts
    }

    fn begin(&mut self, goal: Option<&Goal>) {
        self.starts.clear();
        if let Some(sampler) = &mut self.sampler {
            (sampler.valuations_mut()).for_each(|valuation| valuation.set_goal(goal));
        }
        self.lanes.is_together = false;
        self.states.draw(&mut self.noise);
        let Lanes {
            alone, together, ..
        } = &mut self.lanes;
        for lane in [Some(alone), together.as_mut()].into_iter().flatten() {
            lane.valuation.set_goal(goal);
            (self.states).equip(&mut lane.model, &mut lane.valuation);
        }
    }

    fn start_warm(
        &mut self,
        request: &PlanRequest<'_>,
        shift: Shift,
        rounds: &mut Rounds<'_>,
    ) -> Result<StartKind, RunError> {
        let mut plan = self.batch.plan_mut(0);
        let prior = &mut self.prior;
        start_warm(&mut plan, &self.sizes, request.state, shift, prior)?;
        let mut kind = StartKind::Shifted;
        if self.settings.warm_sampling
            && let Some(sampler) = &mut self.sampler
        {
            draw::<S>(sampler, &mut self.noise);
            if sampler.beats(request, plan.actions, &mut self.noise, rounds)? {
                sampler.start(0, request.state, prior, &mut plan)?;
                kind = StartKind::Sampled;
            }
        }
        self.starts.push(kind);
        Ok(kind)
    }

    fn start_fresh(
        &mut self,
        request: &PlanRequest<'_>,
        rounds: &mut Rounds<'_>,
        starts: &mut Vec<StartKind>,
    ) -> Result<bool, RunError> {
        let (first, all) = (self.starts.len(), self.settings.starts);
        let wanted = self.settings.sampled_starts.min(all - first);
        let has_samples = wanted > 0 && self.sample(request, rounds)?;
        let sampled = if has_samples { wanted } else { 0 };
        for number in first..all {
            let mut plan = self.batch.plan_mut(number);
            let [dynamics, action_limits] = self.settings.first_multipliers;
            plan.dynamics.fill(dynamics);
            plan.action_limits.fill(action_limits);
            let rank = (number + sampled).checked_sub(all);
            let sequence = rank.zip(self.sampler.as_mut());
            let (prior, noise) = (&mut self.prior, &mut self.noise);
            let kind = start_fresh(sequence, request.state, prior, noise, &mut plan)?;
            starts.push(kind);
            self.starts.push(kind);
        }
        self.lanes.is_together = true;
        Ok(sampled > 0 || (first > 0 && S::VALUES_SHIFTED))
    }

    fn prepare(&mut self) {
        self.reward_sums.fill(0.0);
        let lane = self.lanes.active_mut();
        lane.stepper.reset();
        for (plan, kind) in self.starts.iter().enumerate() {
            let is_valued = *kind != StartKind::Gaussian;
            let (model, valuation) = (&mut lane.model, &lane.valuation);
            self.states.start(model, valuation, plan, is_valued);
        }
    }

    fn improve(&mut self, request: &PlanRequest<'_>, _quantum: &mut Quantum<'_>) -> Step {
        let lane = self.lanes.active_mut();
        let (model, threads) = (&mut lane.model, &mut lane.threads);
        let inequalities = request.constraints.map(|all| all as &dyn Inequalities<f32>);
        let from = Anchor {
            state: request.state,
            inequalities,
            goal: request.goal,
        };
        let stepped = (lane.stepper).step(model, threads, from, &mut self.batch);
        for plan in 0..self.starts.len() {
            self.outcomes[plan] = match stepped {
                Err(cause) => Outcome::Failed(cause),
                Ok(()) => self.examine(plan),
            };
        }
        Step::Iteration
    }

    fn outcome(&self, plan: usize) -> Outcome {
        self.outcomes[plan]
    }

    fn value(&mut self, state: &[f32]) -> Result<(), RunError> {
        let len = self.sizes.horizon * self.sizes.action;
        let lane = self.lanes.active_mut();
        let actions = &self.batch.actions[..lane.plans * len];
        lane.valuation.value(actions, self.action_limit, state)
    }

    fn candidate(&mut self, plan: usize) -> Candidate<'_> {
        let lane = self.lanes.active_mut();
        let candidate = lane.valuation.candidate(plan);
        Candidate {
            states: candidate.states.or(Some(self.batch.states_of(plan))),
            ..candidate
        }
    }

    fn keep(&mut self, plan: usize) {
        self.batch.copy_to_front(plan);
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
    }

    fn save(&mut self, iterate: &mut Iterate) -> Option<NoiseState> {
        iterate.copy_front(&mut self.batch);
        Some(self.noise.state())
    }

    fn restore(&mut self, iterate: &Iterate, noise: &NoiseState) {
        self.noise = Noise::from_state(noise);
        self.batch.set_front(iterate);
    }
}
