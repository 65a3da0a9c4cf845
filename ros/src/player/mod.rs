//! The node that plays a bag.

pub mod pace;
mod play;
pub mod services;

pub use play::*;
