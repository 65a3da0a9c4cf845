//! The solver on the bundle's graphs, for several plans at once, behind one type.

use latco_models::{Bundle, RunError};
use latco_solver::{
    BlockTridiagonal, Crew, DampingPolicy, Dims, PlanFault, Reduced, Settings, Shape, Solver,
    StepError, StepReport,
};

use super::batch::Batch;
use super::model::OnnxModel;
use super::threads::{Threads, threads};
use super::{PlanSizes, StopCause};
use crate::config::{Damping, PlannerSection, SolverKind};
use crate::controller::SetupError;

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
            damping_policy: match settings.damping_policy {
                Damping::Constant => DampingPolicy::Constant,
                Damping::Adaptive => DampingPolicy::Adaptive,
            },
            action_limit: f64::from(manifest.action.limit),
            ..Settings::default()
        };
        let shape = Shape::of(dims).with_plans(plans);
        Ok(Self {
            model: OnnxModel::new(bundle, shape)?,
            solver: AnySolver::new(settings.solver, shape, solver_settings)?,
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
        }
    }

    /// Forgets the evaluated plans: call it before the first [`Engine::step`] on other ones.
    pub(super) fn reset(&mut self) {
        self.solver.reset();
    }

    /// One iteration of all plans from the state `anchor`. A plan that fails is left as it was.
    pub(super) fn step(&mut self, anchor: &[f32], batch: &mut Batch) {
        let stepped = (self.solver).step(&mut self.model, &mut self.crew, anchor, batch);
        self.failed = stepped.err().map(|error| match error {
            StepError::Plan(fault) => stop_cause(fault),
            StepError::Model(_) | StepError::Layout(_) => StopCause::ModelFailed,
        });
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
        }
    }
}

fn stop_cause(fault: PlanFault) -> StopCause {
    match fault {
        PlanFault::NotPositiveDefinite { .. } => StopCause::FactorisationFailed,
        PlanFault::NonFinite(_) => StopCause::NonFinite,
    }
}

/// Either linear solver, in memory of its own.
enum AnySolver {
    Reduced(Solver<f32, Reduced, Vec<f32>>),
    BlockTridiagonal(Solver<f32, BlockTridiagonal, Vec<f32>>),
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
        crew: &mut impl Crew,
        anchor: &[f32],
        batch: &mut Batch,
    ) -> Result<(), StepError<RunError>> {
        let (mut plan, mut multipliers) = match self {
            Self::Reduced(solver) => batch.first(solver.shape().plans, anchor),
            Self::BlockTridiagonal(solver) => batch.first(solver.shape().plans, anchor),
        };
        match self {
            Self::Reduced(solver) => solver.step_all(model, crew, &mut plan, &mut multipliers),
            Self::BlockTridiagonal(solver) => {
                solver.step_all(model, crew, &mut plan, &mut multipliers)
            }
        }
    }
}
