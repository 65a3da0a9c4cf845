//! The configuration of one robot and task: one TOML file, units in the names.
//!
//! ```
//! let text = r#"
//!     [bundle]
//!     path = "models/bundles/reach"
//!     [control]
//!     output = "commands"
//!     [planner]
//!     kind = "latco"
//! "#;
//! let config = latco_controller::Config::from_toml(text).expect("valid");
//! assert_eq!(config.control.command_rate_hz, 100.0);
//! ```
//!
//! Reading collects every mistake (unknown keys, wrong types, values out of range) and reports
//! them in one error, each with the path of its field.

mod baselines;
mod gaussian;
mod live;
mod read;
mod validate;

use latco_models::{LoadOptions, Providers};
use serde::{Deserialize, Serialize};

pub use baselines::{CemSection, IlqrSection, MppiSection, ShootingGdSection, ShootingGnSection};
pub use gaussian::{GaussianLatcoSection, Objective};
pub use live::LiveSettings;
pub use read::{ConfigError, FieldError};

/// Everything a controller needs to know beside the model bundle. Every field has a default but
/// `bundle.path`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Config {
    /// The model.
    pub bundle: BundleSection,
    /// The robot, where it differs from what the bundle says of it.
    pub robot: RobotSection,
    /// Rates, timing and form of the output.
    pub control: ControlSection,
    /// Which planner, its budget and its parameters.
    pub planner: PlannerSection,
    /// How old an input may be.
    pub timeouts: TimeoutsSection,
    /// What is kept of each decision.
    pub trace: TraceSection,
    /// Names of the topics (relative; remappable by the node).
    pub topics: TopicsSection,
    /// The ROS node.
    pub node: NodeSection,
}

/// `[bundle]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BundleSection {
    /// Folder of the model bundle, relative to the working directory. Required.
    pub path: String,
    /// Where the graphs are computed: `cpu`, `cuda`, `tensorrt`, in order of preference; by default `["cpu"]`. The
    /// first that works is used. `cpu` behind another one stands in only if it is measured to be fast enough.
    pub providers: Providers,
    /// Folder under which TensorRT's engines are kept; by default `latco/tensorrt` in the user's cache folder.
    pub engine_cache: Option<String>,
    /// Time without an image in ms after which the planner thread runs an inference to keep a GPU awake; 0 switches it
    /// off; by default 20 on a GPU, off on the CPU.
    pub keep_alive_ms: Option<f64>,
    /// How long before the next image is expected, in ms, the planner thread runs the `observe` graph for nothing, so
    /// that the belief does not begin with weights that have left the processor's caches meanwhile; 0: never.
    pub warm_before_image_ms: f64,
}

impl Default for BundleSection {
    fn default() -> Self {
        Self {
            path: String::new(),
            providers: Providers::default(),
            engine_cache: None,
            keep_alive_ms: None,
            warm_before_image_ms: 4.0,
        }
    }
}

impl BundleSection {
    /// How to load the bundle.
    #[must_use]
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            providers: self.providers.clone(),
            engine_cache: self.engine_cache.as_ref().map(Into::into),
            expect_joints: None,
        }
    }
}

/// `[robot]`: an empty list means "as the bundle says" (names, velocity) or "unlimited".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RobotSection {
    /// The joints that are moved, in the bundle's order; checked against the bundle.
    pub joint_names: Vec<String>,
    /// Lowest position of each joint in rad.
    pub min_position_rad: Vec<f64>,
    /// Highest position of each joint in rad.
    pub max_position_rad: Vec<f64>,
    /// Highest speed of each joint in rad/s; by default the bundle's action scaling.
    pub max_velocity_rad_s: Vec<f64>,
    /// Highest acceleration of each joint in rad/s^2; also how hard a stop brakes.
    pub max_acceleration_rad_s2: Vec<f64>,
    /// Factor on the highest speed of every joint, 0.01 to 1: to move slowly while something is tried.
    pub velocity_scale: f64,
}

impl Default for RobotSection {
    fn default() -> Self {
        Self {
            joint_names: Vec::new(),
            min_position_rad: Vec::new(),
            max_position_rad: Vec::new(),
            max_velocity_rad_s: Vec::new(),
            max_acceleration_rad_s2: Vec::new(),
            velocity_scale: 1.0,
        }
    }
}

