//! The iteration of several plans.

use latco_solver::{
    BlockTridiagonal, Inequalities, LinearSolver, Model, PlanFault, Reduced, Settings, Shape,
    Solver, StepError, StepReport,
};

use super::super::batch::Batch;
use super::super::goal::Goal;
use super::super::report::StopCause;
use super::super::threads::Threads;
use crate::config::SolverKind;
use crate::error::SetupError;

/// What all plans of a batch start from.
#[derive(Clone, Copy, Debug)]
pub struct Anchor<'a> {
    /// The known state at their start, `[n]`.
    pub state: &'a [f32],
    /// What they have to satisfy; `None` where there is nothing.
    pub inequalities: Option<&'a dyn Inequalities<f32>>,
    /// The state that they shall end in.
    pub goal: Option<&'a Goal>,
}

/// An iteration, which changes states, actions and multipliers of a fixed number of plans, the first of a
/// [`Batch`].
///
/// # Real-time
/// Nothing in it allocates.
pub trait Stepper<M>: Send {
    /// Forgets the last plans: the next step is on other ones.
    fn reset(&mut self);

    /// Does one iteration of all plans from a known state. A plan that fails is left as it was.
    ///
    /// # Errors
    /// The reason why it failed for all of them.
    fn step(
        &mut self,
        model: &mut M,
        threads: &mut Threads,
        anchor: Anchor<'_>,
        batch: &mut Batch,
    ) -> Result<(), StopCause>;

    /// The outcome of the last step for a plan.
    ///
    /// # Errors
    /// The reason why the step failed for it.
    fn outcome(&self, plan: usize) -> Result<StepReport, StopCause>;

    /// The outputs of the reward head at a plan, `[H]`.
    fn rewards(&self, plan: usize) -> &[f32];
}

impl<L: LinearSolver, M: Model<f32>> Stepper<M> for Solver<f32, L, Vec<f32>> {
    fn reset(&mut self) {
        self.reset();
    }

    fn step(
        &mut self,
        model: &mut M,
        threads: &mut Threads,
        anchor: Anchor<'_>,
        batch: &mut Batch,
    ) -> Result<(), StopCause> {
        let (mut plan, mut multipliers) = batch.first(self.shape().plans, anchor.state);
        plan.inequalities = anchor.inequalities;
        plan.goal = anchor.goal.map(Goal::for_solver);
        (self.step_all(model, threads, &mut plan, &mut multipliers)).map_err(|error| match error {
            StepError::Plan(fault) => stop_cause(fault),
            StepError::Model(_) | StepError::Layout(_) => StopCause::ModelFailed,
        })
    }

    fn outcome(&self, plan: usize) -> Result<StepReport, StopCause> {
        self.outcome(plan).map_err(stop_cause)
    }

    fn rewards(&self, plan: usize) -> &[f32] {
        self.rewards(plan)
    }
}

/// The stop cause of a plan whose iteration failed.
fn stop_cause(fault: PlanFault) -> StopCause {
    match fault {
        PlanFault::NotPositiveDefinite { .. } => StopCause::FactorisationFailed,
        PlanFault::NonFinite(_) => StopCause::NonFinite,
    }
}

/// Steps of Levenberg and Marquardt by one of the linear solvers.
#[derive(Clone, Copy, Debug)]
pub struct Lm {
    /// The linear solver.
    pub solver: SolverKind,
    /// Settings of the steps.
    pub settings: Settings,
}

impl Lm {
    /// Makes the stepper for the plans of `shape`, in memory of its own.
    ///
    /// # Errors
    /// The solver's reason.
    pub fn stepper<M: Model<f32>>(self, shape: Shape) -> Result<Box<dyn Stepper<M>>, SetupError> {
        fn boxed<L: LinearSolver + 'static, M: Model<f32>>(
            shape: Shape,
            settings: Settings,
        ) -> Result<Box<dyn Stepper<M>>, SetupError> {
            let arena = vec![0.0; Solver::<f32, L, Vec<f32>>::len(&shape)];
            let solver = Solver::<f32, L, Vec<f32>>::new_in(shape, settings, arena)?;
            Ok(Box::new(solver))
        }
        match self.solver {
            SolverKind::Reduced => boxed::<Reduced, M>(shape, self.settings),
            SolverKind::BlockTridiagonal => boxed::<BlockTridiagonal, M>(shape, self.settings),
        }
    }
}
