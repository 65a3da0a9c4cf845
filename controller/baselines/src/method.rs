//! The contract of planners on actions alone, and the optimiser that is made of one.

use latco_controller::SetupError;
use latco_controller::config::Config;
use latco_controller::plan::{
    ActionRollout, Candidate, Goal, Optimiser, Outcome, PlanRequest, PlanSizes, Quantum, Rounds,
    Schedule, Shift, StartKind, Step, StopCause, Valuation,
};
use latco_controller::trace::IterationTrace;
use latco_models::{Bundle, RunError};

/// A way to improve an action sequence.
pub trait Method: Send + Sized {
    /// Number of iterations between two valuations of the clipped actions. How many iterations there are, and whether from the
    /// plan before, is in `[planner.latco]`.
    const VALUE_EVERY: u32;

    /// Allocates all memory for plans of these sizes.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError>;

    /// Sets the actions to begin with: the last ones shifted, or others.
    fn start(&mut self, request: &PlanRequest<'_>, shift: Option<Shift>);

    /// Actions, `[H, na]`; they may exceed their limits.
    fn actions(&self) -> &[f32];

    /// Improves them once, for a plan from `state`; `figures` has the number of the iteration. An
    /// iteration of long steps asks between them whether the quantum is over.
    ///
    /// # Errors
    /// Why there shall be no more iterations; the actions are then those to use. After
    /// [`StopCause::TimeBudget`], [`StopCause::ModelFailed`] and [`StopCause::NonFinite`] nothing came of
    /// this one.
    fn improve(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
        quantum: &mut Quantum<'_>,
    ) -> Result<(), StopCause>;

    /// Sets the state that plans shall end in from now on.
    fn set_goal(&mut self, goal: Option<&Goal>);

    /// Sets random numbers back to the seed.
    fn reset(&mut self, _seed: u64) {}
}

/// The optimiser that a [`Method`] makes: one plan, valued by the return of its clipped actions.
pub struct ActionSearch<M> {
    method: M,
    schedule: Schedule,
    action_limit: f32,
    rollout: ActionRollout,
    outcome: Outcome,
}

impl<M: Method> ActionSearch<M> {
    /// Sessions for plans of these sizes, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        Ok(Self {
            method: M::new(config, bundle, sizes)?,
            schedule: Schedule::new(&config.planner.latco, M::VALUE_EVERY),
            action_limit: bundle.manifest().action.limit,
            rollout: ActionRollout::new(bundle, sizes, 1)?,
            outcome: Outcome::Failed(StopCause::ModelFailed),
        })
    }
}

impl<M: Method> Optimiser for ActionSearch<M> {
    fn schedule(&self) -> Schedule {
        self.schedule
    }

    fn begin(&mut self, goal: Option<&Goal>) {
        self.rollout.set_goal(goal);
        self.method.set_goal(goal);
    }

    fn start_warm(
        &mut self,
        request: &PlanRequest<'_>,
        shift: Shift,
        _rounds: &mut Rounds<'_>,
    ) -> Result<StartKind, RunError> {
        self.method.start(request, Some(shift));
        Ok(StartKind::Shifted)
    }

    fn start_fresh(
        &mut self,
        request: &PlanRequest<'_>,
        _rounds: &mut Rounds<'_>,
        starts: &mut Vec<StartKind>,
    ) -> Result<bool, RunError> {
        self.method.start(request, None);
        starts.push(StartKind::Uniform);
        Ok(true)
    }

    fn improve(&mut self, request: &PlanRequest<'_>, quantum: &mut Quantum<'_>) -> Step {
        let mut figures = IterationTrace {
            iteration: quantum.iteration(),
            ..IterationTrace::default()
        };
        self.outcome = match (self.method).improve(request.state, &mut figures, quantum) {
            Ok(()) => Outcome::Improved(figures),
            Err(StopCause::TimeBudget) => return Step::GivenUp,
            Err(cause @ (StopCause::ModelFailed | StopCause::NonFinite)) => Outcome::Failed(cause),
            Err(cause) => Outcome::Finished(figures, cause),
        };
        Step::Iteration
    }

    fn outcome(&self, _plan: usize) -> Outcome {
        self.outcome
    }

    fn value(&mut self, state: &[f32]) -> Result<(), RunError> {
        let actions = self.method.actions();
        self.rollout.value(actions, self.action_limit, state)
    }

    fn candidate(&mut self, _plan: usize) -> Candidate<'_> {
        self.rollout.candidate(0)
    }

    fn reset(&mut self, seed: u64) {
        self.method.reset(seed);
    }
}
