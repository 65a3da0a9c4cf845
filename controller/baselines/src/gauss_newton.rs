//! Shooting GN: Gauss-Newton on the actions, by LatCo's own solver with dynamics that do not give.
//!
//! With all defects 0 and a multiplier of the dynamics so large that defects stay 0, the step of the
//! reduced solver is the Gauss-Newton step of the same sum of squares over the actions alone. After
//! each step the states are rolled out again.

use latco_controller::config::Config;
use latco_controller::plan::{
    Anchor, Anytime, Batch, Collocation, Goal, GoalSlot, Noise, OnnxModel, PlanRequest, PlanSizes, Planner,
    PriorSteps, Quantum, Shift, Stepper, StopCause, Threads, dims, threads,
};
use latco_controller::trace::IterationTrace;
use latco_controller::SetupError;
use latco_models::Bundle;
use latco_solver::{Reduced, Settings, Shape, Solver, StepReport};

use crate::method::Method;

/// Multiplier of the dynamics: a change of a defect costs this much more than one of an action.
const STIFF: f32 = 1e6;
/// Damping on the change of the actions, in their units: with a tenth of it steps leave the range in which the linear model holds.
const DAMPING: f64 = 0.1;
/// Initial multiplier of the action limits, that of LatCo.
const ACTION_MULTIPLIER: f32 = 1.0;

/// Makes the planner whose starts are LatCo's and whose steps are those of Gauss and Newton.
///
/// # Errors
/// ONNX Runtime's or the solver's reason.
pub(crate) fn sampled(
    config: &Config,
    bundle: &Bundle,
    sizes: &PlanSizes,
) -> Result<Box<dyn Planner>, SetupError> {
    let stepper = |_: &OnnxModel, shape| -> Result<Box<dyn Stepper<OnnxModel>>, SetupError> {
        Ok(Box::new(Rolled::new(config, bundle, sizes, shape)?))
    };
    let collocation = Collocation::with_stepper(config, bundle, sizes, stepper)?;
    Ok(Box::new(Anytime::new(config, bundle, sizes, collocation)?))
}

/// Gauss-Newton steps on LatCo's sum of squares, before each of which the states are rolled out.
struct Rolled {
    solver: Solver<f32, Reduced, Vec<f32>>,
    prior: PriorSteps,
}

impl Rolled {
    fn new(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
        shape: Shape,
    ) -> Result<Self, SetupError> {
        let latco = &config.planner.latco;
        // The solver's damping is in units of the residuals divided by this.
        let normaliser = f64::from(STIFF).sqrt() + f64::from(ACTION_MULTIPLIER).sqrt() + 1.0;
        let settings = Settings {
            initial_dynamics_multiplier: latco.dynamics_multiplier,
            initial_action_multiplier: f64::from(ACTION_MULTIPLIER),
            dynamics_tolerance: latco.tolerance,
            action_tolerance: latco.tolerance,
            learning_rate: latco.multiplier_rate,
            damping: 2.0 * DAMPING / (normaliser * normaliser),
            action_limit: f64::from(bundle.manifest().action.limit),
            ..Settings::default()
        };
        let arena = vec![0.0; Solver::<f32, Reduced, Vec<f32>>::len(&shape)];
        Ok(Self {
            solver: Solver::new_in(shape, settings, arena)?,
            prior: PriorSteps::new(bundle, sizes)?,
        })
    }
}

impl Stepper<OnnxModel> for Rolled {
    fn reset(&mut self) {
        self.solver.reset();
    }

    fn step(
        &mut self,
        model: &mut OnnxModel,
        threads: &mut Threads,
        anchor: Anchor<'_>,
        batch: &mut Batch,
    ) -> Result<(), StopCause> {
        for number in 0..self.solver.shape().plans {
            let plan = batch.plan_mut(number);
            plan.states[..anchor.state.len()].copy_from_slice(anchor.state);
            (self.prior.fill(0, plan.states, plan.actions)).map_err(|_| StopCause::ModelFailed)?;
            plan.dynamics.fill(STIFF);
        }
        self.solver.reset();
        Stepper::step(&mut self.solver, model, threads, anchor, batch)
    }

    fn outcome(&self, plan: usize) -> Result<StepReport, StopCause> {
        Stepper::<OnnxModel>::outcome(&self.solver, plan)
    }

    fn rewards(&self, plan: usize) -> &[f32] {
        self.solver.rewards(plan)
    }
}

/// Such steps from one action sequence.
pub struct GaussNewton {
    action_size: usize,
    action_limit: f32,
    model: OnnxModel,
    stepper: Rolled,
    threads: Threads,
    batch: Batch,
    noise: Noise,
    goal: GoalSlot,
}

impl Method for GaussNewton {
    /// Twice as often as LatCo's candidates: an iteration does more.
    const VALUE_EVERY: u32 = 5;

    fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let shape = Shape::of(dims(bundle, sizes)).with_goal(sizes.goal);
        Ok(Self {
            action_size: sizes.action,
            action_limit: bundle.manifest().action.limit,
            model: OnnxModel::new(bundle, shape)?,
            stepper: Rolled::new(config, bundle, sizes, shape)?,
            threads: Threads::new(threads(config.planner.threads, sizes.state))
                .map_err(SetupError::Threads)?,
            batch: Batch::new(sizes, 1),
            noise: Noise::new(config.planner.seed),
            goal: GoalSlot::new(sizes),
        })
    }

    fn start(&mut self, _request: &PlanRequest<'_>, shift: Option<Shift>) {
        let plan = self.batch.plan_mut(0);
        if let Some(shift) = shift {
            shift.apply(plan.actions, self.action_size);
            shift.apply(plan.action_limits, 1);
        } else {
            self.noise.fill_uniform(plan.actions, self.action_limit);
            plan.action_limits.fill(ACTION_MULTIPLIER);
        }
    }

    fn set_goal(&mut self, goal: Option<&Goal>) {
        self.goal.set(goal);
    }

    fn actions(&self) -> &[f32] {
        &self.batch.actions
    }

    fn improve(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
        _quantum: &mut Quantum<'_>,
    ) -> Result<(), StopCause> {
        let from = Anchor {
            state,
            inequalities: None,
            goal: self.goal.get(),
        };
        (self.stepper).step(&mut self.model, &mut self.threads, from, &mut self.batch)?;
        let report = self.stepper.outcome(0)?;
        figures.planned_reward = self.stepper.rewards(0).iter().sum();
        figures.action_violation_max = report.action_violation_max as f32;
        let (_, nu) = self.batch.multipliers_of(0);
        figures.action_multiplier_mean = nu.iter().sum::<f32>() / nu.len() as f32;
        Ok(())
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
    }
}
