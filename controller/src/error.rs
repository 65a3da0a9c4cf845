//! Errors of making a controller.

use latco_models::{BundleError, Declined, Provider};

use crate::config::PlannerKind;
use crate::inputs::InputError;
use crate::robot::RobotError;

/// The reason why a controller cannot be made from a configuration and a bundle.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The configuration and the bundle are about different robots.
    #[error(transparent)]
    Robot(#[from] RobotError),
    /// A session of ONNX Runtime cannot be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The solver refused its settings or sizes.
    #[error("the planner cannot be set up: {0}")]
    Solver(#[from] latco_solver::SetupError),
    /// The planner's threads could not be started.
    #[error("a planning thread could not be started: {0}; lower planner.threads")]
    Threads(std::io::Error),
    /// The planner is not in this program.
    #[error(
        "planner.kind = \"{0}\": this program is built without the planner (the baselines are only in programs built for \
         comparisons); use latco, gaussian_latco, cem or mppi, or build latco with its feature \"baselines\""
    )]
    NoPlanner(PlannerKind),
    /// A provider that stands in for others is not fast enough.
    #[error(transparent)]
    TooSlow(#[from] TooSlow),
    /// The model failed before the first image.
    #[error("the model cannot be run: {0}")]
    Rehearsal(InputError),
}

/// Number of warm plans that a rehearsal times.
pub(crate) const REHEARSED_PLANS: usize = 5;

/// Times of a controller that plans in full, without its time budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsal {
    /// The provider of the graphs.
    pub provider: Provider,
    /// Median time from image to plan of the warm plans, in ms.
    pub median_ms: f64,
    /// Longest time from image to plan of the warm plans, in ms.
    pub worst_ms: f64,
    /// Time in ms that the configuration allows: the planner's budget, or the time between two plans if that
    /// is shorter.
    pub allowed_ms: f64,
}

/// The CPU provider would stand in for others and takes too long for the configured rate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the {} provider is too slow to stand in: image to plan takes {:.1} ms (median of {REHEARSED_PLANS}, worst {:.1} ms), the \
     configuration allows {:.1} ms; make one of the others work, plan less often or with fewer iterations, or name {} \
     alone to use it all the same; the others:{}",
    .rehearsal.provider, .rehearsal.median_ms, .rehearsal.worst_ms, .rehearsal.allowed_ms, .rehearsal.provider,
    list(.declined)
)]
pub struct TooSlow {
    /// The measured times.
    pub rehearsal: Rehearsal,
    /// The providers that were preferred.
    pub declined: Vec<Declined>,
}

fn list(declined: &[Declined]) -> String {
    declined.iter().fold(String::new(), |text, one| {
        format!("{text}\n  - {}", one.reason)
    })
}
