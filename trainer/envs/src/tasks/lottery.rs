//! Lottery: two goals of which one can be chosen, by bringing the head of a gantry to it with continuous x-y actions. Top
//! pays 1. Bottom pays 20 with a chance of 65 % and -40 otherwise, which is -1 on the mean (figure 7 of Rybkin et al.
//! 2021): a planner that hopes, or plans for the mean state, prefers it wrongly.
//!
//! The reward is paid in every control period from the head's arrival until it leaves the goal; the
//! picture shows which goal pays and how much. Then both goals are dark and nothing is paid any more.
//! What Bottom will pay is decided by the seed of the episode and shown nowhere before.

use rand::Rng;

use super::beside;
use crate::gantry::{Gantry, JOINT_NAMES, JOINTS, LIMITS, MAX_VELOCITY};
use crate::motion;
use crate::motion::JointLimits;
use crate::noise::{Stream, generator, uniform};
use crate::plane::{Place, distance};
use crate::render::{Canvas, Colour};
use crate::reward::RewardKind;
use crate::robot::{Habits, Object, Robot};
use crate::scene::{BACKGROUND, UNTOUCHED_COLOUR};
use crate::script::Way;
use crate::tabletop::SLOW;

/// Name of the gantry's head in [`Robot::put`].
pub const HEAD: &str = "head";
/// Reward of Top.
pub const TOP_REWARD: f64 = 1.0;
/// Reward of Bottom when it wins.
pub const WIN_REWARD: f64 = 20.0;
/// Reward of Bottom when it loses.
pub const LOSS_REWARD: f64 = -40.0;
/// Chance that Bottom wins.
pub const WIN_CHANCE: f64 = 0.65;
/// Distance in m of the head at which a goal is chosen.
pub const TOLERANCE: f64 = 0.15;
/// Distance in m of the head at which the chosen goal is left.
pub const LEAVING: f64 = 0.2;
/// Radius with which the goals are drawn, in m.
pub const GOAL_RADIUS: f64 = 0.2;
/// Place of Top in m, in every episode: what is uncertain is what Bottom pays, not where the goals are.
pub const TOP: Place = [0.0, 0.45];
/// Place of Bottom in m, in every episode.
pub const BOTTOM: Place = [0.0, -0.45];
/// Start of the head: drawn uniformly up to this far from the middle of the table along each axis, in m.
pub const START_SPREAD: Place = [0.7, 0.1];
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
/// Radius with which a goal is drawn while it pays, in m.
pub const PAYING_RADIUS: f64 = 0.3;
/// Shares of the way-points: Top and Bottom, equally often; beside one of them. The rest goes
/// anywhere.
pub const SHARES: [f64; 3] = [0.3, 0.3, 0.2];
/// The way in which data is collected.
const HABITS: Habits = Habits {
    waypoint_share: 0.85,
    dwell_steps: [1, 8],
    patience_steps: 25,
};
/// Distance in m within which a way-point counts as reached.
const ARRIVED_M: f64 = 0.04;

/// One of the goals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The goal that pays 1.
    Top,
    /// The goal that pays 20 or -40.
    Bottom,
}

impl Choice {
    /// Place of the goal in m.
    pub const fn place(self) -> Place {
        match self {
            Self::Top => TOP,
            Self::Bottom => BOTTOM,
        }
    }
}

/// A gantry over a table with two goals.
#[derive(Debug, Clone, PartialEq)]
pub struct Lottery {
    gantry: Gantry,
    goals: TopAndBottom,
    difficulty: f64,
    reward: RewardKind,
    image_size: usize,
}

/// The things on the table.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TopAndBottom {
    /// Whether Bottom would win.
    wins: bool,
    chosen: Option<Choice>,
    /// Whether the head has stayed at the goal since it was chosen.
    stays: bool,
}

impl Lottery {
    /// Makes the robot with a camera of `image_size x image_size` pixels, reset with seed 0.
    pub fn new(image_size: usize) -> Self {
        let mut lottery = Self {
            gantry: Gantry::at_rest([0.0; JOINTS]),
            goals: TopAndBottom::open(false),
            difficulty: 0.0,
            reward: RewardKind::Sparse,
            image_size,
        };
        lottery.reset(0);
        lottery
    }

    /// The goal that was chosen, if any.
    pub fn chosen(&self) -> Option<Choice> {
        self.goals.chosen
    }

    /// The gantry of the robot.
    pub fn gantry(&self) -> &Gantry {
        &self.gantry
    }

    /// Length in m of the way to Top, while a choice is left.
    fn way_left(&self) -> f64 {
        match self.goals.chosen {
            None => self.gantry.distance(TOP),
            Some(_) => 0.0,
        }
    }
}

impl TopAndBottom {
    /// The state in which both goals can be chosen.
    fn open(wins: bool) -> Self {
        Self {
            wins,
            chosen: None,
            stays: true,
        }
    }

    /// Whether the head is still at the goal that was chosen.
    fn pays(&self) -> bool {
        self.chosen.is_some() && self.stays
    }

    /// Tells the task that the head moved to a place.
    fn moved(&mut self, head: Place) {
        let away = |place| distance(head, place);
        if let Some(choice) = self.chosen {
            self.stays &= away(choice.place()) <= LEAVING;
        } else if away(TOP) <= TOLERANCE {
            self.chosen = Some(Choice::Top);
        } else if away(BOTTOM) <= TOLERANCE {
            self.chosen = Some(Choice::Bottom);
        }
    }

