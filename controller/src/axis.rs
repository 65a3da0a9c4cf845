//! What one action commands, in the unit of its kind.

use latco_models::{Action, ActionKind};

use crate::inputs::JointVec;

/// What one action commands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// The kind of the command.
    pub kind: ActionKind,
    /// The joint that is moved, where that is a single one whose state is known.
    pub joint: Option<usize>,
    /// Command per unit of action, in the unit of the kind.
    scale: f64,
}

impl Axis {
    /// Makes the axis of an action of a bundle, which moves `joint`.
    pub(crate) fn new(action: &Action, index: usize, joint: Option<usize>) -> Self {
        Self {
            kind: action.kind(index),
            joint,
            scale: f64::from(action.scale[index]),
        }
    }

    /// The command that a normalised action stands for, in the unit of the kind; of a position, its change.
    #[must_use]
    pub fn command(&self, action: f32) -> f64 {
        self.scale * f64::from(action)
    }

    /// The normalised action that stands for a command in the unit of the kind; 0 where all do.
    #[must_use]
    pub fn action(&self, command: f64) -> f64 {
        if self.scale == 0.0 {
            0.0
        } else {
            command / self.scale
        }
    }

    /// Speed for the action 1 in the unit of the kind by s: that of the joint, or of the change in a control period of `period_s`.
    pub(crate) fn rate(&self, period_s: f64) -> f64 {
        match self.kind {
            ActionKind::JointPosition | ActionKind::JointPositionChange => self.scale / period_s,
            _ => self.scale,
        }
    }

    /// The action between two commands: what was sent last before a control period began, and last before it ended. `mean` is
    /// what was sent in it on average. Where nothing was sent, it is taken that it was where the joints
    /// were when it began (`positions`).
    pub(crate) fn taken(
        &self,
        index: usize,
        mean: f64,
        [before, last]: [Option<&JointVec>; 2],
        positions: Option<&JointVec>,
    ) -> f64 {
        let sent = |commands: Option<&JointVec>| {
            let commands = commands.map(|commands| commands[index]);
            commands.filter(|command| command.is_finite())
        };
        let position = self.joint.zip(positions).map(|(joint, all)| all[joint]);
        match self.kind {
            ActionKind::JointPosition | ActionKind::JointPositionChange => {
                match (sent(before).or(position), sent(last)) {
                    (Some(before), Some(last)) => self.action(last - before),
                    _ => 0.0,
                }
            }
            _ => self.action(mean),
        }
    }
}
