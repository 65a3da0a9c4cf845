//! What a scripted policy is about to do: a few stages, one after the other, each steered by the
//! true state, so that noise in between is made up for.

use crate::arm::{Arm, Posture, Shape};
use crate::contact::{CONTACT, Puck};
use crate::plane::{Place, between, direction, distance, dot};
use crate::steer::{RUN_UP_M, approach, around_puck, behind, slide};

/// Joints count as arrived within this distance of a posture, rad.
const ARRIVED_RAD: f64 = 0.04;
/// A posture on the way to another one counts as passed within this distance, rad.
const PASSED_RAD: f64 = 0.15;
/// A pushed puck counts as arrived within this distance, m.
const ARRIVED_M: f64 = 0.05;
/// A way around the puck is made anew when the puck has moved this far, m.
const MOVED_M: f64 = 0.03;

/// What to do next.
#[derive(Debug, Clone)]
pub enum Way {
    /// Of an arm.
    Arm(Stages),
    /// Of the head of a gantry: to a place, m, and stay there.
    Head(Place),
}

/// Stages to go through.
#[derive(Debug, Clone)]
pub struct Stages {
    stages: Vec<Stage>,
    at: usize,
}

/// One part of a way.
#[derive(Debug, Clone)]
pub enum Stage {
    /// Move the joints to a posture and stay there.
    Move(Posture),
    /// The same, over as soon as the tip of the arm is near a place.
    Touch {
        /// Where to, m.
        place: Place,
        /// How near, m.
        within: f64,
        /// With the tip at the place.
        posture: Posture,
    },
    /// Push the puck to a place and stand still.
    Push(Push),
}

/// Pushing in progress.
#[derive(Debug, Clone)]
pub struct Push {
    to: Place,
    /// Postures on the way behind the puck, the next one last.
    around: Vec<Posture>,
    /// Where the puck was when that way was made.
    puck: Option<Place>,
    pushing: bool,
}

/// What a script sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) arm: &'a Arm,
    /// The arm with the tool it holds.
    pub(crate) hand: Shape,
    pub(crate) puck: Option<Puck>,
}

impl Stage {
    /// Push the puck to a place from wherever the arm is.
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
            Self::Move(posture) => farthest(view.arm, posture) < ARRIVED_RAD,
            Self::Touch { place, within, .. } => distance(view.arm.tip(), *place) <= *within,
            Self::Push(push) => {
                (view.puck).is_some_and(|puck| distance(puck.place, push.to) < ARRIVED_M)
            }
        }
    }
}

impl Stages {
    /// # Panics
    /// Without a stage.
    pub(crate) fn new(stages: Vec<Stage>) -> Self {
        assert!(!stages.is_empty(), "a way has at least one stage");
        Self { stages, at: 0 }
    }

    /// Whether all stages are through.
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
                approach(view.arm, posture, action);
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
            && (self.around.last()).is_some_and(|next| farthest(view.arm, next) < PASSED_RAD)
        {
            self.around.pop();
        }
        if let Some(next) = self.around.last() {
            approach(view.arm, next, action);
        }
    }
}

/// The largest distance of a joint from a posture, rad.
fn farthest(arm: &Arm, posture: &Posture) -> f64 {
    let pairs = posture.iter().zip(&arm.positions);
    pairs
        .map(|(wanted, q)| (wanted - q).abs())
        .fold(0.0, f64::max)
}