    fn reward(&self) -> f64 {
        match self.chosen.filter(|_| self.pays()) {
            None => 0.0,
            Some(Choice::Top) => TOP_REWARD,
            Some(Choice::Bottom) if self.wins => WIN_REWARD,
            Some(Choice::Bottom) => LOSS_REWARD,
        }
    }

    fn draw(&self, canvas: &mut Canvas<'_>) {
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
}

impl Robot for Lottery {
    fn task(&self) -> &str {
        "lottery"
    }

    fn joint_names(&self) -> &[&str] {
        &JOINT_NAMES
    }

    fn limits(&self) -> &[JointLimits] {
        &LIMITS
    }

    fn action_scale(&self) -> &[f64] {
        &MAX_VELOCITY
    }

    fn control_period_s(&self) -> f64 {
        SLOW.control_period_s
    }

    fn substeps(&self) -> usize {
        SLOW.substeps
    }

    fn episode_steps(&self) -> usize {
        SLOW.episode_steps
    }

    fn image_size(&self) -> usize {
        self.image_size
    }

    fn reset(&mut self, seed: u64) {
        let rng = &mut generator(seed, Stream::Episode);
        self.gantry = Gantry::at_rest(START_SPREAD.map(|spread| uniform(rng, -spread, spread)));
        self.goals = TopAndBottom::open(uniform(rng, 0.0, 1.0) < WIN_CHANCE);
        self.difficulty = self.way_left();
    }

    fn advance(&mut self, velocity: &[f64], dt_s: f64) {
        let set_points = velocity.try_into().expect("one set-point per joint");
        for piece_s in motion::pieces(dt_s) {
            self.gantry.advance(set_points, piece_s);
            self.goals.moved(self.gantry.positions);
        }
    }

    fn render(&self, rgb: &mut [u8]) {
        let mut canvas = Canvas::new(rgb, self.image_size, BACKGROUND);
        self.goals.draw(&mut canvas);
        self.gantry.draw(&mut canvas);
    }

    fn positions(&self) -> &[f64] {
        &self.gantry.positions
    }

    fn velocities(&self) -> &[f64] {
        &self.gantry.velocities
    }

    /// Sparse: what is paid. Dense: that, less the way to Top while a choice is left.
    fn reward(&self) -> f64 {
        match self.reward {
            RewardKind::Sparse => self.goals.reward(),
            RewardKind::Dense => self.goals.reward() - self.way_left(),
        }
    }

    fn reward_kind(&self) -> RewardKind {
        self.reward
    }

    fn set_reward_kind(&mut self, kind: RewardKind) {
        self.reward = kind;
    }

    /// Whether Top was chosen, which is best on the mean.
    fn success(&self) -> bool {
        self.goals.chosen == Some(Choice::Top)
    }

    fn difficulty(&self) -> f64 {
        self.difficulty
    }

    fn objects(&self) -> Vec<Object> {
        [("top", TOP), ("bottom", BOTTOM)]
            .map(|(name, place)| Object::at(name, place))
            .to_vec()
    }

    fn put(&mut self, thing: &str, place: Place) -> bool {
        let gantry = Gantry::at_rest(place);
        if thing != HEAD || gantry.positions != place {
            return false;
        }
        self.gantry = gantry;
        self.goals.moved(place);
        true
    }

    fn habits(&self) -> Habits {
        HABITS
    }

    fn expert(&self) -> Way {
        Way::Head(TOP)
    }

    fn waypoint(&self, rng: &mut dyn Rng) -> Way {
        let [top, bottom, near] = SHARES;
        let kind = uniform(rng, 0.0, 1.0);
        Way::Head(if kind < top {
            TOP
        } else if kind < top + bottom {
            BOTTOM
        } else if kind < top + bottom + near {
            let goal = if kind < top + bottom + 0.5 * near {
                TOP
            } else {
                BOTTOM
            };
            beside(goal, [TOLERANCE + 0.04, 0.4], rng)
        } else {
            LIMITS.map(|limit| uniform(rng, limit.lower_rad, limit.upper_rad))
        })
    }

    fn arrived(&self, way: &Way) -> bool {
        matches!(way, Way::Head(place) if self.gantry.distance(*place) < ARRIVED_M)
    }

    fn follow(&self, way: &mut Way, action: &mut [f32]) {
        match way {
            Way::Head(place) => self.gantry.approach(*place, action),
            _ => action.fill(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bottom_will_pay_is_shown_only_while_it_pays() {
        let picture = |wins, chosen, stays| {
            let mut lottery = Lottery::new(32);
            lottery.goals = TopAndBottom {
                wins,
                chosen,
                stays,
            };
            let mut rgb = vec![0; 32 * 32 * 3];
            lottery.render(&mut rgb);
            rgb
        };
        let bottom = Some(Choice::Bottom);
        assert_eq!(picture(true, None, true), picture(false, None, true));
        assert_ne!(picture(true, bottom, true), picture(false, bottom, true));
        assert_eq!(picture(true, bottom, false), picture(false, bottom, false));
        assert_ne!(picture(true, bottom, false), picture(true, None, true));
    }
}
