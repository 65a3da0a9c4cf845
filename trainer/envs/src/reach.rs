//! Reach: bring the tip of the arm to the goal disc. The reward is 1 there and 0 elsewhere.
//!
//! The goal is seen by the camera only. Starts and goals are drawn such that the scripted expert
//! always arrives in time, so that what is missing to 100 % is the planner's or the model's.

use rand::Rng;

use crate::arm::{self, Arm, JOINT_NAMES, JOINTS, LIMITS, MAX_VELOCITY_RAD_S, Posture};
use crate::noise::{Stream, generator, uniform};
use crate::render::{Canvas, Colour};
use crate::robot::{JointLimits, Object, Robot, Target};

/// Distance of the tip to the goal below which the task is solved, m.
pub const TOLERANCE: f64 = 0.08;
/// Radius with which the goal is drawn, m. Smaller ones do not make it into a learned code.
pub const GOAL_RADIUS: f64 = 0.15;
/// Share of the decoys that lie just beside the goal. Without them, slowing down near the goal
/// means arriving at it in nearly all data; a model learns that instead of where the goal ends, and
/// plans stop short of it in expectation of a reward.
pub const NEAR_MISS_SHARE: f64 = 0.5;
/// Largest distance of such a decoy from the goal, m.
pub const FARTHEST_NEAR_MISS: f64 = 0.3;
/// Length of an episode, control periods.
pub const EPISODE_STEPS: usize = 50;
/// Control period, s.
pub const CONTROL_PERIOD_S: f64 = 0.1;
/// Simulation steps in a control period.
pub const SUBSTEPS: usize = 5;
/// Lowest goal, m; below it the expert sometimes fails.
pub const LOWEST_GOAL: f64 = -0.2;
/// Goals lie within this distance of the middle line, so that the disc is wholly in the picture, m.
pub const WIDEST_GOAL: f64 = 1.0 - GOAL_RADIUS;
/// Least distance of the tip to the goal at the start, m.
pub const LEAST_START_DISTANCE: f64 = 0.25;
/// Start angles are drawn uniformly up to this far from straight up, rad.
pub const START_SPREAD_RAD: Posture = [0.7, 1.2, 1.2];
/// The goal can be reached within this time at full speed, s. The lag, the last approach and a
/// margin take the rest of an episode.
pub const LONGEST_MOVE_S: f64 = 4.0;

/// Colour of the table.
pub const BACKGROUND: Colour = [24, 26, 34];
/// Colour of the goal disc.
pub const GOAL_COLOUR: Colour = [235, 40, 80];
/// Colours of the links, from the base.
pub const LINK_COLOURS: [Colour; JOINTS] = [[60, 110, 255], [50, 200, 100], [255, 170, 30]];
/// Colour of the tip.
pub const TIP_COLOUR: Colour = [255, 255, 255];
const BASE_COLOUR: Colour = [120, 125, 135];
const LINK_RADII: [f64; JOINTS] = [0.07, 0.06, 0.05];
const TIP_RADIUS: f64 = 0.06;
const BASE_RADIUS: f64 = 0.11;

/// The planar arm with a goal to reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    arm: Arm,
    goal: [f64; 2],
    start_distance: f64,
    image_size: usize,
}

impl Reach {
    /// With a camera of `image_size x image_size` pixels, reset with seed 0.
    pub fn new(image_size: usize) -> Self {
        let mut reach = Self {
            arm: Arm::at_rest([0.0; JOINTS]),
            goal: [0.0; 2],
            start_distance: 0.0,
            image_size,
        };
        reach.reset(0);
        reach
    }

    /// Where the goal is, m. Not for planners.
    pub fn goal(&self) -> [f64; 2] {
        self.goal
    }

    /// The arm.
    pub fn arm(&self) -> &Arm {
        &self.arm
    }

    /// Distance from tip to goal, m. Not for planners.
    pub fn distance(&self) -> f64 {
        distance(self.arm.tip(), self.goal)
    }
}

impl Robot for Reach {
    fn task(&self) -> &str {
        "reach"
    }

    fn joint_names(&self) -> &[&str] {
        &JOINT_NAMES
    }

    fn limits(&self) -> &[JointLimits] {
        &LIMITS
    }

    fn action_scale(&self) -> &[f64] {
        &MAX_VELOCITY_RAD_S
    }

    fn control_period_s(&self) -> f64 {
        CONTROL_PERIOD_S
    }

    fn substeps(&self) -> usize {
        SUBSTEPS
    }

    fn episode_steps(&self) -> usize {
        EPISODE_STEPS
    }

    fn image_size(&self) -> usize {
        self.image_size
    }

