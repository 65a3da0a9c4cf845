//! Scripted policies: who moves the robot while data is collected, and how well one can do.
//!
//! The mixture holds still away from the goal, passes the goal, and is noisy to different
//! degrees. Data from an expert that stops at the goal teaches a model that standing still is
//! what is rewarded; its plans then converge perfectly and stand still.

use std::fmt::Debug;
use std::str::FromStr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::EnvError;
use crate::noise::{Stream, generator, normal, uniform};
use crate::robot::{Robot, Target};

/// Share of way-point episodes in the mixture; the rest is random motion.
pub const WAYPOINT_SHARE: f64 = 0.75;
/// Standard deviations of the action noise, one drawn per way-point episode.
pub const ACTION_NOISE: [f64; 4] = [0.0, 0.1, 0.3, 0.6];
/// Shortest and longest stay at a way-point, control periods.
pub const DWELL_STEPS: [u64; 2] = [2, 11];
/// Largest correlation of successive random actions.
pub const MAX_CORRELATION: f64 = 0.95;
/// Largest standard deviation of random actions, before they are clipped.
pub const MAX_AMPLITUDE: f64 = 3.0;

/// Joints count as arrived within this distance of a way-point, rad.
const ARRIVED_RAD: f64 = 0.04;
/// A way-point not arrived at by then is given up, control periods.
const PATIENCE_STEPS: u64 = 45;
/// Time in which a posture is approached once near, s; above the lag, so it does not overshoot.
const APPROACH_S: f64 = 0.25;

/// Chooses actions for one episode after the other. May use the robot's true state and goal.
pub trait Policy: Send + Debug {
    /// Prepares for the episode that the robot was reset to. The seed decides all that is random.
    fn begin(&mut self, robot: &dyn Robot, seed: u64);

    /// Writes the next normalised action, shape `[nj]`, within `[-1, 1]`.
    ///
    /// # Panics
    /// If `action` has not one value per joint, or [`begin`](Policy::begin) was never called.
    fn act(&mut self, robot: &dyn Robot, action: &mut [f32]);

    /// What is being done in this episode, for logs: `expert`, `waypoints noise 0.3`.
    fn describe(&self) -> String;
}

/// The policies there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Way-points in [`WAYPOINT_SHARE`] of the episodes, random motion in the others: for data.
    Mixture,
    /// Goal and decoys in turn, with dwell times and action noise.
    Waypoints,
    /// Correlated random actions.
    Random,
    /// Straight to the goal and stay there, without noise: the best a planner could do. Not for
    /// training data.
    Expert,
}

impl PolicyKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Mixture, Self::Waypoints, Self::Random, Self::Expert];

    /// Name on the command line and in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mixture => "mixture",
            Self::Waypoints => "waypoints",
            Self::Random => "random",
            Self::Expert => "expert",
        }
    }

    /// A policy of this kind.
    pub fn make(self) -> Box<dyn Policy> {
        Box::new(Scripted {
            kind: self,
            rng: generator(0, Stream::Policy),
            role: Role::Idle,
        })
    }
}

impl FromStr for PolicyKind {
    type Err = EnvError;

    fn from_str(name: &str) -> Result<Self, EnvError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| EnvError::UnknownPolicy {
                found: name.to_owned(),
            })
    }
}

#[derive(Debug)]
struct Scripted {
    kind: PolicyKind,
    rng: ChaCha8Rng,
    role: Role,
}

/// What is done in the present episode.
#[derive(Debug)]
enum Role {
    Idle,
    Expert {
        posture: Vec<f64>,
    },
    Waypoints(Waypoints),
    Random {
        correlation: f64,
        amplitude: f64,
        state: Vec<f64>,
    },
}

#[derive(Debug)]
struct Waypoints {
    noise: f64,
    posture: Vec<f64>,
    /// Steps left to stay, once arrived.
    dwell: u64,
    arrived: bool,
    /// Steps spent on the way.
    travelled: u64,
}

