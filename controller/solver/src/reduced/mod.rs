//! The reduced solver.

mod actions;
mod layout;
mod system;

pub use system::Reduced;
