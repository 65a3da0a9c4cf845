//! Episodes with an obstacle that the robot has to keep out of.

use latco_controller::Config;
use latco_controller::config::KinematicsSection;
use latco_controller::constraints::Place;
use latco_envs::{Link, Obstacle, Robot, obstacle};
use serde::Serialize;

/// Distance in m that is added to the radius of the thickest link: the arm is planned for as one that is as thick everywhere.
const LINK_RADIUS_M: f64 = 0.07;

latco_controller::choices! {
    /// The obstacles of an evaluation.
    pub enum Obstacles {
        /// One that stands in each episode.
        Still = "still",
        /// One that moves in each episode.
        Moving = "moving",
        /// One that moves in every other episode.
        Mixed = "mixed",
    }
}

/// How an evaluation goes about obstacles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeepOut {
    /// The kind of obstacles.
    pub obstacles: Obstacles,
    /// Whether the controller is told of them; otherwise touches are only counted.
    pub is_told: bool,
}

/// What became of the obstacle of one episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Touches {
    /// Whether the obstacle moved.
    pub is_moving: bool,
    /// Number of set-points after which the robot touched it.
    pub touched: u64,
    /// Number of set-points.
    pub set_points: u64,
    /// Number of set-points that were slowed in front of it.
    pub held_back: u64,
    /// How deep in m the robot was in it at most; negative where it never touched it.
    pub deepest_m: f64,
}

/// Touches of all episodes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KeepOutSummary {
    /// Which obstacles there were.
    pub obstacles: Obstacles,
    /// Whether the controller was told of them.
    pub told: bool,
    /// Number of episodes with an obstacle.
    pub episodes: usize,
    /// Number of episodes with one that moved.
    pub moving: usize,
    /// Number of episodes in which the robot touched it.
    pub touched_episodes: usize,
    /// Number of those in which it moved.
    pub touched_moving: usize,
    /// Share of all set-points after which the robot touched it.
    pub touched_share: f64,
    /// How deep in m the robot was in one at most; negative where it never touched one.
    pub deepest_m: f64,
    /// Share of all set-points that were slowed in front of one.
    pub held_back_share: f64,
}

impl KeepOut {
    /// The obstacle of an episode, and the robot at its start. `None` where no place for one is free.
    pub(crate) fn obstacle(self, robot: &mut dyn Robot, seed: u64) -> Option<(Obstacle, bool)> {
        let is_moving = match self.obstacles {
            Obstacles::Still => false,
            Obstacles::Moving => true,
            Obstacles::Mixed => seed % 2 == 1,
        };
        Obstacle::draw(robot, seed, is_moving).map(|drawn| (drawn, is_moving))
    }

    /// The configuration of a controller that is told of one obstacle; unchanged where it is told of none.
    pub(crate) fn configure(self, config: &Config, robot: &dyn Robot) -> Config {
        let mut config = config.clone();
        if self.is_told {
            config.kinematics = kinematics(&robot.links());
            // it is moved to its place before each plan
            config.keep_out.balls_m = vec![0.0, 0.0, 0.0, obstacle::RADIUS];
        }
        config
    }

    pub(crate) fn summarise<'a>(
        self,
        touches: impl Iterator<Item = &'a Touches>,
    ) -> KeepOutSummary {
        let mut summary = KeepOutSummary {
            obstacles: self.obstacles,
            told: self.is_told,
            episodes: 0,
            moving: 0,
            touched_episodes: 0,
            touched_moving: 0,
            touched_share: 0.0,
            deepest_m: f64::NEG_INFINITY,
            held_back_share: 0.0,
        };
        let (mut set_points, mut touched, mut held_back) = (0, 0, 0);
        for episode in touches {
            let (is_moving, is_touched) = (episode.is_moving, episode.touched > 0);
            summary.episodes += 1;
            summary.moving += usize::from(is_moving);
            summary.touched_episodes += usize::from(is_touched);
            summary.touched_moving += usize::from(is_touched && is_moving);
            summary.deepest_m = summary.deepest_m.max(episode.deepest_m);
            set_points += episode.set_points;
            touched += episode.touched;
            held_back += episode.held_back;
        }
        let share = |count: u64| count as f64 / set_points.max(1) as f64;
        (summary.touched_share, summary.held_back_share) = (share(touched), share(held_back));
        summary
    }
}

/// The places of regions for the controller.
pub(crate) fn middles(obstacle: &Obstacle, time_s: f64) -> [Place; 1] {
    let [x, y] = obstacle.middle(time_s);
    [[x, y, 0.0]]
}

/// The kinematics of a planar arm with these links and its tip, which points along y when all joints stand at 0.
fn kinematics(links: &[Link]) -> KinematicsSection {
    let joints = links.len().saturating_sub(1);
    let mut place = links.first().map_or([0.0; 2], |link| link.from);
    let mut points = Vec::new();
    for link in &links[..joints] {
        points.extend([place[0], place[1], 0.0]);
        place[1] += (link.to[0] - link.from[0]).hypot(link.to[1] - link.from[1]);
    }
    KinematicsSection {
        joint_axes: [0.0, 0.0, 1.0].repeat(joints),
        joint_points_m: points,
        tip_m: vec![place[0], place[1], 0.0],
        link_radius_m: LINK_RADIUS_M,
    }
}