impl Policy for Scripted {
    fn begin(&mut self, robot: &dyn Robot, seed: u64) {
        self.rng = generator(seed, Stream::Policy);
        let rng = &mut self.rng;
        let kind = match self.kind {
            PolicyKind::Mixture if uniform(rng, 0.0, 1.0) < WAYPOINT_SHARE => PolicyKind::Waypoints,
            PolicyKind::Mixture => PolicyKind::Random,
            kind => kind,
        };
        self.role = match kind {
            PolicyKind::Expert => Role::Expert {
                posture: robot.posture(Target::Goal, rng),
            },
            PolicyKind::Random => {
                let mut state = vec![0.0; robot.joints()];
                state.fill_with(|| normal(rng));
                Role::Random {
                    correlation: uniform(rng, 0.0, MAX_CORRELATION),
                    amplitude: uniform(rng, 0.0, MAX_AMPLITUDE),
                    state,
                }
            }
            PolicyKind::Waypoints | PolicyKind::Mixture => {
                let noise = ACTION_NOISE[uniform(rng, 0.0, ACTION_NOISE.len() as f64) as usize];
                Role::Waypoints(Waypoints::new(robot, noise, rng))
            }
        };
    }

    fn act(&mut self, robot: &dyn Robot, action: &mut [f32]) {
        assert_eq!(action.len(), robot.joints(), "one action per joint");
        match &mut self.role {
            Role::Idle => panic!("begin() comes before act()"),
            Role::Expert { posture } => approach(robot, posture, action),
            Role::Waypoints(waypoints) => waypoints.act(robot, &mut self.rng, action),
            Role::Random {
                correlation,
                amplitude,
                state,
            } => {
                let fresh = (1.0 - *correlation * *correlation).sqrt();
                for (a, x) in action.iter_mut().zip(state) {
                    *a = (*amplitude * *x).clamp(-1.0, 1.0) as f32;
                    *x = *correlation * *x + fresh * normal(&mut self.rng);
                }
            }
        }
    }

    fn describe(&self) -> String {
        match &self.role {
            Role::Idle => "idle".to_owned(),
            Role::Expert { .. } => "expert".to_owned(),
            Role::Waypoints(waypoints) => format!("waypoints noise {}", waypoints.noise),
            Role::Random {
                correlation,
                amplitude,
                ..
            } => {
                format!("random correlation {correlation:.2} amplitude {amplitude:.2}")
            }
        }
    }
}

impl Waypoints {
    fn new(robot: &dyn Robot, noise: f64, rng: &mut dyn Rng) -> Self {
        let mut waypoints = Self {
            noise,
            posture: Vec::new(),
            dwell: 0,
            arrived: false,
            travelled: 0,
        };
        waypoints.choose(robot, rng);
        waypoints
    }

    /// Goal or decoy with equal chance.
    fn choose(&mut self, robot: &dyn Robot, rng: &mut dyn Rng) {
        let goal = uniform(rng, 0.0, 1.0) < 0.5;
        let target = if goal {
            Target::GoalAnyPosture
        } else {
            Target::Decoy
        };
        self.posture = robot.posture(target, rng);
        let [shortest, longest] = DWELL_STEPS;
        self.dwell = uniform(rng, shortest as f64, (longest + 1) as f64) as u64;
        self.arrived = false;
        self.travelled = 0;
    }

    fn act(&mut self, robot: &dyn Robot, rng: &mut dyn Rng, action: &mut [f32]) {
        self.arrived |= self.distance(robot) < ARRIVED_RAD;
        let over = if self.arrived {
            self.dwell == 0
        } else {
            self.travelled == PATIENCE_STEPS
        };
        if over {
            self.choose(robot, rng);
        }
        if self.arrived {
            self.dwell -= 1;
        } else {
            self.travelled += 1;
        }
        approach(robot, &self.posture, action);
        for a in action {
            *a = (f64::from(*a) + self.noise * normal(rng)).clamp(-1.0, 1.0) as f32;
        }
    }

    fn distance(&self, robot: &dyn Robot) -> f64 {
        let pairs = self.posture.iter().zip(robot.positions());
        pairs
            .map(|(wanted, q)| (wanted - q).abs())
            .fold(0.0, f64::max)
    }
}

/// Action towards a posture: all joints arrive together, the slowest at full speed, and ease in.
fn approach(robot: &dyn Robot, posture: &[f64], action: &mut [f32]) {
    let scaled = |j: usize| (posture[j] - robot.positions()[j]) / robot.action_scale()[j];
    let slowest = (0..posture.len())
        .map(|j| scaled(j).abs())
        .fold(APPROACH_S, f64::max);
    for (j, a) in action.iter_mut().enumerate() {
        *a = (scaled(j) / slowest) as f32;
    }
}
