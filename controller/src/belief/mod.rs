//! The belief: what the controller takes the state to be, from images, joint states and commands.

mod filter;
mod history;
pub mod model;

pub use filter::{BeliefFilter, Observed};

#[cfg(test)]
pub(crate) use filter::tests;
