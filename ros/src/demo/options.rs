//! Options of a demonstration, and the files that it leaves.

use std::path::PathBuf;

use latco_controller::Config;

use crate::middleware::Network;

/// Name of the bag in the output folder.
pub const BAG: &str = "bag";
/// Name of the film strip in the output folder.
pub const FILM: &str = "film_strip.png";
/// Name of the curves of one plan in the output folder.
pub const CURVES: &str = "plan_curves.png";
/// Name of the latency histogram in the output folder.
pub const HISTOGRAM: &str = "latency_histogram.png";
/// Name of the table for people in the output folder.
pub const REPORT: &str = "report.md";
/// Name of the table for programs in the output folder.
pub const REPORT_JSON: &str = "report.json";
/// Name of the page that explains the run, in the output folder.
pub(super) const PAGE: &str = "report.html";
pub(super) const TRACE: &str = "controller.trace";
pub(super) const ROBOT_LOG: &str = "sim.log";
pub(super) const CONTROLLER_LOG: &str = "run.log";

/// Options of a demonstration.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// ROS domain of the two processes; they talk on the loopback interface in any case.
    pub network: Network,
    /// Task of the simulated robot, or the file of a robot that others made.
    pub task: String,
    /// Number of episodes.
    pub episodes: u64,
    /// Number of the first evaluation seed.
    pub seed: u64,
    /// Folder of the results.
    pub out: PathBuf,
    /// Path of the configuration.
    pub config_file: PathBuf,
    /// The configuration; its bundle and providers may be others than the file's.
    pub config: Config,
}
