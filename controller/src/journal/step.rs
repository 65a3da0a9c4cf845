//! One image with what came before it and what came of it, as the journal keeps them.

use serde::{Deserialize, Serialize};

use crate::inputs::JointVec;
use crate::plan::{Decisions, PlanReport};
use crate::time::Time;

/// What the core was told between two images, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It forgot everything; random numbers began again for this episode.
    Reset {
        /// Counts the episodes of the run.
        episode: u64,
    },
    /// A joint state, also one that was refused.
    Joints {
        /// When it was looked at.
        now: Time,
        /// Its stamp.
        stamp: Time,
        /// In rad.
        positions: JointVec,
        /// In rad/s.
        velocities: JointVec,
    },
    /// What the executor sent to the robot.
    Sent {
        /// When.
        time: Time,
        /// In rad/s.
        velocities: JointVec,
    },
}

/// The image of a step, by what tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMark {
    /// Its stamp.
    pub stamp: Time,
    /// When it was looked at.
    pub now: Time,
    /// CRC-32C of the rgb8 pixels that the model was given.
    pub crc32c: u32,
}

impl ImageMark {
    /// CRC-32C of tightly packed rgb8 pixels.
    #[must_use]
    pub fn sum(pixels: &[u8]) -> u32 {
        crc32c::crc32c(pixels)
    }
}

/// What an image led to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether the image stepped the belief; it was refused otherwise.
    pub observed: bool,
    /// Posterior mean after it, `[n]`.
    pub belief: Vec<f32>,
    /// The planner's report, if it planned.
    pub report: Option<PlanReport>,
    /// Whether there is a new plan; if not, what follows is of no meaning.
    pub new_plan: bool,
    /// The plan's actions, `[L, na]`.
    pub actions: Vec<f32>,
    /// CRC-32C of the bits of the plan's states and rewards.
    pub states_crc32c: u32,
}

/// One image with all that came before it since the last step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Counts the steps of a run from 1.
    pub number: u64,
    /// Something between the step before and this one is missing for want of memory: a replay has to
    /// wait for the next reset.
    pub gap: bool,
    /// What came first.
    pub events: Vec<Event>,
    /// The image; none in a step that was closed because it was full of events.
    pub image: Option<ImageMark>,
    /// What the clock decided in the plan.
    pub decisions: Decisions,
    /// What came of it.
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
