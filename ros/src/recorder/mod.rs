//! The node that records a bag.

mod record;

pub use record::*;
