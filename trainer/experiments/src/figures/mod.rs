//! Figures of single plans and of the model.

pub mod film;
mod first;
pub mod optimisation;
pub mod reward_map;