    fn reset(&mut self, seed: u64) {
        let rng = &mut generator(seed, Stream::Episode);
        (self.arm, self.goal) = loop {
            let arm = Arm::at_rest(START_SPREAD_RAD.map(|spread| uniform(rng, -spread, spread)));
            let goal = place(rng);
            let in_time = fastest(&arm, goal).is_some_and(|(_, time)| time <= LONGEST_MOVE_S);
            if in_time && distance(arm.tip(), goal) >= LEAST_START_DISTANCE {
                break (arm, goal);
            }
        };
        self.start_distance = self.distance();
    }

    fn advance(&mut self, velocity_rad_s: &[f64], dt_s: f64) {
        let set_points = velocity_rad_s.try_into().expect("one set-point per joint");
        self.arm.advance(set_points, dt_s);
    }

    fn step(&mut self, action: &[f32]) {
        let action: &[f32; JOINTS] = action.try_into().expect("one action per joint");
        let mut set_points = MAX_VELOCITY_RAD_S;
        for (set_point, &a) in set_points.iter_mut().zip(action) {
            *set_point *= if a.is_finite() {
                f64::from(a).clamp(-1.0, 1.0)
            } else {
                0.0
            };
        }
        for _ in 0..SUBSTEPS {
            self.arm
                .advance(&set_points, CONTROL_PERIOD_S / SUBSTEPS as f64);
        }
    }

    fn render(&self, rgb: &mut [u8]) {
        let points = self.arm.points();
        let mut canvas = Canvas::new(rgb, self.image_size, BACKGROUND);
        canvas.disc(self.goal, GOAL_RADIUS, GOAL_COLOUR);
        canvas.disc(arm::BASE, BASE_RADIUS, BASE_COLOUR);
        for j in 0..JOINTS {
            canvas.capsule(points[j], points[j + 1], LINK_RADII[j], LINK_COLOURS[j]);
        }
        canvas.disc(points[JOINTS], TIP_RADIUS, TIP_COLOUR);
    }

    fn positions(&self) -> &[f64] {
        &self.arm.positions
    }

    fn velocities(&self) -> &[f64] {
        &self.arm.velocities
    }

    fn reward(&self) -> f64 {
        if self.success() { 1.0 } else { 0.0 }
    }

    fn success(&self) -> bool {
        self.distance() <= TOLERANCE
    }

    fn difficulty(&self) -> f64 {
        self.start_distance
    }

    fn objects(&self) -> Vec<Object> {
        vec![Object {
            name: "goal",
            place: self.goal,
        }]
    }

    fn posture(&self, target: Target, rng: &mut dyn Rng) -> Vec<f64> {
        let found = match target {
            Target::Goal => fastest(&self.arm, self.goal).map(|(posture, _)| posture),
            Target::GoalAnyPosture => any_quick(&self.arm, self.goal, rng),
            Target::Decoy => loop {
                let decoy = if uniform(rng, 0.0, 1.0) < NEAR_MISS_SHARE {
                    beside(self.goal, rng)
                } else {
                    place(rng)
                };
                if distance(decoy, self.goal) > TOLERANCE
                    && let Some(posture) = any_quick(&self.arm, decoy, rng)
                {
                    break Some(posture);
                }
            },
        };
        found.expect("goals are drawn within reach").to_vec()
    }
}

/// A place where a goal may be, not yet checked to be in reach.
fn place(rng: &mut dyn Rng) -> [f64; 2] {
    let highest = arm::BASE[1] + arm::LINKS.iter().sum::<f64>();
    [
        uniform(rng, -WIDEST_GOAL, WIDEST_GOAL),
        uniform(rng, LOWEST_GOAL, highest),
    ]
}

/// A place just missing the goal, in any direction, not yet checked to be in reach.
fn beside(goal: [f64; 2], rng: &mut dyn Rng) -> [f64; 2] {
    let distance = uniform(rng, TOLERANCE, FARTHEST_NEAR_MISS);
    let (sin, cos) = uniform(rng, 0.0, std::f64::consts::TAU).sin_cos();
    [goal[0] + distance * cos, goal[1] + distance * sin]
}

/// The posture with the tip at a place that takes the least time to get to, and that time, s.
fn fastest(arm: &Arm, tip: [f64; 2]) -> Option<(Posture, f64)> {
    arm::postures_for(tip)
        .into_iter()
        .map(|posture| (posture, arm.time_to_s(&posture)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// A random posture with the tip at a place, among those not much slower than the fastest.
fn any_quick(arm: &Arm, tip: [f64; 2], rng: &mut dyn Rng) -> Option<Posture> {
    let longest = 1.5 * fastest(arm, tip)?.1 + 0.1;
    let mut quick = arm::postures_for(tip);
    quick.retain(|posture| arm.time_to_s(posture) <= longest);
    let chosen = uniform(rng, 0.0, quick.len() as f64) as usize;
    Some(quick.swap_remove(chosen.min(quick.len() - 1)))
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