/// What the executor publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Joint velocities at the command rate, for a velocity forward_command_controller.
    #[default]
    Commands,
    /// Chunks that end at rest, for joint_trajectory_controller.
    JointTrajectory,
}

/// `[control]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlSection {
    /// Rate of the executor in Hz.
    pub command_rate_hz: f64,
    /// What is published.
    pub output: OutputKind,
    /// Control periods from the image's stamp to the first action planned on it (0 or 1). With 1
    /// the planner has one period to think while the previous plan is followed.
    pub lead_periods: u32,
    /// A new plan is made every so many control periods.
    pub replan_every_periods: u32,
    /// How long past its start a plan may be followed, in ms; by default to its end.
    pub plan_validity_ms: Option<f64>,
    /// Frames that may be missing in a row before the belief starts anew.
    pub max_skipped_frames: u32,
}

impl Default for ControlSection {
    fn default() -> Self {
        Self {
            command_rate_hz: 100.0,
            output: OutputKind::Commands,
            lead_periods: 1,
            replan_every_periods: 1,
            plan_validity_ms: None,
            max_skipped_frames: 5,
        }
    }
}

/// Which planner; the methods are those of Rybkin et al. 2021, appendix D.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannerKind {
    /// Latent collocation.
    #[default]
    Latco,
    /// What latent collocation starts from, which no iteration improves.
    SamplingOnly,
    /// Latent collocation of Gaussians: plans in expectation.
    GaussianLatco,
    /// Cross-entropy method over action sequences.
    Cem,
    /// The same with elites weighted by their returns.
    Mppi,
    /// Gradient descent on the actions through the model.
    ShootingGd,
    /// Gauss-Newton on the actions through the model.
    ShootingGn,
    /// Iterative linear-quadratic regulator.
    Ilqr,
    /// Gradient steps on virtual states and actions without the model's slope by the state (arXiv 2602.00475).
    Grasp,
}

impl PlannerKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Latco,
        Self::SamplingOnly,
        Self::GaussianLatco,
        Self::Cem,
        Self::Mppi,
        Self::ShootingGd,
        Self::ShootingGn,
        Self::Ilqr,
        Self::Grasp,
    ];

    /// The name as it stands in configurations and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Latco => "latco",
            Self::SamplingOnly => "sampling_only",
            Self::GaussianLatco => "gaussian_latco",
            Self::Cem => "cem",
            Self::Mppi => "mppi",
            Self::ShootingGd => "shooting_gd",
            Self::ShootingGn => "shooting_gn",
            Self::Ilqr => "ilqr",
            Self::Grasp => "grasp",
        }
    }
}

impl std::fmt::Display for PlannerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for PlannerKind {
    type Err = UnknownPlanner;

    fn from_str(name: &str) -> Result<Self, UnknownPlanner> {
        let named = |kind: &&Self| kind.name() == name;
        let found = Self::ALL.iter().find(named).copied();
        found.ok_or_else(|| UnknownPlanner {
            name: name.to_owned(),
        })
    }
}

/// What replaces a planner of an earlier version, for the error that refuses its name.
pub(crate) fn removed_planner(name: &str) -> Option<&'static str> {
    (name == "image_collocation").then_some(
        "expected no image_collocation, which is no planner of the robot any more: it is a row of \
         `latco-train experiment table3`; choose another planner and remove the keys of this one",
    )
}

/// There is no such planner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected one of {}, found {name}{}",
    PlannerKind::ALL.map(PlannerKind::name).join(", "),
    removed_planner(name).map_or(String::new(), |advice| format!(" ({advice})"))
)]
pub struct UnknownPlanner {
    /// What was asked for.
    pub name: String,
}

