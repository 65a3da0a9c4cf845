//! Writing episodes into bags, with the topics that [`super::load`] reads.

use latco_bag::messages::{
    Float64, Float64MultiArray, Header, Image, Int64, JointState, RosMessage, TwistStamped,
};
use latco_bag::{BagError, BagWriter, topics};
use latco_models::ActionKind;

/// The record of one step: an observation and the command that follows it.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Packed RGB image, `[height, width, 3]`.
    pub image: &'a [u8],
    /// Joint positions in rad, `[nj]`; empty when joints are not known.
    pub positions: &'a [f64],
    /// Joint velocities in rad/s, `[nj]`.
    pub velocities: &'a [f64],
    /// Commands that are held until the next step, `[na]`: joint velocities in rad/s, or of the recorder's kinds.
    pub command: &'a [f64],
    /// Reward of the observation; `None` where it is not known.
    pub reward: Option<f64>,
}

/// Writes the steps of episodes into a bag.
pub struct EpisodeRecorder {
    bag: BagWriter,
    width: u32,
    height: u32,
    joint_names: Vec<String>,
    /// Place of each command in a twist; empty where they are of joints.
    twist_axes: Vec<usize>,
}

impl EpisodeRecorder {
    /// Makes a recorder of `width` x `height` pictures and the joints `joint_names` (may be empty).
    ///
    /// # Errors
    /// [`BagError::Write`].
    pub fn new(
        bag: BagWriter,
        width: u32,
        height: u32,
        joint_names: Vec<String>,
    ) -> Result<Self, BagError> {
        Self::of_kinds(bag, (width, height), joint_names, &[])
    }

    /// Makes a recorder of commands of some kinds, one a command; of joints where there are none.
    ///
    /// # Errors
    /// [`BagError::Write`].
    pub fn of_kinds(
        mut bag: BagWriter,
        (width, height): (u32, u32),
        joint_names: Vec<String>,
        kinds: &[ActionKind],
    ) -> Result<Self, BagError> {
        let axes: Option<Vec<usize>> = kinds.iter().map(|kind| kind.twist_axis()).collect();
        let twist_axes = axes.unwrap_or_default();
        bag.announce::<Int64>(topics::EPISODE)?;
        bag.announce::<Image>(topics::CAMERA_IMAGE)?;
        if !joint_names.is_empty() {
            bag.announce::<JointState>(topics::JOINT_STATES)?;
        }
        if twist_axes.is_empty() {
            bag.announce::<Float64MultiArray>(topics::COMMANDS)?;
        } else {
            bag.announce::<TwistStamped>(topics::COMMANDS)?;
        }
        Ok(Self {
            bag,
            width,
            height,
            joint_names,
            twist_axes,
        })
    }

    /// Marks the beginning of an episode at the time of its first step.
    ///
    /// # Errors
    /// [`BagError::Write`], [`BagError::NegativeTime`].
    pub fn begin(&mut self, number: i64, time_ns: i64) -> Result<(), BagError> {
        self.write(topics::EPISODE, time_ns, &Int64 { data: number })
    }

    /// Records how far from solved the episode begins, at the time of its first step.
    ///
    /// # Errors
    /// [`BagError::Write`], [`BagError::NegativeTime`].
    pub fn difficulty(&mut self, time_ns: i64, difficulty: f64) -> Result<(), BagError> {
        self.write(topics::DIFFICULTY, time_ns, &Float64 { data: difficulty })
    }

    /// Records one step.
    ///
    /// # Errors
    /// [`BagError::Write`], [`BagError::NegativeTime`].
    pub fn step(&mut self, time_ns: i64, step: &Step<'_>) -> Result<(), BagError> {
        let header = Header::new(time_ns, "camera");
        let image = Image::rgb8(header, self.width, self.height, step.image.to_vec());
        self.write(topics::CAMERA_IMAGE, time_ns, &image)?;
        if !self.joint_names.is_empty() {
            let joints = JointState {
                header: Header::new(time_ns, ""),
                name: self.joint_names.clone(),
                position: step.positions.to_vec(),
                velocity: step.velocities.to_vec(),
                effort: Vec::new(),
            };
            self.write(topics::JOINT_STATES, time_ns, &joints)?;
        }
        if let Some(data) = step.reward {
            self.write(topics::REWARD, time_ns, &Float64 { data })?;
        }
        if !self.twist_axes.is_empty() {
            let mut twist = [0.0; 6];
            for (axis, value) in self.twist_axes.iter().zip(step.command) {
                twist[*axis] = *value;
            }
            let command = TwistStamped {
                header: Header::new(time_ns, ""),
                twist: twist.into(),
            };
            return self.write(topics::COMMANDS, time_ns, &command);
        }
        let command = Float64MultiArray::vector(step.command.to_vec());
        self.write(topics::COMMANDS, time_ns, &command)
    }

    /// Completes the bag.
    ///
    /// # Errors
    /// [`BagError::Write`], [`BagError::Io`].
    pub fn finish(self) -> Result<latco_bag::BagSummary, BagError> {
        self.bag.finish()
    }

    fn write<M: RosMessage>(
        &mut self,
        topic: &str,
        time_ns: i64,
        message: &M,
    ) -> Result<(), BagError> {
        self.bag.write(topic, time_ns, message)
    }
}
