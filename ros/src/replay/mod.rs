//! Repeating a controller's run from a bag, without middleware.

mod images;
mod journal;

pub use journal::{Journal, outcomes};
