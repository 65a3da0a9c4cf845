//! The solver on the bundle's graphs, for several plans at once, behind one type.

use latco_models::{Bundle, RunError};
use latco_solver::{
    BlockTridiagonal, Crew, Dims, Model, PlanFault, Reduced, Settings, Shape, Solver, StepError,
    StepReport,
};

use super::batch::Batch;
use super::first_order::FirstOrder;
use super::model::OnnxModel;
use super::report::StopCause;
use super::solution::PlanSizes;
use super::threads::{Threads, threads};
use crate::config::{Optimiser, PlannerSection, SolverKind};
use crate::error::SetupError;

/// Iterates the first plans of a [`Batch`].
pub(super) struct Engine {
    model: OnnxModel,
    solver: AnySolver,
    crew: Threads,
    /// Why the last iteration failed for all plans.
    failed: Option<StopCause>,
}

impl Engine {
    /// An engine for `plans` plans at once, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        planner: &PlannerSection,
        plans: usize,
    ) -> Result<Self, SetupError> {
        let settings = &planner.latco;
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
        let shape = Shape::of(dims).with_plans(plans);
        let model = OnnxModel::new(bundle, shape)?;
        let solver = match settings.optimiser {
            Optimiser::LevenbergMarquardt => {
                AnySolver::new(settings.solver, shape, solver_settings)?
            }
            Optimiser::Adam => {
                let cut = model.cut(shape.parts);
                AnySolver::FirstOrder(FirstOrder::new(shape, cut, solver_settings, settings))
            }
        };
        Ok(Self {
            model,
            solver,
            crew: Threads::new(threads(planner.threads, sizes.state))
                .map_err(SetupError::Threads)?,
            failed: None,
        })
    }

    /// Plans that are iterated.
    pub(super) fn plans(&self) -> usize {
        match &self.solver {
            AnySolver::Reduced(solver) => solver.shape().plans,
            AnySolver::BlockTridiagonal(solver) => solver.shape().plans,
            AnySolver::FirstOrder(optimiser) => optimiser.plans(),
        }
    }

    /// Forgets the evaluated plans: call it before the first [`Engine::step`] on other ones.
    pub(super) fn reset(&mut self) {
        self.solver.reset();
    }

    /// One iteration of all plans from the state `anchor`. A plan that fails is left as it was.
    pub(super) fn step(&mut self, anchor: &[f32], batch: &mut Batch) {
        let stepped = (self.solver).step(&mut self.model, &mut self.crew, anchor, batch);
        self.failed = stepped.err().map(failure);
    }

    /// What the last iteration did to a plan.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) fn outcome(&self, plan: usize) -> Result<StepReport, StopCause> {
        match self.failed {
            Some(cause) => Err(cause),
            None => self.solver.outcome(plan).map_err(stop_cause),
        }
    }

    /// Outputs of the reward head at a plan, `[H]`.
    pub(super) fn rewards(&self, plan: usize) -> &[f32] {
        match &self.solver {
            AnySolver::Reduced(solver) => solver.rewards(plan),
            AnySolver::BlockTridiagonal(solver) => solver.rewards(plan),
            AnySolver::FirstOrder(optimiser) => optimiser.rewards(plan),
        }
    }
}

/// Why an iteration failed for all plans.
pub(super) fn failure<E>(error: StepError<E>) -> StopCause {
    match error {
        StepError::Plan(fault) => stop_cause(fault),
        StepError::Model(_) | StepError::Layout(_) => StopCause::ModelFailed,
    }
}

/// Why an iteration failed for one plan.
pub(super) fn stop_cause(fault: PlanFault) -> StopCause {
    match fault {
        PlanFault::NotPositiveDefinite { .. } => StopCause::FactorisationFailed,
        PlanFault::NonFinite(_) => StopCause::NonFinite,
    }
}

/// What makes a step, in memory of its own.
enum AnySolver {
    Reduced(Solver<f32, Reduced, Vec<f32>>),
    BlockTridiagonal(Solver<f32, BlockTridiagonal, Vec<f32>>),
    FirstOrder(FirstOrder),
}

impl AnySolver {
    fn new(kind: SolverKind, shape: Shape, settings: Settings) -> Result<Self, SetupError> {
        Ok(match kind {
            SolverKind::Reduced => {
                let arena = vec![0.0; Solver::<f32, Reduced, Vec<f32>>::len(&shape)];
                Self::Reduced(Solver::new_in(shape, settings, arena)?)
            }
            SolverKind::BlockTridiagonal => {
                let arena = vec![0.0; Solver::<f32, BlockTridiagonal, Vec<f32>>::len(&shape)];
                Self::BlockTridiagonal(Solver::new_in(shape, settings, arena)?)
            }
        })
    }

    fn outcome(&self, plan: usize) -> Result<StepReport, PlanFault> {
        match self {
            Self::Reduced(solver) => solver.outcome(plan),
            Self::BlockTridiagonal(solver) => solver.outcome(plan),
            Self::FirstOrder(optimiser) => optimiser.outcome(plan),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Reduced(solver) => solver.reset(),
            Self::BlockTridiagonal(solver) => solver.reset(),
            Self::FirstOrder(optimiser) => optimiser.reset(),
        }
    }

    fn step(
        &mut self,
        model: &mut OnnxModel,
        crew: &mut impl Crew,
        anchor: &[f32],
        batch: &mut Batch,
    ) -> Result<(), StepError<RunError>> {
        match self {
            Self::Reduced(solver) => {
                let (mut plan, mut multipliers) = batch.first(solver.shape().plans, anchor);
                solver.step_all(model, crew, &mut plan, &mut multipliers)
            }
            Self::BlockTridiagonal(solver) => {
                let (mut plan, mut multipliers) = batch.first(solver.shape().plans, anchor);
                solver.step_all(model, crew, &mut plan, &mut multipliers)
            }
            Self::FirstOrder(optimiser) => {
                (optimiser.step(model, crew, anchor, batch)).map_err(StepError::Model)
            }
        }
    }
}
