//! Key: touch the button, which lights up and stays lit, then bring the tip to the goal. The reward is
//! 1 at the goal while the button is lit and 0 elsewhere.
//!
//! The goal is dark until the button is lit, so that a look at the picture tells whether it counts.

use rand::Rng;

use super::{anywhere, beside, decoy, place_in, random_arm};
use crate::arm::{Arm, Posture, Shape};
use crate::noise::uniform;
use crate::plane::{Place, distance, on_table};
use crate::render::{Canvas, Colour};
use crate::robot::{Habits, Object};
use crate::scene::{GOAL_COLOUR, TOUCHED_COLOUR, UNTOUCHED_COLOUR, shows};
use crate::script::Stage;
use crate::steer::{any_quick, fastest};
use crate::tabletop::{SLOW, Tabletop, Task, Timing};

/// Radius of the button in m; it is touched when the middle of the tip is above it.
pub const BUTTON_RADIUS: f64 = 0.17;
/// Distance in m from the middle of the button within which the expert touches it. An expert that only grazes
/// it spoils the data: a few centimetres, too little to be seen, would decide whether it lights up.
pub const PRESS_WITHIN: f64 = 0.06;
/// Distance in m of the tip from the goal below which the task is solved, once the button is lit.
pub const TOLERANCE: f64 = 0.12;
/// Radius with which the goal is drawn, in m.
pub const GOAL_RADIUS: f64 = 0.2;
/// The box from which places of button and goal are drawn, x and y in m.
pub const BOX: [[f64; 2]; 2] = [[-0.8, 0.8], [-0.3, 0.45]];
/// Least distance between tip, button and goal at the start, in m.
pub const LEAST_DISTANCE: f64 = 0.45;
/// Start angles are drawn uniformly up to this far from straight up, in rad.
pub const START_SPREAD_RAD: Posture = [0.9, 1.4, 1.4];
/// Colour of the button before it is touched.
pub const UNLIT_COLOUR: Colour = UNTOUCHED_COLOUR;
/// Colour of the lit button.
pub const LIT_COLOUR: Colour = TOUCHED_COLOUR;
/// Colour of the goal before it counts.
pub const DARK_GOAL_COLOUR: Colour = [110, 20, 40];
/// Shares of the way-points: both in order; the goal alone; the button alone; beside the goal;
/// beside the button without touching it. The rest goes anywhere.
pub const SHARES: [f64; 5] = [0.35, 0.15, 0.1, 0.15, 0.1];

/// The planar arm with a button and a goal.
pub type Key = Tabletop<ButtonAndGoal>;

/// The things on the table.
#[derive(Debug, Clone, PartialEq)]
pub struct ButtonAndGoal {
    button: Place,
    goal: Place,
    lit: bool,
}

impl Key {
    /// Place of the button in m. Planners may not use it.
    pub fn button(&self) -> Place {
        self.task.button
    }

    /// Place of the goal in m. Planners may not use it.
    pub fn goal(&self) -> Place {
        self.task.goal
    }

    /// Whether the button was touched. Planners may not use it: they have to see it in the picture.
    pub fn lit(&self) -> bool {
        self.task.lit
    }
}

impl ButtonAndGoal {
    fn press(&self, posture: Posture) -> Stage {
        Stage::Touch {
            place: self.button,
            within: PRESS_WITHIN,
            posture,
        }
    }
}

impl Task for ButtonAndGoal {
    const NAME: &'static str = "key";
    const SHAPE: Shape = Shape::LONG;
    const TIMING: Timing = SLOW;
    const HABITS: Habits = Habits {
        waypoint_share: 0.85,
        dwell_steps: [1, 5],
        patience_steps: 30,
    };
    const EXPERT_STEPS: Option<usize> = Some(20);