/// `[planner]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlannerSection {
    /// Which planner.
    pub kind: PlannerKind,
    /// Seed of everything random in the planner.
    pub seed: u64,
    /// Threads that plan at the same time; 0: two, or one on a machine with one core or for states
    /// of 128 elements or fewer. Plans do not depend on it.
    pub threads: u32,
    /// Time for one plan in ms, from the arrival of the image; none: iterations alone decide.
    pub budget_ms: Option<f64>,
    /// Failed solves in a row after which the next plan is made cold.
    pub cold_after_failures: u32,
    /// Failed solves in a row after which the robot is stopped.
    pub stop_after_failures: u32,
    /// Folder for planning problems whose solve failed or took too long, one file each, for
    /// `latco solve`; none: nothing is written. LatCo only.
    pub dump_dir: Option<String>,
    /// A solve that takes longer than this, in ms, is dumped as well.
    pub dump_above_ms: Option<f64>,
    /// The newest so many dumps are kept.
    pub dump_files: u32,
    /// Parameters of `kind = "latco"`.
    pub latco: LatcoSection,
    /// Parameters of `kind = "gaussian_latco"`.
    pub gaussian_latco: GaussianLatcoSection,
    /// Parameters of `kind = "cem"`.
    pub cem: CemSection,
    /// Parameters of `kind = "mppi"`.
    pub mppi: MppiSection,
    /// Parameters of `kind = "shooting_gd"`.
    pub shooting_gd: ShootingGdSection,
    /// Parameters of `kind = "shooting_gn"`.
    pub shooting_gn: ShootingGnSection,
    /// Parameters of `kind = "ilqr"`.
    pub ilqr: IlqrSection,
}

impl Default for PlannerSection {
    fn default() -> Self {
        Self {
            kind: PlannerKind::Latco,
            seed: 0,
            threads: 0,
            budget_ms: None,
            cold_after_failures: 2,
            stop_after_failures: 10,
            dump_dir: None,
            dump_above_ms: None,
            dump_files: 20,
            latco: LatcoSection::default(),
            gaussian_latco: GaussianLatcoSection::default(),
            cem: CemSection::default(),
            mppi: MppiSection::default(),
            shooting_gd: ShootingGdSection::default(),
            shooting_gn: ShootingGnSection::default(),
            ilqr: IlqrSection::default(),
        }
    }
}

/// Which linear solver inside LatCo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SolverKind {
    /// The H x H system; damping on defect changes and actions.
    #[default]
    Reduced,
    /// The paper's block-tridiagonal Cholesky; damping on states and actions.
    BlockTridiagonal,
}

/// How LatCo changes states and actions from iteration to iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimiser {
    /// Steps of second order on a sum of squares, by one of the solvers.
    #[default]
    LevenbergMarquardt,
    /// Steps of first order on the Lagrangian, Eq. 8, with multipliers by gradient ascent: the
    /// paper's ablation "no second order".
    Adam,
}

/// `[planner.latco]`: Eq. 8-10 of the paper; the symbols as in its appendix B.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LatcoSection {
    /// How states and actions are changed.
    pub optimiser: Optimiser,
    /// Linear solver of the Levenberg-Marquardt step.
    pub solver: SolverKind,
    /// Iterations of a plan made from nothing, and of one with fresh starts.
    pub iterations_cold: u32,
    /// Whether plans start from the previous one; without, each is made from nothing.
    pub warm_start: bool,
    /// Iterations of a plan that starts from the previous one.
    pub iterations_warm: u32,
    /// Plans that are started differently and iterated together when there is no previous plan,
    /// or it promises too little; the best by clipped rollout return is kept. With a previous plan
    /// one of them is that plan, shifted; the others are noise and sampled sequences.
    pub starts: u32,
    /// How many of these start from the best of the sampled action sequences.
    pub sampled_starts: u32,
    /// Action sequences that are sampled for them and rolled through the model.
    pub samples: u32,
    /// Rounds of this sampling, of which as many are done as fit into half of the budget: each after
    /// the first draws around the best of those before it.
    pub sampling_rounds: u32,
    /// How many of the best a round keeps, and draws around.
    pub sampling_elites: u32,
    /// While the shifted plan's predicted return is below this, fresh starts are made beside it: a
    /// sparse reward that the first plan missed is found by a later one. 0: only plans made from
    /// nothing have several starts.
    pub starts_below_return: f64,
    /// Initial multiplier of the dynamics, lambda_0.
    pub dynamics_multiplier: f64,
    /// Initial multiplier of the action limits, nu_0.
    pub action_multiplier: f64,
    /// Violation that is aimed at, epsilon.
    pub tolerance: f64,
    /// Rate of the multiplier update, alpha of Eq. 10; with `adam` what is added to a multiplier for
    /// each unit of violation above the tolerance. 0: they stay, and the constraints are penalties.
    pub multiplier_rate: f64,
    /// Iterations between updates of the multipliers; 1 with `levenberg_marquardt`.
    pub multiplier_every_iterations: u32,
    /// Step size of `adam`.
    pub learning_rate: f64,
    /// Damping of the Levenberg-Marquardt step.
    pub damping: f64,
    /// Factor on the multipliers at each warm start: 1 copies them, less relaxes the dynamics (but
    /// none that is above its initial value below that), 0 sets them to their initial values.
    pub multiplier_relaxation: f64,
    /// A plan counts as converged when the largest dynamics violation is below the tolerance and
    /// the summed predicted reward changes by less than this between iterations.
    pub reward_tolerance: f64,
    /// Iterations without a better plan after which the solve stops as stalled.
    pub stall_iterations: u32,
    /// Every so many iterations (and at the last) the plan's actions are clipped and rolled out
    /// through the model; the best by that return is executed.
    pub rollout_every_iterations: u32,
}

