//! The best candidate so far, which is the answer whenever the time is over.

use latco_models::RewardHead;

use super::report::StartKind;
use super::solution::Solution;

/// Actions within their limits, and what they are worth.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Worth by which candidates are compared: the predicted return, or what the optimiser makes of it.
    pub worth: f32,
    /// Predicted return, the sum of `rewards`.
    pub predicted_return: f32,
    /// Actions in normalised units, `[H, na]`.
    pub actions: &'a [f32],
    /// Predicted rewards under these actions, `[H]`.
    pub rewards: &'a [f32],
    /// States that go with the actions, `[H + 1, n]`; `None` where the answer's are rolled out at the end.
    pub states: Option<&'a [f32]>,
    /// Source of the actions, where it is not the start of their plan.
    pub start: Option<StartKind>,
    /// Whether it may become the answer; otherwise it is only noted in the trace.
    pub competes: bool,
}

/// The best candidate so far.
pub(super) struct Incumbent<'a> {
    solution: &'a mut Solution,
    worth: f32,
    /// Number of the iteration that it is from; 0 is the base.
    pub(super) iteration: u32,
    /// Number of its plan.
    pub(super) plan: u32,
    /// Start of that plan.
    pub(super) start: StartKind,
}

impl<'a> Incumbent<'a> {
    /// Makes the incumbent of no motion at all in `state` `[n]`, which any candidate beats.
    pub(super) fn standing_still(state: &[f32], solution: &'a mut Solution) -> Self {
        solution.stand_still(state);
        Self {
            solution,
            worth: f32::NEG_INFINITY,
            iteration: 0,
            plan: 0,
            start: StartKind::StandingStill,
        }
    }

    /// Puts the candidate in its place if it is worth more.
    pub(super) fn challenge(
        &mut self,
        candidate: &Candidate<'_>,
        (iteration, plan, start): (u32, u32, StartKind),
    ) {
        if candidate.competes && candidate.worth > self.worth {
            self.start = candidate.start.unwrap_or(start);
            self.plan = plan;
            self.replace(candidate, iteration);
        }
    }

    /// Puts the candidate in its place if it is worth at least as much; plan and start stay those of the
    /// incumbent.
    pub(super) fn renew(&mut self, candidate: &Candidate<'_>, iteration: u32) {
        if candidate.competes && candidate.worth >= self.worth {
            self.replace(candidate, iteration);
        }
    }

    fn replace(&mut self, candidate: &Candidate<'_>, iteration: u32) {
        (self.worth, self.iteration) = (candidate.worth, iteration);
        let solution = &mut *self.solution;
        solution.actions.copy_from_slice(candidate.actions);
        solution.rewards.copy_from_slice(candidate.rewards);
        solution.predicted_return = candidate.predicted_return;
        if let Some(states) = candidate.states {
            // Row 0 is the state asked for, whatever a solver that moves it made of it.
            let n = solution.states.len() / (solution.rewards.len() + 1);
            solution.states[n..].copy_from_slice(&states[n..]);
        }
    }

    /// The return that the answer promises to pay; the lowest number while there is none.
    pub(super) fn promised(&self, head: &RewardHead) -> f64 {
        if self.worth == f32::NEG_INFINITY {
            return f64::NEG_INFINITY;
        }
        f64::from(head.promised(&self.solution.rewards))
    }

    /// The solution that is the answer.
    pub(super) fn solution(&mut self) -> &mut Solution {
        self.solution
    }
}
