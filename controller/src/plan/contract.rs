//! What a controller asks of a planner.

use super::decisions::Decisions;
use super::problem::Problem;
use super::report::PlanReport;
use super::solution::Solution;
use crate::time::{Clock, Time};
use crate::trace::PlanTrace;

/// What a planner starts from.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// The state at the plan's start, `[n]`.
    pub state: &'a [f32],
    /// Control periods from the start of the previous plan to the start of this one, with their
    /// fraction; none when there is no previous plan to start from.
    pub elapsed_periods: Option<f64>,
    /// When the planner has to be done; none: its iteration budget alone decides.
    pub deadline: Option<Time>,
    /// To make a plan again: what the clock decided then. The deadline does not matter then.
    pub replay: Option<Decisions>,
}

/// Something that makes plans.
///
/// # Real-time
/// After the first cold and the first warm plan, `plan` does not allocate, and it reads no clock
/// but the one it is given.
pub trait Planner: Send {
    /// Makes a plan into `solution` and notes each iteration in `trace`.
    ///
    /// After an unsuccessful stop `solution` still holds a finite answer: the best iterate, the
    /// previous plan, shifted, or standing still.
    fn plan(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> PlanReport;

    /// Forgets the previous plan, and sets the random numbers back to the seed.
    fn reset(&mut self, seed: u64);

    /// Forgets the previous plan only.
    fn drop_warm_start(&mut self);

    /// The problem that was solved last, with its answer; none from a planner that keeps no such
    /// record.
    fn problem(&self) -> Option<&Problem> {
        None
    }

    /// Sets the planner as it was before it was asked to solve `problem`, one of this kind of planner;
    /// says whether it keeps such records.
    fn restore(&mut self, _problem: &Problem) -> bool {
        false
    }

    /// What the clock decided in the last plan; none where the report says it all.
    fn decisions(&self) -> Option<Decisions> {
        self.problem().map(|problem| problem.decisions)
    }

    /// The name as it stands in configurations.
    fn name(&self) -> &'static str;
}
