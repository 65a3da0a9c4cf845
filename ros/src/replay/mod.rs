//! Repeating a controller's run from a bag, without middleware.

mod images;
mod journal;
mod wholeness;

pub use journal::{Journal, outcomes};
pub use wholeness::Wholeness;
