//! The test whether a plan is as good as it gets.

use latco_solver::StepReport;

use super::super::report::StopCause;
use super::settings::Settings;

/// Memory of one plan's iterations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convergence {
    reward_sum: f64,
    best_merit: f64,
    best_merit_at: u32,
}

impl Convergence {
    /// The memory before the first iteration.
    pub(super) const NONE: Self = Self {
        reward_sum: 0.0,
        best_merit: f64::INFINITY,
        best_merit_at: 0,
    };

    /// Takes the report of an iteration, and `violation`, the amount by which the plan violates more than its
    /// means' dynamics; returns the reason why there should be no more iterations, if there is one.
    pub(super) fn take(
        &mut self,
        iteration: u32,
        report: &StepReport,
        violation: f32,
        settings: &Settings,
    ) -> Option<StopCause> {
        let change = (report.reward_sum - self.reward_sum).abs();
        self.reward_sum = report.reward_sum;
        if report.merit < self.best_merit {
            (self.best_merit, self.best_merit_at) = (report.merit, iteration);
        }
        let feasible = report.feasible && f64::from(violation) <= settings.tolerance;
        if feasible && change < settings.reward_tolerance {
            Some(StopCause::Converged)
        } else if iteration - self.best_merit_at >= settings.stall_iterations {
            Some(StopCause::Stalled)
        } else {
            None
        }
    }
}
