//! How bags are read, and what is read of them.

use std::path::PathBuf;

use latco_bag::recording::Wanted;
use latco_models::ActionKind;

/// One episode on the control period; all arrays row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Episode {
    /// Number given by the recorder, -1 for what stands before the first mark.
    pub number: i64,
    /// Time of the first frame, ns.
    pub start_ns: i64,
    /// RGB, `[T, height, width, 3]`.
    pub images: Vec<u8>,
    /// Positions, then velocities, `[T, 2 nj]`, rad and rad/s, not normalised.
    pub joints: Vec<f32>,
    /// `[T, na]`, commands divided by the action scale; `actions[t]` follows observation `t`.
    pub actions: Vec<f32>,
    /// `[T]`, reward of observation `t`.
    pub rewards: Vec<f32>,
}

impl Episode {
    /// Number of frames `T`.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }
}

/// How bags are read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// Time between two frames of an episode, s.
    pub control_period_s: f64,
    /// Width and height of the images, pixels; `None` keeps the size of the first bag.
    pub image_size: Option<(u32, u32)>,
    /// Topics and joints, in the order of the model.
    pub topics: Wanted,
    /// Command that an action of 1 stands for, per action (rad/s for joint velocities); empty means 1.
    pub action_scale: Vec<f32>,
    /// Kind of each action; empty if all are joint velocities.
    pub action_kinds: Vec<ActionKind>,
    /// Shorter episodes are left out, frames.
    pub min_frames: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            control_period_s: 0.1,
            image_size: None,
            topics: Wanted::default(),
            action_scale: Vec::new(),
            action_kinds: Vec::new(),
            min_frames: 2,
        }
    }
}

/// What the episodes of one robot have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Columns of the images, pixels.
    pub width: usize,
    /// Rows of the images, pixels.
    pub height: usize,
    /// Joints in the order of [`Episode::joints`]; empty without joints.
    pub joint_names: Vec<String>,
    /// Values per action.
    pub action_width: usize,
}

/// Takes episodes one at a time, so that not all of them need be in memory.
pub trait EpisodeSink {
    /// Takes one episode.
    ///
    /// # Errors
    /// Where it cannot be stored, which ends the reading.
    fn add(&mut self, shape: &Shape, episode: Episode) -> std::io::Result<()>;

    /// The bag of the episodes added last is at its end, and they stay.
    fn keep(&mut self);

    /// The bag of the episodes added last turned out to be unusable: those since the last
    /// [`Self::keep`] are dropped.
    ///
    /// # Errors
    /// As for [`Self::add`].
    fn forget(&mut self) -> std::io::Result<()>;
}

/// What became of one bag.
#[derive(Debug, Clone, PartialEq)]
pub struct BagReport {
    /// The bag.
    pub bag: PathBuf,
    /// Episodes taken from it.
    pub episodes: usize,
    /// Frames taken from it.
    pub frames: usize,
    /// What was wrong; the bag was left out where it has no frames.
    pub problems: Vec<String>,
}
