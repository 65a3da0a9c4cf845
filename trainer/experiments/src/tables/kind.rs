//! What tells the tables apart.

use std::path::Path;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_pictures::PictureError;

use super::grid::Cell;
use crate::paper::Figure;
use crate::rows::Row;

latco_controller::choices! {
    /// What the planners of a table have in common.
    pub enum Setting {
        /// A plan of every planner may take the same CPU time, and there is a new one at every step.
        EqualTime = "equal_time",
        /// Planners have the iterations, samples and replanning of the paper.
        Paper = "paper",
    }
}

/// A table: what is compared on which tasks, and how it is told.
pub struct Table {
    /// The name as it stands in commands.
    pub name: &'static str,
    /// Title, which says what the table shows.
    pub(crate) title: &'static str,
    /// Tasks if none are named.
    pub(crate) tasks: &'static [&'static str],
    /// CPU time of a plan at equal time if none is given, ms.
    pub(crate) equal_ms: f64,
    /// The rows from the settings of each planner.
    pub(crate) rows: fn(&dyn Fn(PlannerKind) -> Config) -> Vec<Row>,
    /// Suite of the paper whose iterations and samples the setting `paper` has.
    pub(crate) suite: &'static str,
    /// What the paper found for a cell.
    pub(crate) found: fn(&Cell) -> Option<Figure>,
    /// What stands below the table.
    pub(crate) closing: fn() -> String,
    /// Draws the plot with a title into a file.
    pub(crate) plot: fn(String, &[Cell], &Path) -> Result<(), PictureError>,
}