    fn start(rng: &mut dyn Rng) -> Option<(Arm, Self)> {
        let arm = random_arm(Self::SHAPE, START_SPREAD_RAD, rng);
        let button = place_in(BOX[0], BOX[1], rng);
        let goal = place_in(BOX[0], BOX[1], rng);
        let tip = arm.tip();
        let apart = [(tip, button), (tip, goal), (button, goal)]
            .iter()
            .all(|(a, b)| distance(*a, *b) >= LEAST_DISTANCE);
        let reached = |place| fastest(&arm.positions, &Self::SHAPE, place).is_some();
        let fits = apart
            && on_table(tip, 0.0)
            && [button, goal]
                .iter()
                .all(|p| reached(*p) && shows(&arm, *p));
        fits.then_some((
            arm,
            Self {
                button,
                goal,
                lit: false,
            },
        ))
    }

    fn moved(&mut self, _: &Arm, now: &Arm, _: f64) {
        self.lit |= distance(now.tip(), self.button) <= BUTTON_RADIUS;
    }

    fn draw(&self, _: &Arm, canvas: &mut Canvas<'_>) {
        let (button, goal) = if self.lit {
            (LIT_COLOUR, GOAL_COLOUR)
        } else {
            (UNLIT_COLOUR, DARK_GOAL_COLOUR)
        };
        canvas.disc(self.goal, GOAL_RADIUS, goal);
        canvas.disc(self.button, BUTTON_RADIUS, button);
    }

    fn solved(&self, arm: &Arm) -> bool {
        self.lit && distance(arm.tip(), self.goal) <= TOLERANCE
    }

    fn way_left(&self, arm: &Arm) -> f64 {
        if self.lit {
            distance(arm.tip(), self.goal)
        } else {
            distance(arm.tip(), self.button) + distance(self.button, self.goal)
        }
    }

    fn objects(&self) -> Vec<Object> {
        [("button", self.button), ("goal", self.goal)]
            .map(|(name, place)| Object::at(name, place))
            .to_vec()
    }

    fn expert(&self, arm: &Arm) -> Vec<Stage> {
        let quickest = |from: &Posture, to| {
            let found = fastest(from, &Self::SHAPE, to);
            found.expect("button and goal are drawn within reach").0
        };
        if self.lit {
            return vec![Stage::Move(quickest(&arm.positions, self.goal))];
        }
        let pressing = quickest(&arm.positions, self.button);
        vec![
            self.press(pressing),
            Stage::Move(quickest(&pressing, self.goal)),
        ]
    }

    fn waypoint(&self, arm: &Arm, rng: &mut dyn Rng) -> Vec<Stage> {
        let [both, goal, button, near_goal, near_button] = SHARES;
        let quick = |from: &Posture, to, rng: &mut dyn Rng| {
            let found = any_quick(from, &Self::SHAPE, to, rng);
            found.expect("button and goal are drawn within reach")
        };
        let here = &arm.positions;
        let mut kind = uniform(rng, 0.0, 1.0);
        let mut is = |share: f64| {
            kind -= share;
            kind < 0.0
        };
        if is(both) {
            let pressing = quick(here, self.button, rng);
            vec![
                self.press(pressing),
                Stage::Move(quick(&pressing, self.goal, rng)),
            ]
        } else if is(goal) {
            vec![Stage::Move(quick(here, self.goal, rng))]
        } else if is(button) {
            vec![Stage::Move(quick(here, self.button, rng))]
        } else if is(near_goal) {
            let near = |rng: &mut dyn Rng| beside(self.goal, [TOLERANCE + 0.02, 0.4], rng);
            vec![decoy(arm, &Self::SHAPE, near, rng)]
        } else if is(near_button) {
            let near = |rng: &mut dyn Rng| beside(self.button, [BUTTON_RADIUS + 0.04, 0.4], rng);
            vec![decoy(arm, &Self::SHAPE, near, rng)]
        } else {
            vec![anywhere(arm, &Self::SHAPE, rng)]
        }
    }
}
