//! Lottery: two goals of which one can be chosen, by bringing the tip to it. Top pays 1. Bottom pays 20
//! with a chance of 65 % and -40 otherwise, which is -1 on the mean (figure 7 of Rybkin et al. 2021): a
//! planner that hopes, or plans for the mean state, prefers it wrongly.
//!
//! The reward is paid in every control period from the tip's arrival until it leaves the goal; the
//! picture shows which goal pays and how much. Then both goals are dark and nothing is paid any more.
//! What Bottom will pay is decided by the seed of the episode and shown nowhere before.

use rand::Rng;

use super::{anywhere, beside, decoy, random_arm};
use crate::arm::{Arm, Posture, Shape};
use crate::noise::uniform;
use crate::plane::{Place, distance, on_table};
use crate::render::{Canvas, Colour};
use crate::robot::{Habits, Object};
use crate::scene::{UNTOUCHED_COLOUR, shows};
use crate::script::Stage;
use crate::steer::{any_quick, fastest};
use crate::tabletop::{SLOW, Tabletop, Task, Timing};

/// What Top pays.
pub const TOP_REWARD: f64 = 1.0;
/// What Bottom pays when it wins.
pub const WIN_REWARD: f64 = 20.0;
/// What Bottom pays otherwise.
pub const LOSS_REWARD: f64 = -40.0;
/// The chance that Bottom wins.
pub const WIN_CHANCE: f64 = 0.65;
/// Distance of the tip at which a goal is chosen, m.
pub const TOLERANCE: f64 = 0.15;
/// Distance of the tip at which the chosen goal is left, m.
pub const LEAVING: f64 = 0.2;
/// Radius with which the goals are drawn, m.
pub const GOAL_RADIUS: f64 = 0.2;
/// Where Top always is, m: what is uncertain is what Bottom pays, not where the goals are.
pub const TOP: Place = [0.0, 0.25];
/// Where Bottom always is, m.
pub const BOTTOM: Place = [0.0, -0.35];
/// Least distance of the tip from both goals at the start, m.
pub const LEAST_DISTANCE: f64 = 0.35;
/// Both goals are reached in about the same time: neither takes longer than the other by more than
/// this factor.
pub const LARGEST_TIME_RATIO: f64 = 1.6;
/// Start angles are drawn uniformly up to this far from straight up, rad.
pub const START_SPREAD_RAD: Posture = [1.2, 1.8, 1.8];
/// Colour of Top while a choice is left.
pub const TOP_COLOUR: Colour = [40, 225, 235];
/// Colour of Bottom while a choice is left.
pub const BOTTOM_COLOUR: Colour = UNTOUCHED_COLOUR;
/// Colour of Top while it pays.
pub const PAID_COLOUR: Colour = [255, 255, 255];
/// Colour of Bottom while it pays [`WIN_REWARD`].
pub const WIN_COLOUR: Colour = [150, 255, 60];
/// Colour of Bottom while it pays [`LOSS_REWARD`].
pub const LOSS_COLOUR: Colour = [255, 20, 20];
/// Colour of both goals when nothing is left to choose.
pub const SPENT_COLOUR: Colour = [85, 90, 100];
/// Radius with which a goal is drawn while it pays, m.
pub const PAYING_RADIUS: f64 = 0.3;
/// Shares of the way-points: Top and Bottom, equally often; beside one of them. The rest goes
/// anywhere.
pub const SHARES: [f64; 3] = [0.3, 0.3, 0.2];

/// The planar arm with two goals.
pub type Lottery = Tabletop<TopAndBottom>;

/// One of the goals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Pays 1.
    Top,
    /// Pays 20 or -40.
    Bottom,
}

impl Choice {
    /// Where it is, m.
    pub const fn place(self) -> Place {
        match self {
            Self::Top => TOP,
            Self::Bottom => BOTTOM,
        }
    }
}

/// What is on the table.
#[derive(Debug, Clone, PartialEq)]
pub struct TopAndBottom {
    /// Whether Bottom would win.
    wins: bool,
    chosen: Option<Choice>,
    /// Whether the tip has not left it since.
    stays: bool,
}

impl Lottery {
    /// Which goal was chosen, if any.
    pub fn chosen(&self) -> Option<Choice> {
        self.task.chosen
    }
}

impl TopAndBottom {
    /// Whether the tip is still at the goal that was chosen.
    fn pays(&self) -> bool {
        self.chosen.is_some() && self.stays
    }
}

/// Moves the tip to a goal on a way that takes hardly longer than the fastest.
fn quick(arm: &Arm, choice: Choice, rng: &mut dyn Rng) -> Stage {
    let found = any_quick(&arm.positions, &TopAndBottom::SHAPE, choice.place(), rng);
    Stage::Move(found.expect("goals are within reach"))
}

impl Task for TopAndBottom {
    const NAME: &'static str = "lottery";
    const SHAPE: Shape = Shape::LONG;
    const TIMING: Timing = SLOW;
    const HABITS: Habits = Habits {
        waypoint_share: 0.85,
        dwell_steps: [1, 8],
        patience_steps: 25,
    };
    const EXPERT_STEPS: Option<usize> = Some(20);

