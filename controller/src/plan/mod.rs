//! Plans and the planners that make them.
//!
//! [`Anytime`] is the one loop of all planners; what improves the plans in it is an [`Optimiser`]:
//! [`Collocation`] (LatCo and Gaussian LatCo), [`Sampling`] (CEM and MPPI), or one from outside. [`make`]
//! makes the planner that a configuration names.

mod anytime;
mod batch;
mod collocation;
mod contract;
mod deadline;
mod decisions;
mod dump;
mod elites;
mod goal;
mod graphs;
mod incumbent;
mod make;
mod memory;
mod model;
mod noise;
mod optimiser;
mod particles;
mod problem;
mod report;
mod rollout;
mod sampling;
mod solution;
mod starts;
mod threads;
mod warm_start;

pub use anytime::Anytime;
pub use batch::{Batch, Iterate, IterateMut};
pub use collocation::{Anchor, Collocation, Gaussians, Lm, Means, States, Stepper, lm};
pub use contract::{PlanRequest, Planner};
pub use deadline::{Quantum, Rounds};
pub use decisions::Decisions;
pub use dump::{Dump, DumpError, DumpHeader, Solved, write_dump};
pub use goal::{GOAL_REACHED, Goal, GoalSlot};
pub use graphs::{dims, gru_sizes};
pub use incumbent::Candidate;
pub use make::{MakePlanner, add_planners, make};
pub use memory::{MemoryBudget, memory};
pub use model::OnnxModel;
pub use noise::{Noise, NoiseState};
pub use optimiser::{Optimiser, Outcome, Schedule, Step};
pub use problem::Problem;
pub use report::{CandidateReturns, PlanReport, StartKind, StopCause};
pub use rollout::{ActionRollout, PriorSteps, Valuation};
pub use sampling::Sampling;
pub use solution::{Plan, PlanSizes, Solution};
pub use threads::{Threads, threads};
pub use warm_start::Shift;
