//! The plan of a scripted policy: a few stages, one after the other, each steered by the true state, so that
//! noise in between is made up for.

use crate::arm::{Arm, Posture, Shape};
use crate::contact::{CONTACT, Puck};
use crate::plane::{Place, between, direction, distance, dot};
use crate::steer::{RUN_UP_M, approach, approach_tip, around_puck, behind, slide};

/// Largest distance in rad of the joints from a posture, or in m of a tip that is driven, at which they count as arrived.
const ARRIVED_RAD: f64 = 0.04;
/// Distance in rad, or of a tip that is driven in m, at which a posture on the way to another one counts as passed.
const PASSED_RAD: f64 = 0.15;
/// Distance in m within which a pushed puck counts as arrived.
const ARRIVED_M: f64 = 0.05;
/// Distance in m that the puck has to move for the way around it to be made anew.
const MOVED_M: f64 = 0.03;

/// What a scripted policy does next.
#[derive(Debug, Clone)]
pub enum Way {
    /// The stages of an arm.
    Arm(Stages),
    /// The place in m to which the head of a gantry goes, and where it stays.
    Head(Place),
    /// Places of the joints (rad or m) to which they go, and where they stay.
    Joints(Vec<f64>),
    /// What the scripted policy of an environment in another process does.
    Scripted,
}

/// Stages that are gone through in turn.
#[derive(Debug, Clone)]
pub struct Stages {
    stages: Vec<Stage>,
    at: usize,
}

/// One part of a way.
#[derive(Debug, Clone)]
pub enum Stage {
    /// Moves the joints to a posture, where they stay.
    Move(Posture),
    /// Moves the joints to a posture, and is over as soon as the tip of the arm is near a place.
    Touch {
        /// Place of the tip in m.
        place: Place,
        /// Largest distance from the place in m.
        within: f64,
        /// Posture with the tip at the place.
        posture: Posture,
    },
    /// Pushes the puck to a place and stands still.
    Push(Push),
}

/// A push that is under way.
#[derive(Debug, Clone)]
pub struct Push {
    to: Place,
    /// Postures on the way behind the puck, the next one last.
    around: Vec<Posture>,
    /// Place of the puck when that way was made.
    puck: Option<Place>,
    pushing: bool,
}

/// The part of the true state that a script sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) arm: &'a Arm,
    /// The arm with the tool that it holds.
    pub(crate) hand: Shape,
    pub(crate) puck: Option<Puck>,
    /// Whether the tip alone is driven, and not each joint.
    pub(crate) by_tip: bool,
}

impl View<'_> {
    /// The largest distance of a joint from a posture in rad; of an arm whose tip is driven, that of the tip in m.
    fn farthest(&self, posture: &Posture) -> f64 {
        if self.by_tip {
            let tip = |posture| self.hand.tip(posture);
            return distance(tip(&self.arm.positions), tip(posture));
        }
        let pairs = posture.iter().zip(&self.arm.positions);
        pairs
            .map(|(wanted, q)| (wanted - q).abs())
            .fold(0.0, f64::max)
    }

    /// Writes the action towards a posture.
    fn approach(&self, posture: &Posture, action: &mut [f32]) {
        if self.by_tip {
            approach_tip(self.arm, &self.hand, posture, action);
        } else {
            approach(self.arm, posture, action);
        }
    }
}

impl Stage {
    /// Pushes the puck to a place from wherever the arm is.
    pub fn push(to: Place) -> Self {
        Self::Push(Push {
            to,
            around: Vec::new(),
            puck: None,
            pushing: false,
        })
    }

    fn arrived(&self, view: &View<'_>) -> bool {
        match self {
            Self::Move(posture) => view.farthest(posture) < ARRIVED_RAD,
            Self::Touch { place, within, .. } => distance(view.arm.tip(), *place) <= *within,
            Self::Push(push) => {
                (view.puck).is_some_and(|puck| distance(puck.place, push.to) < ARRIVED_M)
            }
        }
    }
}

impl Stages {
    /// # Panics
    /// Makes a script of stages.
    pub(crate) fn new(stages: Vec<Stage>) -> Self {
        assert!(!stages.is_empty(), "a way has at least one stage");
        Self { stages, at: 0 }
    }

    /// Whether all stages are done.
    pub(crate) fn arrived(&self, view: &View<'_>) -> bool {
        self.at + 1 == self.stages.len() && self.stages[self.at].arrived(view)
    }

    /// Writes the action for one control period.
    pub(crate) fn follow(&mut self, view: &View<'_>, action: &mut [f32]) {
        while self.at + 1 < self.stages.len() && self.stages[self.at].arrived(view) {
            self.at += 1;
        }
        match &mut self.stages[self.at] {
            Stage::Move(posture) | Stage::Touch { posture, .. } => {
                view.approach(posture, action);
            }
            Stage::Push(push) => push.follow(view, action),
        }
    }
}

impl Push {
    fn follow(&mut self, view: &View<'_>, action: &mut [f32]) {
        action.fill(0.0);
        let Some(puck) = view.puck else { return };
        let left = distance(puck.place, self.to);
        if left < ARRIVED_M {
            self.pushing = false;
            return;
        }
        let ahead = direction(puck.place, self.to);
        let tip = view.hand.tip(&view.arm.positions);
        let gap = between(tip, puck.place);
        let apart = distance(tip, puck.place);
        let aligned = dot(gap, ahead) / apart.max(1e-9);
        self.pushing =
            apart < CONTACT + 2.0 * RUN_UP_M && aligned > if self.pushing { 0.5 } else { 0.85 };
        if self.pushing {
            self.puck = None;
            let left = left + (apart - CONTACT).max(0.0);
            slide(view.arm, &view.hand, ahead, left, action);
        } else {
            self.go_behind(view, puck, action);
        }
    }

    fn go_behind(&mut self, view: &View<'_>, puck: Puck, action: &mut [f32]) {
        let stale = (self.puck).is_none_or(|there| distance(there, puck.place) > MOVED_M);
        if stale {
            let place = behind(puck.place, self.to);
            let from = &view.arm.positions;
            self.around = around_puck(from, &view.hand, puck.place, place).unwrap_or_default();
            self.around.reverse();
            self.puck = Some(puck.place);
        }
        if self.around.len() > 1
            && (self.around.last()).is_some_and(|next| view.farthest(next) < PASSED_RAD)
        {
            self.around.pop();
        }
        if let Some(next) = self.around.last() {
            view.approach(next, action);
        }
    }
}
