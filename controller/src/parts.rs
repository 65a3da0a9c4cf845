//! The parts of a controller core.

use crate::belief::model::FilterModel;
use crate::plan::Planner;

/// The parts of a controller core that may be put round with others.
pub struct Parts {
    /// Model of the filter step.
    pub filter: Box<dyn FilterModel>,
    /// Planner.
    pub planner: Box<dyn Planner>,
}
