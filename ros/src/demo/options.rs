//! What is demonstrated, and the files that it leaves.

use std::path::PathBuf;

use latco_controller::Config;

use crate::middleware::Network;

/// The bag in the output folder.
pub const BAG: &str = "bag";
/// The film strip.
pub const FILM: &str = "film_strip.png";
/// The curves of one plan.
pub const CURVES: &str = "plan_curves.png";
/// The latency histogram.
pub const HISTOGRAM: &str = "latency_histogram.png";
/// The table, to read.
pub const REPORT: &str = "report.md";
/// The table, for programs.
pub const REPORT_JSON: &str = "report.json";
pub(super) const TRACE: &str = "controller.trace";
pub(super) const ROBOT_LOG: &str = "sim.log";
pub(super) const CONTROLLER_LOG: &str = "run.log";

/// What is demonstrated.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Domain; the loopback interface in any case.
    pub network: Network,
    /// Episodes.
    pub episodes: u64,
    /// Offset to the evaluation seeds.
    pub seed: u64,
    /// Folder of the results.
    pub out: PathBuf,
    /// File of the configuration.
    pub config_file: PathBuf,
    /// Its content; the bundle and its providers may be others than the file's.
    pub config: Config,
}
