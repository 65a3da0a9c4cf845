//! Push: bring the puck to the goal by pushing it with the tip. The reward is 1 while the puck is
//! there and 0 elsewhere; how the arm stands does not matter.
//!
//! The tip has to get behind the puck first, seen from the goal, without pushing it away.

use rand::Rng;

use super::{anywhere, at_puck, beside, place_in, random_arm};
use crate::arm::{Arm, Posture, Shape};
use crate::contact::{CONTACT, PUCK_RADIUS, Puck};
use crate::noise::uniform;
use crate::plane::{Place, along, direction, distance, on_table};
use crate::render::Canvas;
use crate::robot::{Habits, Object};
use crate::scene::{GOAL_COLOUR, shows};
use crate::script::Stage;
use crate::steer::can_push;
use crate::tabletop::{SLOW, Tabletop, Task, Timing};

/// Distance in m of the puck from the goal below which the task is solved.
pub const TOLERANCE: f64 = 0.16;
/// Radius with which the goal is drawn, in m: its rim is seen around the puck.
pub const GOAL_RADIUS: f64 = 0.24;
/// The box from which places of puck and goal are drawn, x and y in m.
pub const BOX: [[f64; 2]; 2] = [[-0.65, 0.65], [-0.35, 0.35]];
/// Shortest and longest way of the puck at the start, in m.
pub const START_DISTANCE: [f64; 2] = [0.35, 0.9];
/// Start angles are drawn uniformly up to this far from straight up, in rad.
pub const START_SPREAD_RAD: Posture = [0.9, 1.4, 1.4];
/// Share of the way-points that are places for the tip; it may run into the puck on the way.
pub const TIP_ONLY_SHARE: f64 = 0.25;
/// Share of the way-points that are places at the puck, in whatever way the tip then touches it.
pub const AT_PUCK_SHARE: f64 = 0.25;
/// Shares of the other way-points: the goal itself, just beside it, and through it; the rest lie anywhere.
pub const GOAL_SHARES: [f64; 3] = [0.4, 0.2, 0.15];
/// Largest distance of a near miss from the goal, in m.
pub const FARTHEST_NEAR_MISS: f64 = 0.4;

/// The planar arm with a puck and a goal for it.
pub type Push = Tabletop<PuckAndGoal>;

/// The things on the table.
#[derive(Debug, Clone, PartialEq)]
pub struct PuckAndGoal {
    pub(super) puck: Puck,
    pub(super) goal: Place,
}

impl Push {
    /// Place of the puck in m. Planners may not use it.
    pub fn puck(&self) -> Place {
        self.task.puck.place
    }

    /// Place of the goal in m. Planners may not use it.
    pub fn goal(&self) -> Place {
        self.task.goal
    }
}

impl PuckAndGoal {
    /// Draws both from their box; `None` where the way of the puck is too short or too long.
    pub(super) fn draw_start(
        area: [[f64; 2]; 2],
        way: [f64; 2],
        rng: &mut dyn Rng,
    ) -> Option<Self> {
        let place = place_in(area[0], area[1], rng);
        let drawn = Self {
            puck: Puck { place },
            goal: place_in(area[0], area[1], rng),
        };
        (way[0]..=way[1])
            .contains(&drawn.distance())
            .then_some(drawn)
    }

    /// Distance in m of the puck from the goal.
    pub(super) fn distance(&self) -> f64 {
        distance(self.puck.place, self.goal)
    }
}

impl Task for PuckAndGoal {
    const NAME: &'static str = "push";
    const SHAPE: Shape = Shape::LONG;
    const TIMING: Timing = SLOW;
    const HABITS: Habits = Habits {
        waypoint_share: 0.85,
        dwell_steps: [1, 5],
        patience_steps: 22,
    };
    const EXPERT_STEPS: Option<usize> = Some(20);

    fn start(rng: &mut dyn Rng) -> Option<(Arm, Self)> {
        let arm = random_arm(Self::SHAPE, START_SPREAD_RAD, rng);
        let drawn = Self::draw_start(BOX, START_DISTANCE, rng)?;
        let puck = drawn.puck.place;
        let fits = distance(arm.tip(), puck) >= CONTACT + 0.05
            && shows(&arm, puck)
            && shows(&arm, drawn.goal)
            && on_table(arm.tip(), 0.0);
        fits.then_some((arm, drawn))
    }

    fn moved(&mut self, before: &Arm, now: &Arm, _: f64) {
        self.puck.pushed(before.tip(), now.tip());
    }

    fn puck(&self) -> Option<Puck> {
        Some(self.puck)
    }

    fn draw(&self, _: &Arm, canvas: &mut Canvas<'_>) {
        canvas.disc(self.goal, GOAL_RADIUS, GOAL_COLOUR);
        self.puck.draw(canvas);
    }

    fn solved(&self, _: &Arm) -> bool {
        self.distance() <= TOLERANCE
    }

    fn way_left(&self, arm: &Arm) -> f64 {
        self.distance() + distance(arm.tip(), self.puck.behind(self.goal))
    }

    fn objects(&self) -> Vec<Object> {
        [("puck", self.puck.place), ("goal", self.goal)]
            .map(|(name, place)| Object::at(name, place))
            .to_vec()
    }

    fn put(&mut self, thing: &str, place: Place) -> bool {
        match thing {
            "puck" => self.puck = Puck { place },
            "goal" => self.goal = place,
            _ => return false,
        }
        true
    }

    fn expert(&self, _: &Arm) -> Vec<Stage> {
        vec![Stage::push(self.goal)]
    }

    fn waypoint(&self, arm: &Arm, rng: &mut dyn Rng) -> Vec<Stage> {
        let kind = uniform(rng, 0.0, 1.0);
        if kind < TIP_ONLY_SHARE {
            return vec![anywhere(arm, &Self::SHAPE, rng)];
        }
        if kind < TIP_ONLY_SHARE + AT_PUCK_SHARE {
            return vec![at_puck(arm, &Self::SHAPE, self.puck.place, rng)];
        }
        let target = puck_target(&Self::SHAPE, self.puck.place, self.goal, BOX, rng);
        vec![target.map_or_else(|| anywhere(arm, &Self::SHAPE, rng), Stage::push)]
    }
}

/// Draws a place to which a puck is pushed while data is collected; `None` where hardly any place can be
/// reached by a push.
pub(super) fn puck_target(
    hand: &Shape,
    puck: Place,
    goal: Place,
    area: [[f64; 2]; 2],
    rng: &mut dyn Rng,
) -> Option<Place> {
    const DRAWS: usize = 20;
    let [at, near, through] = GOAL_SHARES;
    let kind = uniform(rng, 0.0, 1.0);
    let fits = |to: Place| {
        on_table(to, PUCK_RADIUS) && distance(puck, to) > 0.1 && can_push(hand, puck, to)
    };
    if kind < at && fits(goal) {
        return Some(goal);
    }
    (0..DRAWS)
        .map(|_| {
            if (at..at + near).contains(&kind) {
                beside(goal, [TOLERANCE, FARTHEST_NEAR_MISS], rng)
            } else if (at + near..at + near + through).contains(&kind) {
                along(goal, direction(puck, goal), uniform(rng, 0.1, 0.4))
            } else {
                place_in(area[0], area[1], rng)
            }
        })
        .find(|to| fits(*to))
}
