//! The report of a plan.

use serde::{Deserialize, Serialize};

latco_models::named! {
    /// The reason why a planner stopped.
    #[derive(
        Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
    )]
    #[serde(rename_all = "snake_case")]
    pub enum StopCause {
        /// The plan obeys the model to the tolerance and no longer changes in value.
        Converged => "converged",
        /// All iterations that were asked for are done.
        #[default]
        IterationBudget => "iteration_budget",
        /// The next iteration would have overrun the deadline.
        TimeBudget => "time_budget",
        /// There was no better plan for the configured number of iterations.
        Stalled => "stalled",
        /// A number in the solve was not finite; the best plan before it is kept.
        NonFinite => "non_finite",
        /// The linear system was not positive definite; the best plan before it is kept.
        FactorisationFailed => "factorisation_failed",
        /// The model could not be evaluated; the best plan before it is kept.
        ModelFailed => "model_failed",
    }
}

impl StopCause {
    /// Whether the solve ended as it should.
    #[must_use]
    pub fn was_successful(self) -> bool {
        !matches!(
            self,
            Self::NonFinite | Self::FactorisationFailed | Self::ModelFailed
        )
    }
}

latco_models::named! {
    /// The start of a plan.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum StartKind {
        /// No motion at all; nothing promised more.
        #[default]
        StandingStill => "standing_still",
        /// The previous plan, shifted by the elapsed time.
        Shifted => "shifted",
        /// States and actions from a unit Gaussian.
        Gaussian => "gaussian",
        /// One of the best sampled action sequences, and the states it leads to.
        Sampled => "sampled",
        /// Actions uniform within their limits.
        Uniform => "uniform",
    }
}

/// The report of one plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanReport {
    /// The reason why the planner stopped.
    pub stop: StopCause,
    /// Whether the plan started from the previous one.
    pub warm: bool,
    /// Number of plans that were iterated together; 1 for a planner that knows only one.
    pub plans: u32,
    /// Number of iterations that were done, of each of them.
    pub iterations: u32,
    /// Number of the iteration whose plan is kept; 0 is the start.
    pub best_iteration: u32,
    /// Number of the plan that is kept, from 0.
    pub best_plan: u32,
    /// Start of that plan.
    pub best_start: StartKind,
    /// Sum of the predicted rewards of the kept plan, each within the range of the reward.
    pub predicted_return: f32,
    /// Largest squared dynamics violation over the steps of the last iterate (LatCo).
    pub dynamics_violation: f32,
    /// Largest action violation over the steps of the last iterate (LatCo).
    pub action_violation: f32,
}

impl PlanReport {
    /// The name of the candidate that is executed, by where it is from: the start of a plan, or `iterate`.
    #[must_use]
    pub fn executed_candidate(&self) -> &'static str {
        match self.best_iteration {
            0 => self.best_start.name(),
            _ => "iterate",
        }
    }

    /// Says in words which candidate is executed.
    #[must_use]
    pub fn executed(&self) -> String {
        let (plan, start) = (self.best_plan, self.best_start.name());
        match self.best_iteration {
            0 => format!("the start of plan {plan}, {start}"),
            iteration => format!("iterate {iteration} of plan {plan}, started as {start}"),
        }
    }
}

/// The best predicted returns of the candidates of one plan, by where the candidates are from; `None` where none was valued.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CandidateReturns {
    /// Return of the previous plan, shifted.
    pub shifted: Option<f32>,
    /// Best return of the sampled sequences.
    pub sampled: Option<f32>,
    /// Best return of the iterates.
    pub iterates: Option<f32>,
}

impl CandidateReturns {
    /// Notes the return of a candidate that iteration `iteration` made of a plan that started as `start`.
    pub(super) fn note(&mut self, iteration: u32, start: StartKind, value: f32) {
        let best = match (iteration, start) {
            (0, StartKind::Shifted) => &mut self.shifted,
            (0, StartKind::Sampled) => &mut self.sampled,
            (0, _) => return,
            _ => &mut self.iterates,
        };
        *best = Some(best.map_or(value, |best| best.max(value)));
    }
}
