//! One image with the events before it and its outcome, as the journal keeps them.

use serde::{Deserialize, Serialize};

use crate::constraints::Middles;
use crate::inputs::JointVec;
use crate::plan::{Decisions, PlanReport};
use crate::safety::{Decision, StopReason};
use crate::time::Time;

/// An event between two images that the core was told of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The core forgot everything; random numbers began again for this episode.
    Reset {
        /// Number of the episode in the run.
        episode: u64,
    },
    /// A joint state, also one that was refused.
    Joints {
        /// Time at which it was looked at.
        now: Time,
        /// Stamp of the joint state.
        stamp: Time,
        /// Positions in rad.
        positions: JointVec,
        /// Velocities in rad/s.
        velocities: JointVec,
    },
    /// A command that the executor sent to the robot.
    Sent {
        /// Time at which it was sent.
        time: Time,
        /// Velocities in rad/s.
        velocities: JointVec,
    },
    /// The executor decided something else about faults than before. The core does not hear of it: what it decides depends on
    /// the commands that were sent.
    Decided {
        /// Time at which it was decided.
        time: Time,
        /// Name of what is done, see [`crate::safety::Action`].
        action: Name,
        /// Name of the most severe reason, see [`crate::safety::StopReason`]; empty without.
        reason: Name,
    },
    /// The regions to keep out of are where this says, from now on.
    Regions {
        /// The middle of each in m, in the order of the configuration.
        middles: Middles,
    },
    /// Plans shall end in this state from now on.
    Goal {
        /// Belief of the goal picture, `[n]`.
        belief: Vec<f32>,
    },
}

/// A name in fixed memory.
type Name = heapless::String<24>;

impl Event {
    /// The event of a decision at `time`.
    pub(crate) fn decided(time: Time, decision: Decision) -> Self {
        let name = |text: &str| text.chars().take(24).collect();
        Self::Decided {
            time,
            action: name(decision.action.name()),
            reason: name(decision.reason.map_or("", StopReason::name)),
        }
    }
}

/// The mark by which the image of a step is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMark {
    /// Stamp of the image.
    pub stamp: Time,
    /// Time at which it was looked at.
    pub now: Time,
    /// CRC-32C of the rgb8 pixels that the model was given.
    pub crc32c: u32,
}

impl ImageMark {
    /// Computes the CRC-32C of tightly packed rgb8 pixels.
    #[must_use]
    pub fn sum(pixels: &[u8]) -> u32 {
        crc32c::crc32c(pixels)
    }
}

/// The outcome of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether the image stepped the belief; it was refused otherwise.
    pub observed: bool,
    /// Posterior mean after the image, `[n]`.
    pub belief: Vec<f32>,
    /// The planner's report, if it planned.
    pub report: Option<PlanReport>,
    /// Whether there is a new plan; if not, what follows has no meaning.
    pub new_plan: bool,
    /// The plan's actions, `[L, na]`.
    pub actions: Vec<f32>,
    /// CRC-32C of the bits of the plan's states and rewards.
    pub states_crc32c: u32,
}

/// One image with all events since the last step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Number of the step in the run, from 1.
    pub number: u64,
    /// Whether something between the step before and this one is missing for want of memory: a replay then
    /// has to wait for the next reset.
    pub gap: bool,
    /// The events that came first.
    pub events: Vec<Event>,
    /// The image; `None` in a step that was closed because it was full of events.
    pub image: Option<ImageMark>,
    /// The clock's decisions in the plan.
    pub decisions: Decisions,
    /// The outcome of the image.
    pub outcome: Outcome,
}

impl Step {
    /// Whether the core forgot everything in this step.
    #[must_use]
    pub fn has_reset(&self) -> bool {
        (self.events.iter()).any(|event| matches!(event, Event::Reset { .. }))
    }
}

/// CRC-32C of the bits of all values.
pub(crate) fn sum_of(parts: [&[f32]; 2]) -> u32 {
    let mut sum = 0;
    let mut bytes = [0; 4 * 64];
    for values in parts.iter().flat_map(|part| part.chunks(64)) {
        for (bytes, value) in bytes.chunks_exact_mut(4).zip(values) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        sum = crc32c::crc32c_append(sum, &bytes[..4 * values.len()]);
    }
    sum
}