impl Default for LatcoSection {
    fn default() -> Self {
        Self {
            optimiser: Optimiser::LevenbergMarquardt,
            solver: SolverKind::Reduced,
            iterations_cold: 50,
            warm_start: true,
            iterations_warm: 20,
            starts: 2,
            sampled_starts: 1,
            samples: 128,
            sampling_rounds: 4,
            sampling_elites: 12,
            starts_below_return: 1.0,
            dynamics_multiplier: 1.0,
            action_multiplier: 1.0,
            tolerance: 1e-4,
            multiplier_rate: 0.1,
            multiplier_every_iterations: 1,
            learning_rate: 0.05,
            damping: 1e-3,
            multiplier_relaxation: 1.0,
            reward_tolerance: 1e-4,
            stall_iterations: 1000,
            rollout_every_iterations: 10,
        }
    }
}

/// `[timeouts]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutsSection {
    /// Age of the newest image in ms at which the robot is stopped.
    pub camera_ms: f64,
    /// Age of the newest joint states in ms at which the robot is stopped.
    pub joints_ms: f64,
    /// How far in the future a stamp may lie, in ms.
    pub future_stamp_ms: f64,
}

impl Default for TimeoutsSection {
    fn default() -> Self {
        Self {
            camera_ms: 1000.0,
            joints_ms: 500.0,
            future_stamp_ms: 200.0,
        }
    }
}

/// `[trace]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceSection {
    /// Iterations of one plan of which the figures are kept.
    pub iterations: u32,
    /// Publish the journal on `~/journal`: all inputs and decisions, from which `latco replay` repeats
    /// the run.
    pub journal: bool,
}

impl Default for TraceSection {
    fn default() -> Self {
        Self {
            iterations: 256,
            journal: true,
        }
    }
}

/// Which of a camera's topics is listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageTransport {
    /// Both; where images come on both, those of the topic that came first.
    #[default]
    Auto,
    /// `topics.image` alone.
    Raw,
    /// `topics.image` with `/compressed` behind it alone.
    Compressed,
}

/// `[topics]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopicsSection {
    /// `sensor_msgs/Image`, in; `sensor_msgs/CompressedImage` with `/compressed` behind the name.
    pub image: String,
    /// Which of the two is listened to.
    pub image_transport: ImageTransport,
    /// `sensor_msgs/JointState`, in.
    pub joint_states: String,
    /// `std_msgs/Float64MultiArray` of joint velocities in rad/s, out.
    pub commands: String,
    /// `trajectory_msgs/JointTrajectory`, out.
    pub joint_trajectory: String,
}

impl Default for TopicsSection {
    fn default() -> Self {
        Self {
            image: "camera/image_raw".into(),
            image_transport: ImageTransport::Auto,
            joint_states: "joint_states".into(),
            commands: "commands".into(),
            joint_trajectory: "joint_trajectory".into(),
        }
    }
}

/// `[node]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSection {
    /// Name of the node.
    pub name: String,
    /// Namespace of the node.
    pub namespace: String,
    /// DDS domain; by default `ROS_DOMAIN_ID`, else 0.
    pub domain_id: Option<u16>,
    /// Whether only the loopback interface is used.
    pub loopback_only: bool,
}

impl Default for NodeSection {
    fn default() -> Self {
        Self {
            name: "latco".into(),
            namespace: "/".into(),
            domain_id: None,
            loopback_only: false,
        }
    }
}
