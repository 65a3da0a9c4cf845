//! Discs on the table that no part of a robot may touch. They stand there or sway to and fro; the camera does not see them.

use rand::Rng;

use crate::link::Link;
use crate::noise::{Stream, generator, uniform};
use crate::plane::{Place, TABLE_HALF_WIDTH, around, distance};
use crate::policy::PolicyKind;
use crate::robot::Robot;

/// Radius of an obstacle in m.
pub const RADIUS: f64 = 0.12;
/// Largest way in m of a moving one from its middle place.
pub const SWAY: f64 = 0.15;
/// Time in s of one sway to and fro.
pub const SWAY_PERIOD_S: f64 = 8.0;
/// Least distance in m from what has to stay free.
const CLEAR: f64 = 0.12;
/// Number of places that are drawn for one obstacle.
const DRAWS: usize = 300;

/// A disc that a robot must not touch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Obstacle {
    middle: Place,
    sway: Place,
}

impl Obstacle {
    /// Draws an obstacle for the episode of a seed, and leaves the robot at its start. It is clear of the robot there, of the
    /// objects, and of what the scripted expert does in the last third of its way. It lies in the expert's way before that, if
    /// such a place is found, else anywhere. `None` for a robot whose links are not known, or where no place is free.
    pub fn draw(robot: &mut dyn Robot, seed: u64, is_moving: bool) -> Option<Self> {
        robot.reset(seed);
        let start = robot.links();
        if start.is_empty() {
            return None;
        }
        let mut free = start;
        let mut places: Vec<Place> = robot.objects().iter().map(|o| o.place).collect();
        let way = expert_way(robot, seed);
        let (before, end) = way.split_at(way.len() * 2 / 3);
        for (links, objects) in end {
            free.extend(links);
            places.extend(objects);
        }
        robot.reset(seed);
        let rng = &mut generator(seed, Stream::Obstacle);
        let drawn = (0..DRAWS).map(|_| Self::anywhere(rng, is_moving));
        let is_free = |obstacle: &Self| {
            let clear = RADIUS + CLEAR;
            (0..5).all(|i| {
                let at = obstacle.middle(SWAY_PERIOD_S * (0.25 + f64::from(i) / 8.0));
                free.iter().all(|link| link.distance(at) >= clear)
                    && places
                        .iter()
                        .all(|place| distance(*place, at) >= clear + 0.06)
            })
        };
        let (mut free, mut in_way) = (None, None);
        for obstacle in drawn.filter(is_free) {
            free = free.or(Some(obstacle));
            let touches = |(links, _): &(Vec<Link>, Vec<Place>)| obstacle.depth(links, 0.0) > 0.0;
            in_way = in_way.or_else(|| before.iter().any(touches).then_some(obstacle));
        }
        in_way.or(free)
    }

    fn anywhere(rng: &mut dyn Rng, is_moving: bool) -> Self {
        let side = TABLE_HALF_WIDTH - RADIUS;
        let middle = [uniform(rng, -side, side), uniform(rng, -0.7, side)];
        let angle = uniform(rng, 0.0, std::f64::consts::TAU);
        let length = if is_moving { SWAY } else { 0.0 };
        Self {
            middle,
            sway: around([0.0; 2], length, angle),
        }
    }

    /// The middle of the disc in m at a time of the episode.
    pub fn middle(&self, time_s: f64) -> Place {
        let share = (std::f64::consts::TAU * time_s / SWAY_PERIOD_S).sin();
        [
            self.middle[0] + share * self.sway[0],
            self.middle[1] + share * self.sway[1],
        ]
    }

    /// How deep in m the links are in the disc at a time of the episode; negative where they do not touch it.
    pub fn depth(&self, links: &[Link], time_s: f64) -> f64 {
        let at = self.middle(time_s);
        let nearest = links.iter().map(|link| link.distance(at));
        RADIUS - nearest.fold(f64::INFINITY, f64::min)
    }
}

/// Links and objects at every step of the scripted expert, until it has solved the task.
fn expert_way(robot: &mut dyn Robot, seed: u64) -> Vec<(Vec<Link>, Vec<Place>)> {
    let mut policy = PolicyKind::Expert.make();
    let mut action = vec![0.0; robot.joints()];
    policy.begin(robot, seed);
    let mut way = Vec::new();
    for _ in 0..robot.episode_steps() {
        policy.act(robot, &mut action);
        robot.step(&action);
        let objects = robot.objects().iter().map(|o| o.place).collect();
        way.push((robot.links(), objects));
        if robot.success() {
            break;
        }
    }
    way
}
