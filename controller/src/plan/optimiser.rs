//! The optimiser that a planner is made of: one way to make plans better, without a clock and without a loop.

use latco_models::RunError;

use super::batch::Iterate;
use super::contract::PlanRequest;
use super::deadline::{Quantum, Rounds};
use super::goal::Goal;
use super::incumbent::Candidate;
use super::noise::NoiseState;
use super::report::{StartKind, StopCause};
use super::warm_start::Shift;
use crate::config::LatcoSection;
use crate::trace::IterationTrace;

/// The schedule of a planner's loop.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Whether plans start from the previous one, shifted.
    pub warm_start: bool,
    /// Largest number of iterations of a plan with fresh starts.
    pub iterations_cold: u32,
    /// Largest number of iterations of a plan that starts from the previous one alone.
    pub iterations_warm: u32,
    /// Number of iterations between two valuations of the candidates.
    pub value_every: u32,
    /// Return below which fresh starts are made beside the shifted plan; with `None` they never are.
    pub fresh_starts_below_return: Option<f64>,
}

impl Schedule {
    /// The iterations and the warm start of `[planner.latco]`, with a valuation every `value_every` iterations and no fresh
    /// starts beside the shifted plan.
    #[must_use]
    pub fn new(latco: &LatcoSection, value_every: u32) -> Self {
        Self {
            warm_start: latco.warm_start,
            iterations_cold: latco.iterations_cold,
            iterations_warm: latco.iterations_warm,
            value_every,
            fresh_starts_below_return: None,
        }
    }
}

/// The outcome of a quantum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A part of an iteration is done, and there are more parts.
    Part,
    /// The iteration is done: [`Optimiser::outcome`] tells what it did to each plan.
    Iteration,
    /// The quantum's time was over; the plans are as they were before the iteration.
    GivenUp,
}

/// The outcome of an iteration for one plan.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// The iteration changed the plan.
    Improved(IterationTrace),
    /// The iteration changed the plan, and there is a reason for no more.
    Finished(IterationTrace, StopCause),
    /// The iteration could not change the plan, which is as it was and of no further use.
    Failed(StopCause),
}

/// A way to improve plans: several that are iterated together, or one.
///
/// [`super::Anytime`] makes a [`super::Planner`] of it and calls it in this order: [`Optimiser::begin`];
/// [`Optimiser::start_warm`] and a valuation, if there is a previous plan; [`Optimiser::start_fresh`]
/// and a valuation, if there is none or it promises too little; then, as long as there is time,
/// [`Optimiser::improve`] and, every few iterations, a valuation; and [`Optimiser::keep`]. A valuation
/// is [`Optimiser::value`] and a [`Optimiser::candidate`] of each plan.
///
/// # Real-time
/// Nothing here allocates after the first cold and the first warm plan, and nothing reads a clock.
pub trait Optimiser: Send {
    /// Whether candidates come with their states; otherwise those of the answer are rolled out at the end.
    const GIVES_STATES: bool = false;

    /// The schedule of the loop.
    fn schedule(&self) -> Schedule;

    /// Largest number of plans that are iterated together.
    fn most_plans(&self) -> usize {
        1
    }

    /// Number of quanta in an iteration.
    fn parts(&self) -> u32 {
        1
    }

    /// The shift of the previous plan when `elapsed` control periods have passed; `None` when nothing of its
    /// `horizon` steps is left.
    fn shift(&self, elapsed: f64, horizon: usize) -> Option<Shift> {
        Shift::new(elapsed, horizon)
    }

    /// Begins a new plan, which shall end in `goal`: no plan is iterated yet.
    fn begin(&mut self, goal: Option<&Goal>);

    /// Makes the previous plan, shifted, or what is found beside it in `rounds`, the first one that is iterated; returns which.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn start_warm(
        &mut self,
        request: &PlanRequest<'_>,
        shift: Shift,
        rounds: &mut Rounds<'_>,
    ) -> Result<StartKind, RunError>;

    /// Makes fresh plans beside those that are iterated already and adds the start of each to `starts`.
    /// Returns whether there is anything worth a valuation before the first iteration.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn start_fresh(
        &mut self,
        request: &PlanRequest<'_>,
        rounds: &mut Rounds<'_>,
        starts: &mut Vec<StartKind>,
    ) -> Result<bool, RunError>;

    /// Prepares the first iteration, when all starts are made.
    fn prepare(&mut self) {}

    /// Does one quantum for all plans.
    fn improve(&mut self, request: &PlanRequest<'_>, quantum: &mut Quantum<'_>) -> Step;

    /// The outcome of the last iteration for a plan.
    fn outcome(&self, plan: usize) -> Outcome;

    /// Ends an iteration of which only some parts were done in time. Returns whether something came of them
    /// that is worth a valuation.
    fn interrupt(&mut self, _parts: u32) -> bool {
        false
    }

    /// Values the plans that are iterated, as they are now, for a robot in `state` `[n]`.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn value(&mut self, state: &[f32]) -> Result<(), RunError>;

    /// The candidate that the last [`Optimiser::value`] made of a plan.
    fn candidate(&mut self, plan: usize) -> Candidate<'_>;

    /// A candidate that is valued only once, after the last iteration; it wins ties.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn last_candidate(&mut self, _state: &[f32]) -> Result<Option<Candidate<'_>>, RunError> {
        Ok(None)
    }

    /// Keeps a plan as the one from which the next goes on.
    fn keep(&mut self, _plan: usize) {}

    /// Sets the random numbers back to the seed.
    fn reset(&mut self, _seed: u64) {}

    /// Copies what the next plan would go on from, for a record of the problem, and returns the position of
    /// the random numbers; `None` where no such record is kept.
    fn save(&mut self, _iterate: &mut Iterate) -> Option<NoiseState> {
        None
    }

    /// Goes on from such a record.
    fn restore(&mut self, _iterate: &Iterate, _noise: &NoiseState) {}
}
