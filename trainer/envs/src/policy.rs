//! Scripted policies: who moves the robot while data is collected, and how well one can do.
//!
//! The mixture holds still away from the goal, passes the goal, and is noisy to different
//! degrees. Data from an expert that stops at the goal teaches a model that standing still is
//! what is rewarded; its plans then converge perfectly and stand still.

use std::fmt::Debug;
use std::str::FromStr;

use chacha20::ChaCha8Rng;
use rand::Rng;

use crate::error::EnvError;
use crate::noise::{Stream, generator, normal, uniform};
use crate::robot::Robot;
use crate::script::Way;

/// Standard deviations of the action noise, one drawn per way-point episode.
pub const ACTION_NOISE: [f64; 4] = [0.0, 0.1, 0.3, 0.6];
/// Largest correlation of successive random actions.
pub const MAX_CORRELATION: f64 = 0.95;
/// Largest standard deviation of random actions before they are clipped.
pub const MAX_AMPLITUDE: f64 = 3.0;

/// A policy, which chooses actions for one episode after the other. It may use the robot's true state and
/// goal.
pub trait Policy: Send + Debug {
    /// Prepares for the episode that the robot was reset to. The seed decides all that is random.
    fn begin(&mut self, robot: &dyn Robot, seed: u64);

    /// Writes the next normalised action, shape `[na]`, within `[-1, 1]`.
    ///
    /// # Panics
    /// If `action` has not one value per action, or [`begin`](Policy::begin) was never called.
    fn act(&mut self, robot: &dyn Robot, action: &mut [f32]);

    /// What is being done in this episode, for logs; for example `expert` or `waypoints noise 0.3`.
    fn describe(&self) -> String;
}

latco_models::named! {
    /// The kinds of policies.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum PolicyKind {
        /// Way-points in a share of the episodes ([`Habits`](crate::Habits)) and random motion in the others, to
        /// collect data.
        Mixture => "mixture",
        /// Goal and decoys in turn, with dwell times and action noise.
        Waypoints => "waypoints",
        /// Correlated random actions.
        Random => "random",
        /// Straight to the goal, where it stays, without noise: the best that a planner could do. It is not for
        /// training data.
        Expert => "expert",
    }
}

impl PolicyKind {
    /// Makes a policy of this kind.
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
            .ok_or_else(|| EnvError::unknown("policy", name, Self::ALL.map(Self::name)))
    }
}

#[derive(Debug)]
struct Scripted {
    kind: PolicyKind,
    rng: ChaCha8Rng,
    role: Role,
}

/// The activity in the present episode.
#[derive(Debug)]
enum Role {
    Idle,
    Expert(Way),
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
    way: Way,
    /// Number of steps left to stay at the way-point, once arrived.
    dwell: u64,
    arrived: bool,
    /// Number of steps spent on the way.
    travelled: u64,
}

impl Policy for Scripted {
    fn begin(&mut self, robot: &dyn Robot, seed: u64) {
        self.rng = generator(seed, Stream::Policy);
        let rng = &mut self.rng;
        let kind = match self.kind {
            PolicyKind::Mixture if uniform(rng, 0.0, 1.0) < robot.habits().waypoint_share => {
                PolicyKind::Waypoints
            }
            PolicyKind::Mixture => PolicyKind::Random,
            kind => kind,
        };
        self.role = match kind {
            PolicyKind::Expert => Role::Expert(robot.expert()),
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
        assert_eq!(action.len(), robot.actions(), "one value per action");
        let mut velocities = vec![0.0; robot.joints()];
        self.move_joints(robot, &mut velocities);
        robot.action_of(&velocities, action);
    }

    fn describe(&self) -> String {
        match &self.role {
            Role::Idle => "idle".to_owned(),
            Role::Expert(_) => "expert".to_owned(),
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

impl Scripted {
    /// Writes the joint velocities of the next control period, normalised by their limits.
    fn move_joints(&mut self, robot: &dyn Robot, action: &mut [f32]) {
        match &mut self.role {
            Role::Idle => panic!("begin() comes before act()"),
            Role::Expert(way) => robot.follow(way, action),
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
}

impl Waypoints {
    fn new(robot: &dyn Robot, noise: f64, rng: &mut dyn Rng) -> Self {
        let (way, dwell) = Self::choose(robot, rng);
        Self {
            noise,
            way,
            dwell,
            arrived: false,
            travelled: 0,
        }
    }

    /// Chooses where to go, and how many steps to stay there.
    fn choose(robot: &dyn Robot, rng: &mut dyn Rng) -> (Way, u64) {
        let way = robot.waypoint(rng);
        let [shortest, longest] = robot.habits().dwell_steps;
        let dwell = uniform(rng, shortest as f64, (longest + 1) as f64) as u64;
        (way, dwell)
    }

    fn act(&mut self, robot: &dyn Robot, rng: &mut dyn Rng, action: &mut [f32]) {
        self.arrived |= robot.arrived(&self.way);
        let over = if self.arrived {
            self.dwell == 0
        } else {
            self.travelled == robot.habits().patience_steps
        };
        if over {
            (self.way, self.dwell) = Self::choose(robot, rng);
            (self.arrived, self.travelled) = (false, 0);
        }
        if self.arrived {
            self.dwell -= 1;
        } else {
            self.travelled += 1;
        }
        robot.follow(&mut self.way, action);
        for a in action {
            *a = (f64::from(*a) + self.noise * normal(rng)).clamp(-1.0, 1.0) as f32;
        }
    }
}
