//! `latco sim`: the simulated robot as a node.

use clap::Args;

use super::failure::Failure;
use super::faults::FaultArgs;
use super::network::NetworkArgs;
use super::output::{print_json, print_line};
use crate::managed::arguments::{ArgumentErrors, RosArguments};
use crate::middleware::{ImageSize, NodeIdentity, Stop, Transport};
use crate::sim::robot;

const DEFAULT_SIZE: ImageSize = ImageSize {
    width: latco_envs::DEFAULT_IMAGE_SIZE,
    height: latco_envs::DEFAULT_IMAGE_SIZE,
};

/// Run the simulated robot with a camera, as a node
#[derive(Debug, Args)]
pub(super) struct Sim {
    /// The task: reach, push, key, stick, lottery, or the TOML file of a robot that others made (docs/simulators.md)
    #[arg(long, default_value = "reach")]
    task: String,
    /// What the published reward pays for: sparse (the result) or dense (every part of the way)
    #[arg(long, default_value_t = latco_envs::RewardKind::Sparse)]
    reward: latco_envs::RewardKind,
    /// Episode k starts from seed SEED + k
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// End after this many episodes [default: run until stopped]
    #[arg(long)]
    episodes: Option<u64>,
    /// Size of the camera image, such as 640x480, or one number for a square; the robot fills the square in its middle
    #[arg(long, value_name = "PIXELS", default_value_t = DEFAULT_SIZE)]
    image_size: ImageSize,
    /// How the camera image is published
    #[arg(long, value_enum, default_value_t)]
    image_transport: Transport,
    /// Control periods that an episode goes on after it is solved
    #[arg(long, default_value_t = 5)]
    after_success: usize,
    #[command(flatten)]
    faults: FaultArgs,
    /// Namespace of the node and its topics
    #[arg(long, default_value = "/")]
    namespace: String,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// End when standard input is closed (for a parent process)
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

impl Sim {
    pub(super) fn run(self, ros: &RosArguments, stop: &Stop) -> Result<(), Failure> {
        if self.until_stdin_closes {
            stop.when_stdin_closes().map_err(Failure::failed)?;
        }
        let network = self.network.network()?;
        let mut robot =
            latco_envs::make(&self.task, self.image_size.square()).map_err(Failure::usage)?;
        robot.set_reward_kind(self.reward);
        tracing::info!(task = %self.task, seed = self.seed, domain = network.domain, localhost = network.localhost, "simulated robot");
        let options = robot::RobotOptions {
            network,
            identity: self.identity(ros)?,
            camera_size: self.image_size,
            transport: self.image_transport,
            seed: self.seed,
            episodes: self.episodes,
            after_success_steps: self.after_success,
            faults: self.faults.faults(self.seed).map_err(Failure::usage)?,
        };
        let summary = robot::run(robot, &options, stop, |result| {
            tracing::info!(
                episode = result.episode,
                seed = result.seed,
                success = result.success,
                steps = result.steps,
                "episode ended"
            );
        })?;
        if self.json {
            print_json(&summary)
        } else {
            print_line(&format!(
                "{} of {} episodes solved; {} commands followed, {} refused; {} late steps (at most {:.1} ms)",
                summary.successes,
                summary.episodes,
                summary.commands_received,
                summary.commands_refused,
                summary.late_steps,
                summary.latest_step_ms
            ))
        }
    }

    /// The name and namespace of the node; the simulated robot has no parameters.
    fn identity(&self, ros: &RosArguments) -> Result<NodeIdentity, Failure> {
        let identity = ros.identity(&self.namespace, "robot");
        super::ros::warn_without_effect(ros);
        let meant: Vec<String> = (ros.parameters_of(&identity).iter())
            .filter(|given| !given.is_for_several)
            .map(|given| {
                format!(
                    "{}: the simulated robot has no parameter {}",
                    given.origin, given.name
                )
            })
            .collect();
        if meant.is_empty() {
            Ok(identity)
        } else {
            Err(Failure::usage(ArgumentErrors(meant)))
        }
    }
}
