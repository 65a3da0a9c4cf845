//! What a planner has to be: one way to make plans better, without a clock and without a loop.

use latco_models::RunError;

use super::batch::Iterate;
use super::contract::PlanRequest;
use super::deadline::{Quantum, Rounds};
use super::incumbent::Candidate;
use super::noise::NoiseState;
use super::report::{StartKind, StopCause};
use super::warm_start::Shift;
use crate::trace::IterationTrace;

/// How often what is done.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Whether plans start from the previous one, shifted.
    pub warm_start: bool,
    /// Most iterations of a plan with fresh starts.
    pub iterations_cold: u32,
    /// Most iterations of a plan that starts from the previous one alone.
    pub iterations_warm: u32,
    /// Iterations between two valuations of the candidates.
    pub value_every: u32,
    /// While the shifted plan promises less than this, fresh starts are made beside it; none: never.
    pub fresh_starts_below_return: Option<f64>,
}

/// What came of a quantum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A part of an iteration is done, and there are more.
    Part,
    /// The iteration is done: [`Optimiser::outcome`] says what it did to each plan.
    Iteration,
    /// The quantum said that its time is over; the plans are as they were before the iteration.
    GivenUp,
}

/// What an iteration did to one plan.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It changed it.
    Improved(IterationTrace),
    /// It changed it, and there is a reason for no more.
    Finished(IterationTrace, StopCause),
    /// It could not change it: the plan is as it was, and of no use.
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
    /// Whether candidates come with their states; otherwise those of the answer are rolled out at the
    /// end.
    const GIVES_STATES: bool = false;

    /// How often what is done.
    fn schedule(&self) -> Schedule;

    /// Most plans that are iterated together.
    fn most_plans(&self) -> usize {
        1
    }

    /// Quanta in an iteration.
    fn parts(&self) -> u32 {
        1
    }

    /// By how much the previous plan is shifted when `elapsed` control periods have passed; none when
    /// nothing of its `horizon` steps is left.
    fn shift(&self, elapsed: f64, horizon: usize) -> Option<Shift> {
        Shift::new(elapsed, horizon)
    }

    /// A new plan begins: no plan is iterated yet.
    fn begin(&mut self) {}

    /// Makes the previous plan, shifted, the first that is iterated.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn start_warm(&mut self, request: &PlanRequest<'_>, shift: Shift) -> Result<(), RunError>;

    /// Makes fresh plans beside those that are iterated already and adds what each was started from to
    /// `starts`. Says whether there is anything that is worth a valuation before the first iteration.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn start_fresh(
        &mut self,
        request: &PlanRequest<'_>,
        rounds: &mut Rounds<'_>,
        starts: &mut Vec<StartKind>,
    ) -> Result<bool, RunError>;

    /// All starts are made, the first iteration is next.
    fn prepare(&mut self) {}

    /// One quantum for all plans.
    fn improve(&mut self, request: &PlanRequest<'_>, quantum: &mut Quantum<'_>) -> Step;

    /// What the last iteration did to a plan.
    fn outcome(&self, plan: usize) -> Outcome;

    /// The time is over after some parts of an iteration. Says whether something came of them that is
    /// worth a valuation.
    fn interrupt(&mut self, _parts: u32) -> bool {
        false
    }

    /// Values the plans that are iterated, as they are now, for a robot in `state` `[n]`.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn value(&mut self, state: &[f32]) -> Result<(), RunError>;

    /// What the last [`Optimiser::value`] made of a plan.
    fn candidate(&mut self, plan: usize) -> Candidate<'_>;

    /// A candidate that is valued only once, after the last iteration; it wins ties.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn last_candidate(&mut self, _state: &[f32]) -> Result<Option<Candidate<'_>>, RunError> {
        Ok(None)
    }

    /// The next plan goes on from this one.
    fn keep(&mut self, _plan: usize) {}

    /// Sets the random numbers back to the seed.
    fn reset(&mut self, _seed: u64) {}

    /// Copies what the next plan would go on from, for a record of the problem, and says where the
    /// random numbers stand; none where no such record is kept.
    fn save(&mut self, _iterate: &mut Iterate) -> Option<NoiseState> {
        None
    }

    /// Goes on from such a record.
    fn restore(&mut self, _iterate: &Iterate, _noise: &NoiseState) {}
}
