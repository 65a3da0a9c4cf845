//! The belief: what the controller takes the state to be, from images, joint states and commands.

mod filter;
mod goal;
mod history;
pub mod model;

pub use filter::{BeliefFilter, Observed};
pub use goal::{GoalBelief, GoalEncoder, GoalError};

#[cfg(test)]
pub(crate) use filter::tests;