    fn start(rng: &mut dyn Rng) -> Option<(Arm, Self)> {
        let arm = random_arm(Self::SHAPE, START_SPREAD_RAD, rng);
        let wins = uniform(rng, 0.0, 1.0) < WIN_CHANCE;
        let (_, to_top_s) = fastest(&arm.positions, &Self::SHAPE, TOP)?;
        let (_, to_bottom_s) = fastest(&arm.positions, &Self::SHAPE, BOTTOM)?;
        let tip = arm.tip();
        let fits = to_top_s <= LARGEST_TIME_RATIO * to_bottom_s
            && to_bottom_s <= LARGEST_TIME_RATIO * to_top_s
            && distance(tip, TOP) >= LEAST_DISTANCE
            && distance(tip, BOTTOM) >= LEAST_DISTANCE
            && shows(&arm, TOP)
            && shows(&arm, BOTTOM)
            && on_table(tip, 0.0);
        fits.then_some((
            arm,
            Self {
                wins,
                chosen: None,
                stays: true,
            },
        ))
    }

    fn moved(&mut self, _: &Arm, now: &Arm, _: f64) {
        let away = |place| distance(now.tip(), place);
        if let Some(choice) = self.chosen {
            self.stays &= away(choice.place()) <= LEAVING;
        } else if away(TOP) <= TOLERANCE {
            self.chosen = Some(Choice::Top);
        } else if away(BOTTOM) <= TOLERANCE {
            self.chosen = Some(Choice::Bottom);
        }
    }

    fn draw(&self, _: &Arm, canvas: &mut Canvas<'_>) {
        let (mut top, mut bottom) = match self.chosen {
            None => ((TOP_COLOUR, GOAL_RADIUS), (BOTTOM_COLOUR, GOAL_RADIUS)),
            Some(_) => ((SPENT_COLOUR, GOAL_RADIUS), (SPENT_COLOUR, GOAL_RADIUS)),
        };
        if self.pays() {
            match self.chosen {
                Some(Choice::Top) => top = (PAID_COLOUR, PAYING_RADIUS),
                Some(Choice::Bottom) if self.wins => bottom = (WIN_COLOUR, PAYING_RADIUS),
                Some(Choice::Bottom) => bottom = (LOSS_COLOUR, PAYING_RADIUS),
                None => {}
            }
        }
        canvas.disc(TOP, top.1, top.0);
        canvas.disc(BOTTOM, bottom.1, bottom.0);
    }

    fn sparse_reward(&self, _: &Arm) -> f64 {
        match self.chosen.filter(|_| self.pays()) {
            None => 0.0,
            Some(Choice::Top) => TOP_REWARD,
            Some(Choice::Bottom) if self.wins => WIN_REWARD,
            Some(Choice::Bottom) => LOSS_REWARD,
        }
    }

    /// What is paid, less the way to Top while a choice is left.
    fn dense_reward(&self, arm: &Arm) -> f64 {
        self.sparse_reward(arm) - self.way_left(arm)
    }

    /// Whether Top was chosen: what is best on the mean.
    fn solved(&self, _: &Arm) -> bool {
        self.chosen == Some(Choice::Top)
    }

    /// To Top while a choice is left.
    fn way_left(&self, arm: &Arm) -> f64 {
        if self.chosen.is_none() {
            distance(arm.tip(), TOP)
        } else {
            0.0
        }
    }

    fn objects(&self) -> Vec<Object> {
        vec![
            Object {
                name: "top",
                place: TOP,
            },
            Object {
                name: "bottom",
                place: BOTTOM,
            },
        ]
    }

    fn expert(&self, arm: &Arm) -> Vec<Stage> {
        let found = fastest(&arm.positions, &Self::SHAPE, TOP);
        vec![Stage::Move(found.expect("goals are within reach").0)]
    }

    fn waypoint(&self, arm: &Arm, rng: &mut dyn Rng) -> Vec<Stage> {
        let [top, bottom, near] = SHARES;
        let kind = uniform(rng, 0.0, 1.0);
        let stage = if kind < top {
            quick(arm, Choice::Top, rng)
        } else if kind < top + bottom {
            quick(arm, Choice::Bottom, rng)
        } else if kind < top + bottom + near {
            let goal = if kind < top + bottom + 0.5 * near {
                TOP
            } else {
                BOTTOM
            };
            let near = |rng: &mut dyn Rng| beside(goal, [TOLERANCE + 0.04, 0.4], rng);
            decoy(arm, &Self::SHAPE, near, rng)
        } else {
            anywhere(arm, &Self::SHAPE, rng)
        };
        vec![stage]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bottom_will_pay_is_shown_only_while_it_pays() {
        let arm = Arm::at_rest(Shape::LONG, [1.0, 0.5, 0.0]);
        let picture = |wins, chosen, stays| {
            let task = TopAndBottom {
                wins,
                chosen,
                stays,
            };
            let mut rgb = vec![0; 32 * 32 * 3];
            task.draw(&arm, &mut Canvas::new(&mut rgb, 32, [0; 3]));
            rgb
        };
        let bottom = Some(Choice::Bottom);
        assert_eq!(picture(true, None, true), picture(false, None, true));
        assert_ne!(picture(true, bottom, true), picture(false, bottom, true));
        assert_eq!(picture(true, bottom, false), picture(false, bottom, false));
        assert_ne!(picture(true, bottom, false), picture(true, None, true));
    }
}
