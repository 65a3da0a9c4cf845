//! Reach: bring the tip of the arm to the goal disc. The reward is 1 there and 0 elsewhere.
//!
//! Only the camera sees the goal. Starts and goals are drawn such that the scripted expert always arrives in
//! time, so that whatever is missing to 100 % is due to the planner or the model.

use rand::Rng;

use super::{beside, place_in, random_arm};
use crate::arm::{Arm, Posture, Shape};
use crate::noise::uniform;
use crate::plane::{Place, distance};
use crate::render::Canvas;
use crate::robot::{Habits, Object};
pub use crate::scene::{GOAL_COLOUR, TIP_COLOUR};
use crate::script::Stage;
use crate::steer::{any_quick, fastest};
use crate::tabletop::{Tabletop, Task, Timing};

/// Distance in m of the tip from the goal below which the task is solved.
pub const TOLERANCE: f64 = 0.08;
/// Radius with which the goal is drawn, in m. Smaller ones do not make it into a learned code.
pub const GOAL_RADIUS: f64 = 0.15;
/// Share of the decoys that lie just beside the goal. Without them, slowing down near the goal
/// means arriving at it in nearly all data; a model learns that instead of where the goal ends, and
/// plans stop short of it in expectation of a reward.
pub const NEAR_MISS_SHARE: f64 = 0.5;
/// Largest distance of such a decoy from the goal, in m.
pub const FARTHEST_NEAR_MISS: f64 = 0.3;
/// Height of the lowest goal in m; below it the expert sometimes fails.
pub const LOWEST_GOAL: f64 = -0.2;
/// Largest distance in m of a goal from the middle line, so that its disc is wholly in the picture.
pub const WIDEST_GOAL: f64 = 1.0 - GOAL_RADIUS;
/// Least distance of the tip from the goal at the start, in m.
pub const LEAST_START_DISTANCE: f64 = 0.25;
/// Start angles are drawn uniformly up to this far from straight up, in rad.
pub const START_SPREAD_RAD: Posture = [0.7, 1.2, 1.2];
/// Longest time in seconds that the way to the goal takes at full speed. The lag, the last approach and a
/// margin take the rest of an episode.
pub const LONGEST_MOVE_S: f64 = 4.0;

/// The planar arm with a goal to reach.
pub type Reach = Tabletop<Goal>;

/// The goal on the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal(Place);

impl Reach {
    /// Place of the goal in m. Planners may not use it.
    pub fn goal(&self) -> Place {
        self.task.0
    }

    /// Distance of the tip from the goal in m. Planners may not use it.
    pub fn distance(&self) -> f64 {
        self.task.way_left(&self.arm)
    }
}

impl Task for Goal {
    const NAME: &'static str = "reach";
    const SHAPE: Shape = Shape::LONG;
    const TIMING: Timing = Timing {
        control_period_s: 0.1,
        substeps: 5,
        episode_steps: 50,
    };
    const HABITS: Habits = Habits {
        waypoint_share: 0.75,
        dwell_steps: [2, 11],
        patience_steps: 45,
    };
    // Checked by the time at full speed instead.
    const EXPERT_STEPS: Option<usize> = None;

    fn start(rng: &mut dyn Rng) -> Option<(Arm, Self)> {
        let arm = random_arm(Self::SHAPE, START_SPREAD_RAD, rng);
        let goal = place(rng);
        let (_, time_s) = fastest(&arm.positions, &arm.shape, goal)?;
        let fits = time_s <= LONGEST_MOVE_S && distance(arm.tip(), goal) >= LEAST_START_DISTANCE;
        fits.then_some((arm, Self(goal)))
    }

    fn draw(&self, _: &Arm, canvas: &mut Canvas<'_>) {
        canvas.disc(self.0, GOAL_RADIUS, GOAL_COLOUR);
    }

    fn solved(&self, arm: &Arm) -> bool {
        self.way_left(arm) <= TOLERANCE
    }

    fn way_left(&self, arm: &Arm) -> f64 {
        distance(arm.tip(), self.0)
    }

    fn objects(&self) -> Vec<Object> {
        vec![Object::at("goal", self.0)]
    }

    fn expert(&self, arm: &Arm) -> Vec<Stage> {
        let (posture, _) =
            fastest(&arm.positions, &arm.shape, self.0).expect("goals are drawn within reach");
        vec![Stage::Move(posture)]
    }

    /// Draws the goal or a decoy, with equal chance.
    fn waypoint(&self, arm: &Arm, rng: &mut dyn Rng) -> Vec<Stage> {
        let posture = if uniform(rng, 0.0, 1.0) < 0.5 {
            any_quick(&arm.positions, &arm.shape, self.0, rng)
                .expect("goals are drawn within reach")
        } else {
            loop {
                let decoy = if uniform(rng, 0.0, 1.0) < NEAR_MISS_SHARE {
                    beside(self.0, [TOLERANCE, FARTHEST_NEAR_MISS], rng)
                } else {
                    place(rng)
                };
                if distance(decoy, self.0) > TOLERANCE
                    && let Some(posture) = any_quick(&arm.positions, &arm.shape, decoy, rng)
                {
                    break posture;
                }
            }
        };
        vec![Stage::Move(posture)]
    }
}

/// Draws a place for a goal, which may be out of reach.
fn place(rng: &mut dyn Rng) -> Place {
    let highest = Shape::LONG.base[1] + Shape::LONG.reach();
    place_in([-WIDEST_GOAL, WIDEST_GOAL], [LOWEST_GOAL, highest], rng)
}
