//! The simulated robot as a node: camera, joint states and reward out, commands in, in real time.
//!
//! Out: `camera/image_raw` or `camera/image_raw/compressed` at each control period, `joint_states` at each substep, `reward` with each image and
//! `episode` as each episode begins. In: `joint_trajectory` and `commands`, which are twists for an arm whose tip is driven; the newest
//! message wins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam::channel::{Receiver, bounded};
use latco_bag::messages::{
    Float64, Float64MultiArray, Header, Int64, JointState, JointTrajectory, TwistStamped,
};
use latco_bag::topics;
use latco_controller::Time;
use latco_envs::Robot;
use latco_faults::{Faults, Frame, Injector, JointSample, Stream};
use latco_models::ActionKind;
use serde::Serialize;

use super::camera::RobotCamera;
use super::follower::{Follower, Refused};
use crate::middleware::{
    ImageSize, Network, NodeBuilder, NodeError, NodeIdentity, Outbox, RunningNode, Stop, Transport,
    qos, stamp,
};

/// Options with which a simulated robot is run.
#[derive(Clone, Debug)]
pub struct RobotOptions {
    /// Domain and interfaces on which the node talks.
    pub network: Network,
    /// Name of the node, and the names of its topics.
    pub identity: NodeIdentity,
    /// Size of the camera's images; the robot renders the largest square in it.
    pub camera_size: ImageSize,
    /// Transport by which the images are published.
    pub transport: Transport,
    /// Seed of the first episode; episode k starts from seed `seed + k`.
    pub seed: u64,
    /// Number of episodes to run; `None` runs until stopped.
    pub episodes: Option<u64>,
    /// Number of control periods that an episode goes on after it is solved.
    pub after_success_steps: usize,
    /// Faults of camera and joint states, from the first command on.
    pub faults: Faults,
}

/// The outcome of one episode.
#[derive(Clone, Copy, Debug, Serialize, PartialEq)]
pub struct EpisodeResult {
    /// Number of the episode, from 0.
    pub episode: u64,
    /// Seed of start and goal.
    pub seed: u64,
    /// Whether the task was solved at any step.
    pub success: bool,
    /// The first step at which the task was solved.
    pub solved_at_step: Option<usize>,
    /// Whether the task was solved at the last step as well.
    pub success_at_end: bool,
    /// Number of control periods.
    pub steps: usize,
    /// How far from solved the episode began, in the task's unit.
    pub difficulty: f64,
}

/// The outcome of all episodes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RobotSummary {
    /// Name of the task.
    pub task: String,
    /// Number of episodes that came to their end.
    pub episodes: usize,
    /// Number of episodes that were solved.
    pub successes: usize,
    /// The episodes, one by one.
    pub results: Vec<EpisodeResult>,
    /// Number of trajectories and velocity commands that were followed.
    pub commands_received: u64,
    /// Number of commands that were refused.
    pub commands_refused: u64,
    /// Number of simulation steps that began more than one substep late, because the machine was too busy.
    pub late_steps: u64,
    /// The largest such delay in ms.
    pub latest_step_ms: f64,
    /// How often each fault was injected that the robot was told to inject.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub injected: BTreeMap<&'static str, u64>,
}

enum Command {
    Trajectory(JointTrajectory),
    Values(Vec<f64>),
}

struct Endpoints {
    camera: RobotCamera,
    joints: Outbox<JointState>,
    reward: Outbox<Float64>,
    episode: Outbox<Int64>,
    commands: Receiver<Command>,
}

/// Time between the last image and the mark of the next episode. Marks and images travel on different topics: without
/// it a controller that still plans would take the last image for the first of the new episode.
const PAUSE: Duration = Duration::from_millis(200);
/// Time between the mark and the first image, for the same reason.
const SETTLE: Duration = Duration::from_millis(100);
/// Failures in a row, of a robot in another process, after which no further episode is tried.
const FAILURES: u32 = 3;

