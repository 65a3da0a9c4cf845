//! The contract between a controller and a planner.

use super::decisions::Decisions;
use super::goal::Goal;
use super::incumbent::Candidate;
use super::problem::Problem;
use super::report::{CandidateReturns, PlanReport};
use super::solution::Solution;
use crate::constraints::Constraints;
use crate::time::{Clock, Time};
use crate::trace::PlanTrace;

/// The request for a plan.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// The state at the plan's start, `[n]`.
    pub state: &'a [f32],
    /// Control periods from the start of the previous plan to the start of this one, with their fraction;
    /// `None` when there is no previous plan to start from.
    pub elapsed_periods: Option<f64>,
    /// What the plan has to keep away from, and where the robot is when it begins; `None` where there is nothing.
    pub constraints: Option<&'a Constraints>,
    /// The state that the plan shall end in; only for a planner whose sizes take one ([`super::PlanSizes::goal`]).
    pub goal: Option<&'a Goal>,
    /// Time by which the planner has to be done; with `None` its iteration budget alone decides.
    pub deadline: Option<Time>,
    /// The clock's decisions of an earlier plan, to make that plan again; the deadline then does not matter.
    pub replay: Option<Decisions>,
}

impl PlanRequest<'_> {
    /// The candidate with what it is worth less for the constraints that its actions violate.
    #[must_use]
    pub(super) fn penalised<'a>(&self, candidate: Candidate<'a>) -> Candidate<'a> {
        match self.constraints {
            Some(constraints) => Candidate {
                worth: candidate.worth - constraints.penalty(candidate.actions),
                ..candidate
            },
            None => candidate,
        }
    }
}

/// A planner, which makes plans.
///
/// # Real-time
/// After the first cold and the first warm plan, `plan` does not allocate, and it reads no clock
/// but the one it is given.
pub trait Planner: Send {
    /// Makes a plan in `solution` and notes each iteration in `trace`.
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

    /// Finds out, as when it was made, how long its work takes, but by `clock`: that of its deadlines, where it is not the
    /// machine's. It does nothing in a planner that was made without a budget.
    fn learn_times(&mut self, _clock: &dyn Clock) {}

    /// Forgets the previous plan, and sets the random numbers back to the seed.
    fn reset(&mut self, seed: u64);

    /// Forgets the previous plan only.
    fn drop_warm_start(&mut self);

    /// The problem that was solved last, with its answer; `None` from a planner that keeps no such record.
    fn problem(&self) -> Option<&Problem> {
        None
    }

    /// Sets the planner to its state before it was asked to solve `problem`, one of this kind of planner;
    /// returns whether it keeps such records.
    fn restore(&mut self, _problem: &Problem) -> bool {
        false
    }

    /// The clock's decisions in the last plan; `None` where the report says it all.
    fn decisions(&self) -> Option<Decisions> {
        self.problem().map(|problem| problem.decisions)
    }

    /// The returns of the last plan's candidates, as far as the planner keeps them.
    fn candidates(&self) -> CandidateReturns {
        CandidateReturns::default()
    }

    /// The name of the planner in configurations.
    fn name(&self) -> &'static str;
}
