//! Plans and the planners that make them.

mod adam;
mod batch;
mod budget;
mod contract;
mod decisions;
mod dump;
mod engine;
mod first_order;
mod gaussian;
mod latco;
mod limits;
mod memory;
mod model;
mod noise;
mod particles;
mod problem;
mod refine;
mod report;
mod rollout;
mod sampling;
mod shooting;
mod solution;
mod starts;
mod threads;
mod warm_start;

use std::time::Duration;

use latco_models::Bundle;

use crate::config::{Config, PlannerKind};
use crate::error::SetupError;
use crate::time::{Clock as _, MonotonicClock, Time};
use crate::trace::PlanTrace;
use shooting::{DescentPlanner, GaussNewtonPlanner, IlqrPlanner};

pub use batch::Iterate;
pub use contract::{PlanRequest, Planner};
pub use decisions::Decisions;
pub use dump::{Dump, DumpError, DumpHeader, Solved, write_dump};
pub use gaussian::GaussianPlanner;
pub use latco::LatcoPlanner;
pub use memory::{MemoryBudget, memory};
pub use model::OnnxModel;
pub use noise::NoiseState;
pub use problem::Problem;
pub use report::{PlanReport, StartKind, StopCause};
pub use sampling::SamplingPlanner;
pub use solution::{Plan, PlanSizes, Solution};
pub use threads::{Threads, threads};

/// The planner that the configuration names, for plans of these sizes. With `planner.budget_ms` it has
/// found out how long its steps take, so that it keeps to the budget from the first plan on.
///
/// # Errors
/// ONNX Runtime's or the solver's reason.
pub fn make(
    config: &Config,
    bundle: &Bundle,
    sizes: &PlanSizes,
) -> Result<Box<dyn Planner>, SetupError> {
    let mut planner: Box<dyn Planner> = match config.planner.kind {
        PlannerKind::Latco => Box::new(LatcoPlanner::new(config, bundle, sizes)?),
        PlannerKind::GaussianLatco => Box::new(GaussianPlanner::new(config, bundle, sizes)?),
        PlannerKind::Cem => Box::new(SamplingPlanner::cem(config, bundle, sizes)?),
        PlannerKind::Mppi => Box::new(SamplingPlanner::mppi(config, bundle, sizes)?),
        PlannerKind::ShootingGd => Box::new(DescentPlanner::new(config, bundle, sizes)?),
        PlannerKind::ShootingGn => Box::new(GaussNewtonPlanner::new(config, bundle, sizes)?),
        PlannerKind::Ilqr => Box::new(IlqrPlanner::new(config, bundle, sizes)?),
    };
    if let Some(budget_ms) = config.planner.budget_ms {
        let budget = Duration::from_secs_f64(budget_ms * 1e-3);
        learn_times(&mut *planner, config, sizes, budget);
    }
    Ok(planner)
}

/// Iterations of each plan from which the times are learnt.
const LEARNT_ITERATIONS: u32 = 4;

/// Makes plans from a state of zeros until the time of every step is known, and forgets them.
fn learn_times(planner: &mut dyn Planner, config: &Config, sizes: &PlanSizes, budget: Duration) {
    let clock = MonotonicClock::starting_at(Time(0));
    let state = vec![0.0; sizes.state];
    let mut solution = Solution::new(sizes);
    let mut trace = PlanTrace::with_capacity(config.trace.iterations as usize);
    // Of samples there may be so many that a few parts of an iteration have to do.
    let is_sampling = matches!(config.planner.kind, PlannerKind::Cem | PlannerKind::Mppi);
    let mut allowed = budget;
    for _ in 0..budget::KNOWN_AFTER {
        let began = clock.now();
        let request = PlanRequest {
            state: &state,
            elapsed_periods: None,
            deadline: Some(began + allowed),
            replay: (!is_sampling).then_some(Decisions {
                sampling_rounds: 1,
                out_of_time_after: Some(LEARNT_ITERATIONS),
            }),
        };
        trace.clear(0, began);
        planner.plan(&request, &clock, &mut solution, &mut trace);
        allowed = budget.max(8 * clock.now().saturating_since(began));
    }
    planner.reset(config.planner.seed);
}