/// Runs the robot until its episodes are done or a stop is asked for. `progress` is called as each episode ends.
///
/// # Errors
/// An error when the node cannot be made.
pub fn run(
    mut robot: Box<dyn Robot>,
    options: &RobotOptions,
    stop: &Stop,
    mut progress: impl FnMut(&EpisodeResult),
) -> anyhow::Result<RobotSummary> {
    let (ends, _node) =
        connect(options, &robot.action_kinds()).context("the simulated robot's node")?;
    robot.reset(options.seed);
    if let Some(error) = robot.failure() {
        return Err(error.into());
    }
    let mut simulation = Simulation::new(robot, ends, &options.faults);
    tracing::info!("the camera runs; waiting for the first command");
    if simulation.wait_for_command(stop) {
        return Ok(simulation.summary);
    }
    simulation.injector.begin();
    let (mut episode, mut failures) = (0, 0);
    while options.episodes.is_none_or(|wanted| episode < wanted) && !stop.is_requested() {
        let seed = options.seed.wrapping_add(episode);
        let outcome = simulation.episode(episode, seed, options.after_success_steps, stop);
        if let Some(error) = simulation.robot.failure() {
            failures += 1;
            if failures == FAILURES || !error.may_pass() {
                return Err(error.into());
            }
            tracing::warn!("{error}\nits process is started again, and the episode with it");
            continue;
        }
        failures = 0;
        let Some(result) = outcome else {
            break;
        };
        simulation.summary.episodes += 1;
        simulation.summary.successes += usize::from(result.success);
        simulation.summary.results.push(result);
        progress(&result);
        episode += 1;
    }
    simulation.summary.injected = simulation.injector.report().into_iter().collect();
    Ok(simulation.summary)
}

fn connect(
    options: &RobotOptions,
    kinds: &[ActionKind],
) -> Result<(Endpoints, RunningNode), NodeError> {
    let mut node = NodeBuilder::open_as(options.network, options.identity.clone())?;
    let relative = |topic: &'static str| topic.trim_start_matches('/');
    let (sender, commands) = bounded(64);
    let trajectories = sender.clone();
    node.subscribe::<JointTrajectory>(
        relative(topics::JOINT_TRAJECTORY),
        qos::commands(),
        move |message| {
            if let Some(message) = message {
                let _ = trajectories.try_send(Command::Trajectory(message));
            }
        },
    )?;
    let axes: Option<Vec<usize>> = kinds.iter().map(|kind| kind.twist_axis()).collect();
    match axes {
        Some(axes) => node.subscribe::<TwistStamped>(
            relative(topics::COMMANDS),
            qos::commands(),
            move |message| {
                if let Some(message) = message {
                    let twist = <[f64; 6]>::from(message.twist);
                    let values = axes.iter().map(|axis| twist[*axis]).collect();
                    let _ = sender.try_send(Command::Values(values));
                }
            },
        )?,
        None => node.subscribe::<Float64MultiArray>(
            relative(topics::COMMANDS),
            qos::commands(),
            move |message| {
                if let Some(message) = message {
                    let _ = sender.try_send(Command::Values(message.data));
                }
            },
        )?,
    }
    let ends = Endpoints {
        camera: RobotCamera::new(&mut node, options.camera_size, options.transport)?,
        joints: node.publisher(relative(topics::JOINT_STATES), qos::sensors(10), 20)?,
        reward: node.publisher(relative(topics::REWARD), qos::commands(), 10)?,
        episode: node.publisher(relative(topics::EPISODE), qos::commands(), 10)?,
        commands,
    };
    Ok((ends, RunningNode::start(node)?))
}

struct Simulation {
    robot: Box<dyn Robot>,
    ends: Endpoints,
    follower: Follower,
    substep: Duration,
    next: Instant,
    summary: RobotSummary,
    injector: Arc<Injector>,
    frames: Stream<Frame>,
    joints: Stream<JointSample>,
}

impl Simulation {
    fn new(robot: Box<dyn Robot>, ends: Endpoints, faults: &Faults) -> Self {
        let injector = Injector::real(faults);
        let joints: Vec<String> = robot.joint_names().iter().map(|&n| n.to_owned()).collect();
        let substep =
            latco_controller::time::span(robot.control_period_s() / robot.substeps().max(1) as f64);
        Self {
            follower: Follower::new(joints, &robot.action_kinds()),
            substep,
            next: Instant::now(),
            summary: RobotSummary {
                task: robot.task().to_owned(),
                ..Default::default()
            },
            robot,
            ends,
            frames: Stream::new(injector.clone()),
            joints: Stream::new(injector.clone()),
            injector,
        }
    }

    /// Publishes images and joint states of the robot at rest until the first command; returns true when
    /// stopped instead.
    fn wait_for_command(&mut self, stop: &Stop) -> bool {
        self.next = Instant::now();
        loop {
            self.publish_image(None);
            for _ in 0..self.robot.substeps().max(1) {
                if self.substep(stop) {
                    return true;
                }
            }
            if self.summary.commands_received > 0 {
                return false;
            }
        }
    }

