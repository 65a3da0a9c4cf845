//! The solver on the bundle's graphs, for several plans at once, behind one type.

use latco_models::{Bundle, RunError};
use latco_solver::{
    BlockTridiagonal, Dims, Multipliers, Plan as SolverPlan, Quantity, Reduced, Settings, Solver,
    StepError, StepReport,
};

use super::batch::{Batch, IterateMut};
use super::model::OnnxModel;
use super::{PlanSizes, StopCause};
use crate::config::{LatcoSection, SolverKind};
use crate::controller::SetupError;

/// Iterates the first plans of a [`Batch`].
pub(super) struct Engine {
    model: OnnxModel,
    solver: AnySolver,
    plans: usize,
    horizon: usize,
    /// What the last iteration did to each plan.
    outcomes: Vec<Result<StepReport, StopCause>>,
    /// Outputs of the reward head at each plan, `[N, H]`.
    rewards: Vec<f32>,
}

impl Engine {
    /// An engine for `plans` plans at once, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        settings: &LatcoSection,
        plans: usize,
    ) -> Result<Self, SetupError> {
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
        Ok(Self {
            model: OnnxModel::new(bundle, sizes)?,
            solver: AnySolver::new(settings.solver, dims, solver_settings)?,
            plans,
            horizon: sizes.horizon,
            outcomes: vec![Ok(StepReport::default()); plans],
            rewards: vec![0.0; plans * sizes.horizon],
        })
    }

    /// Plans that are iterated.
    pub(super) fn plans(&self) -> usize {
        self.plans
    }

    /// Forgets the evaluated plans: call it before the first [`Engine::step`] on other ones.
    pub(super) fn reset(&mut self) {
        self.solver.reset();
    }

    /// One iteration of all plans from the state `anchor`. A plan that fails is left as it was.
    pub(super) fn step(&mut self, anchor: &[f32], batch: &mut Batch) {
        for plan in 0..self.plans {
            if self.plans > 1 {
                self.solver.reset();
            }
            let stepped = self
                .solver
                .step(&mut self.model, anchor, batch.plan_mut(plan));
            self.outcomes[plan] = stepped.map_err(|error| stop_cause(&error));
            self.rewards[plan * self.horizon..][..self.horizon]
                .copy_from_slice(self.solver.rewards());
        }
    }

    /// What the last iteration did to a plan.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) fn outcome(&self, plan: usize) -> Result<StepReport, StopCause> {
        self.outcomes[plan]
    }

    /// Outputs of the reward head at a plan, `[H]`.
    pub(super) fn rewards(&self, plan: usize) -> &[f32] {
        &self.rewards[plan * self.horizon..][..self.horizon]
    }
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
        iterate: IterateMut<'_>,
    ) -> Result<StepReport, StepError<RunError>> {
        let mut plan = SolverPlan {
            anchor,
            states: iterate.states,
            actions: iterate.actions,
        };
        let mut multipliers = Multipliers {
            dynamics: iterate.dynamics,
            actions: iterate.action_limits,
        };
        match self {
            Self::Reduced(solver) => solver.step(model, &mut plan, &mut multipliers),
            Self::BlockTridiagonal(solver) => solver.step(model, &mut plan, &mut multipliers),
        }
    }
}