    /// Runs one episode; `None` when stopped before its end, also by a failure of the robot.
    fn episode(
        &mut self,
        episode: u64,
        seed: u64,
        after_success: usize,
        stop: &Stop,
    ) -> Option<EpisodeResult> {
        self.follower.reset(stamp::now_ns());
        if stop.wait(PAUSE) {
            return None;
        }
        self.robot.reset(seed);
        self.follower.reset(stamp::now_ns());
        self.ends.episode.send(Int64 {
            data: i64::try_from(episode).unwrap_or(i64::MAX),
        });
        if stop.wait(SETTLE) {
            return None;
        }
        for _ in self.ends.commands.try_iter() {}
        let first_image_ns = stamp::now_ns();
        self.follower.reset(first_image_ns);
        self.publish_joints();
        self.next = Instant::now();
        let mut solved_at_step = None;
        let mut step = 0;
        loop {
            let success = self.robot.success();
            self.publish_image(Some(self.robot.reward()));
            if success && solved_at_step.is_none() {
                solved_at_step = Some(step);
            }
            if self.robot.failure().is_some() {
                return None;
            }
            if step >= self.robot.episode_steps()
                || solved_at_step.is_some_and(|at| step >= at + after_success)
            {
                return Some(EpisodeResult {
                    episode,
                    seed,
                    success: solved_at_step.is_some(),
                    solved_at_step,
                    success_at_end: success,
                    steps: step,
                    difficulty: self.robot.difficulty(),
                });
            }
            for _ in 0..self.robot.substeps().max(1) {
                if self.substep(stop) {
                    return None;
                }
            }
            step += 1;
        }
    }

    /// Moves the robot by one substep of real time and publishes its joint states; returns true when a stop
    /// is asked for.
    fn substep(&mut self, stop: &Stop) -> bool {
        self.next += self.substep;
        if stop.wait_until(self.next) {
            return true;
        }
        let late = self.next.elapsed();
        if late > self.substep {
            self.summary.late_steps += 1;
            self.summary.latest_step_ms = self.summary.latest_step_ms.max(late.as_secs_f64() * 1e3);
        }
        if late > Duration::from_millis(500) {
            // Such a gap (a suspended machine) is skipped, not caught up with.
            self.next = Instant::now();
        }
        let now = stamp::now_ns();
        while let Ok(command) = self.ends.commands.try_recv() {
            let accepted = match &command {
                Command::Trajectory(message) => {
                    self.follower
                        .accept_trajectory(message, self.robot.positions(), now)
                }
                Command::Values(values) => self.follower.accept_values(values, now),
            };
            match accepted {
                Ok(()) => self.summary.commands_received += 1,
                Err(Refused::Stale) => {}
                Err(refused) => {
                    if self.summary.commands_refused == 0 {
                        tracing::warn!(%refused, "command refused; later ones are only counted");
                    }
                    self.summary.commands_refused += 1;
                }
            }
        }
        let mut command = self.robot.command(&vec![0.0; self.robot.actions()]);
        (self.follower).set_points(now, self.robot.positions(), &mut command);
        self.robot.advance(&command, self.substep.as_secs_f64());
        self.publish_joints();
        false
    }

    fn publish_joints(&mut self) {
        self.joints.put(JointSample {
            stamp: Time(stamp::now_ns()),
            positions: self.robot.positions().to_vec(),
            velocities: self.robot.velocities().to_vec(),
        });
        self.publish_what_arrives();
    }

    /// Publishes the images and joint states that are not lost or late.
    fn publish_what_arrives(&mut self) {
        while let Some(sample) = self.joints.pop() {
            let names = self.robot.joint_names().iter();
            self.ends.joints.send(JointState {
                header: Header::new(sample.stamp.0, ""),
                name: names.map(|&name| name.to_owned()).collect(),
                position: sample.positions,
                velocity: sample.velocities,
                effort: Vec::new(),
            });
        }
        while let Some(frame) = self.frames.pop() {
            self.ends.camera.publish(frame);
        }
    }

    fn publish_image(&mut self, reward: Option<f64>) {
        if let Some(reward) = reward {
            self.ends.reward.send(Float64 { data: reward });
        }
        self.frames.put(self.ends.camera.take(&*self.robot));
        self.publish_what_arrives();
    }
}
