//! A recording of a robot: camera images, joint states and what the robot was told to do, whatever the topics are called
//! and whoever published them. Training, labelling and `latco plan` read bags through it, so that all see the same.
//!
//! ```
//! use std::ops::ControlFlow;
//! use latco_bag::messages::Int64;
//! use latco_bag::recording::{Event, Needs, Recording, Wanted};
//! use latco_bag::{BagWriter, topics};
//!
//! # let folder = std::env::temp_dir().join(format!("latco-recording-doc-{}", std::process::id()));
//! # let _ = std::fs::remove_dir_all(&folder);
//! let mut bag = BagWriter::create(&folder)?;
//! bag.write(topics::EPISODE, 7, &Int64 { data: 3 })?;
//! bag.finish()?;
//!
//! let recording = Recording::open(&folder, &Wanted::default(), Needs::default())?;
//! let mut numbers = Vec::new();
//! recording.events(|event| -> Result<_, latco_bag::BagError> {
//!     if let Event::Episode { number, .. } = event {
//!         numbers.push(number);
//!     }
//!     Ok(ControlFlow::Continue(()))
//! })?;
//! assert_eq!(numbers, [3]);
//! # std::fs::remove_dir_all(&folder).expect("the example made it");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod choice;
mod commands;
mod joint_names;
mod stamps;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

pub use choice::{Actions, COMMANDS, ChoiceError, IMAGES, Keys, Wanted, described};
use commands::Commands;
pub use stamps::Stamps;

use crate::error::BagError;
use crate::image::CameraImage;
use crate::joints::{Joined, JointStates, RECORDED_AGE_NS};
use crate::messages::{
    Float64, Float64MultiArray, FollowerState, Int64, JointState, JointTrajectory, RosMessage,
    TwistStamped,
};
use crate::reader::{BagMessage, BagReader, TopicInfo};
use crate::topics;

/// Whether a command reads something of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Need {
    /// It is not looked for.
    #[default]
    No,
    /// It is read where it is there.
    May,
    /// A recording without it is refused.
    Must,
}

/// What a command reads of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Camera images.
    pub images: Need,
    /// Joint states, unless no joints are wanted. Those that are named, or that actions are made of, must be there.
    pub joints: Need,
    /// Commands, unless the actions are differences of joint positions.
    pub commands: Need,
}

/// The reason why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The bag cannot be read.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// A topic that is needed is not there, or not clear.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
}

/// Something that was recorded. Times are in nanoseconds, by the rule of [`Stamps`].
#[derive(Debug)]
pub enum Event<'a> {
    /// A camera image, not yet checked.
    Image {
        /// Time of exposure.
        time_ns: i64,
        /// The image.
        image: CameraImage,
    },
    /// A sample of all joints.
    Joints {
        /// Time of the measurement.
        time_ns: i64,
        /// Positions, `[joints]`.
        positions: &'a [f32],
        /// Velocities, `[joints]`.
        velocities: &'a [f32],
    },
    /// What the robot was told to do until the next. Where the command names joints, or was found from where they were, it is their
    /// velocities `[joints]`; else the numbers of the message, of a twist all six ([`Recording::sends_numbers`]).
    Sent {
        /// Time from which they hold; never before that of the last.
        time_ns: i64,
        /// Velocities in rad/s, or the numbers of the message.
        velocities: Vec<f64>,
    },
    /// An episode begins.
    Episode {
        /// Time of the mark.
        time_ns: i64,
        /// Number of the episode.
        number: i64,
    },
    /// The reward of the image of this time.
    Reward {
        /// Time of recording.
        time_ns: i64,
        /// The reward.
        value: f64,
    },
    /// A message of another topic.
    Other(&'a BagMessage),
}

/// Name and type of a topic.
type Route = (String, String);

fn route(topic: &TopicInfo) -> Route {
    (topic.name.clone(), topic.type_name.clone())
}

fn is(route: Option<&Route>, message: &BagMessage) -> bool {
    route.is_some_and(|(name, ty)| *name == *message.topic && *ty == *message.type_name)
}

/// A bag, and which of its topics are what.
#[derive(Debug)]
pub struct Recording {
    bag: BagReader,
    camera: Option<Route>,
    joint_states: Option<Route>,
    commands: Option<Route>,
    joints: Vec<String>,
    actions: Actions,
    remarks: Vec<String>,
}

impl Recording {
    /// Opens a bag and chooses its topics.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn open(bag: &Path, wanted: &Wanted, needs: Needs) -> Result<Self, RecordingError> {
        let bag = BagReader::open(bag)?;
        let mut remarks: Vec<String> = bag.left_out().iter().map(ToString::to_string).collect();
        let differences = wanted.actions == Actions::Differences && needs.commands != Need::No;
        let joints = match &wanted.joints {
            Some(names) if names.is_empty() => Need::No,
            _ if differences => Need::Must,
            Some(_) if needs.joints != Need::No => Need::Must,
            _ => needs.joints,
        };
        let commands = if differences {
            Need::No
        } else {
            needs.commands
        };
        let mut look = |need, choose: &dyn Fn() -> Result<Route, ChoiceError>| match need {
            Need::No => Ok(None),
            Need::Must => choose().map(Some),
            Need::May => match choose() {
                Ok(found) => Ok(Some(found)),
                Err(error) => {
                    if matches!(error, ChoiceError::Several { .. }) {
                        remarks.push(error.to_string());
                    }
                    Ok(None)
                }
            },
        };
        let camera = look(needs.images, &|| wanted.camera(&bag).map(route))?;
        let joint_states = look(joints, &|| wanted.joint_states(&bag).map(route))?;
        let commands = look(commands, &|| wanted.commands(&bag).map(route))?;
        for (name, ty) in [
            (topics::EPISODE, Int64::TYPE),
            (topics::REWARD, Float64::TYPE),
        ] {
            let named = |topic: &&TopicInfo| topics::matches(&topic.name, name);
            for other in bag
                .topics()
                .iter()
                .filter(named)
                .filter(|t| t.type_name != ty)
            {
                let found = &other.type_name;
                remarks.push(format!(
                    "topic `{name}`: expected type {ty}, found {found}: not used"
                ));
            }
        }
        let mut recording = Self {
            camera,
            joint_states,
            commands,
            joints: Vec::new(),
            actions: wanted.actions,
            remarks,
            bag,
        };
        recording.joints = match &wanted.joints {
            Some(names) => names.clone(),
            None => recording.find_joints(),
        };
        Ok(recording)
    }

    /// The bag.
    pub fn bag(&self) -> &BagReader {
        &self.bag
    }

    /// The joints in their order; empty where there are no joint states.
    pub fn joints(&self) -> &[String] {
        &self.joints
    }

    /// Whether joint states are read.
    pub fn has_joints(&self) -> bool {
        self.joint_states.is_some()
    }

    /// Whether a message is of the camera.
    pub fn is_image(&self, message: &BagMessage) -> bool {
        is(self.camera.as_ref(), message)
    }

    /// Whether commands are read.
    pub fn has_commands(&self) -> bool {
        self.commands.is_some()
    }

    /// Whether commands are numbers whose meaning the message does not tell, and not velocities of joints.
    pub fn sends_numbers(&self) -> bool {
        let types = [Float64MultiArray::TYPE, TwistStamped::TYPE];
        (self.commands.as_ref()).is_some_and(|(_, ty)| types.contains(&&**ty))
    }

    /// Name of the camera's topic.
    pub fn camera(&self) -> Option<&str> {
        self.camera.as_ref().map(|(name, _)| name.as_str())
    }

    /// The joints of the recording, where the user names none.
    fn find_joints(&self) -> Vec<String> {
        let mut seen = joint_names::Seen::default();
        let (states, commands) = (self.joint_states.is_some(), self.commands.is_some());
        for message in self.bag.messages().filter_map(Result::ok) {
            if is(self.joint_states.as_ref(), &message) {
                if let Ok(state) = message.decode::<JointState>() {
                    seen.joint_state(&state.name);
                }
            } else if is(self.commands.as_ref(), &message) {
                if let Ok(command) = message.decode::<Float64MultiArray>() {
                    seen.command(command.data.len());
                } else if let Ok(trajectory) = message.decode::<JointTrajectory>() {
                    seen.named_command(&trajectory.joint_names);
                } else if let Ok(state) = message.decode::<FollowerState>() {
                    seen.named_command(&state.joint_names);
                }
            }
            if seen.is_enough(message.time_ns, states, commands) {
                break;
            }
        }
        seen.joints()
    }

    /// Hands everything over in the order of recording, until `take` breaks; returns what was found wrong, each kind once.
    ///
    /// # Errors
    /// [`BagError`] where the bag cannot be read any further, and the errors of `take`.
    pub fn events<E: From<BagError>>(
        &self,
        mut take: impl FnMut(Event<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<Vec<String>, E> {
        let mut walk = Walk {
            recording: self,
            joints: JointStates::new(&self.joints, RECORDED_AGE_NS),
            commands: Commands::default(),
            image_stamps: Stamps::default(),
            command_stamps: Stamps::default(),
            joint_stamps: BTreeMap::new(),
            has_sample: false,
            refused: BTreeMap::new(),
        };
        let mut remarks = Vec::new();
        let mut last_ns = i64::MIN;
        for message in self.bag.messages() {
            let message = match message {
                Ok(message) => message,
                Err(error) if error.is_partial() => {
                    remarks.push(error.to_string());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            last_ns = last_ns.max(message.time_ns);
            if walk.message(&message, &mut take)?.is_break() {
                break;
            }
        }
        while let Some((time_ns, velocities)) = walk.commands.due(last_ns) {
            let _ = take(Event::Sent {
                time_ns,
                velocities,
            })?;
        }
        remarks.extend(self.remarks.iter().cloned());
        remarks.extend(walk.remarks());
        Ok(remarks)
    }
}

/// One way through a recording.
struct Walk<'a> {
    recording: &'a Recording,
    joints: JointStates,
    commands: Commands,
    image_stamps: Stamps,
    command_stamps: Stamps,
    /// By the first joint of the message, as each publisher has a clock.
    joint_stamps: BTreeMap<String, Stamps>,
    has_sample: bool,
    /// Messages that cannot be used: kind, then number and first example.
    refused: BTreeMap<&'static str, (usize, String)>,
}

impl Walk<'_> {
    /// Tells of all commands that were due by then.
    fn tell_due<E>(
        &mut self,
        by_ns: i64,
        take: &mut impl FnMut(Event<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        while let Some((time_ns, velocities)) = self.commands.due(by_ns) {
            let told = take(Event::Sent {
                time_ns,
                velocities,
            })?;
            if told.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn message<E>(
        &mut self,
        message: &BagMessage,
        take: &mut impl FnMut(Event<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let recorded_ns = message.time_ns;
        if self.tell_due(recorded_ns, take)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let named = |name| topics::matches(&message.topic, name);
        if self.recording.is_image(message) {
            match CameraImage::decode(message) {
                Ok(image) => {
                    let stamp_ns = image.header().stamp.to_nanos();
                    let time_ns = self.image_stamps.time_ns(stamp_ns, recorded_ns);
                    return take(Event::Image { time_ns, image });
                }
                Err(error) => self.refuse("images", error.to_string()),
            }
        } else if is(self.recording.joint_states.as_ref(), message) {
            match message.decode::<JointState>() {
                Ok(state) => return self.joint_state(&state, recorded_ns, take),
                Err(error) => self.refuse("joint states", error.to_string()),
            }
        } else if is(self.recording.commands.as_ref(), message) {
            if let Err(error) = self.command(message) {
                self.refuse("commands", error);
            }
            if self.tell_due(recorded_ns, take)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        } else if named(topics::EPISODE) && *message.type_name == *Int64::TYPE {
            self.commands.begin();
            match message.decode::<Int64>() {
                Ok(Int64 { data: number }) => {
                    let time_ns = recorded_ns;
                    return take(Event::Episode { time_ns, number });
                }
                Err(error) => self.refuse("episode marks", error.to_string()),
            }
        } else if named(topics::REWARD) && *message.type_name == *Float64::TYPE {
            match message.decode::<Float64>() {
                Ok(Float64 { data: value }) if (value as f32).is_finite() => {
                    let time_ns = recorded_ns;
                    return take(Event::Reward { time_ns, value });
                }
                Ok(reward) => self.refuse("rewards", format!("{} is not finite", reward.data)),
                Err(error) => self.refuse("rewards", error.to_string()),
            }
        } else {
            return take(Event::Other(message));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn joint_state<E>(
        &mut self,
        state: &JointState,
        recorded_ns: i64,
        take: &mut impl FnMut(Event<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        match self.joints.take(state, recorded_ns) {
            Ok(Joined::Foreign) => {}
            Ok(joined) => {
                let first = state.name.first().cloned().unwrap_or_default();
                let stamps = self.joint_stamps.entry(first).or_default();
                let time_ns = stamps.time_ns(state.header.stamp.to_nanos(), recorded_ns);
                if joined == Joined::Sample {
                    self.has_sample = true;
                    if self.recording.actions == Actions::Differences {
                        let positions = self.joints.positions().iter();
                        let positions = positions.map(|value| f64::from(*value)).collect();
                        self.commands.moved_to(time_ns, positions);
                    }
                    return take(Event::Joints {
                        time_ns,
                        positions: self.joints.positions(),
                        velocities: self.joints.velocities(),
                    });
                }
            }
            Err(error) => self.refuse("joint states", error.to_string()),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn command(&mut self, message: &BagMessage) -> Result<(), String> {
        let text = |error: BagError| error.to_string();
        let joints = self.recording.joints();
        let recorded_ns = message.time_ns;
        if *message.type_name == *JointTrajectory::TYPE {
            let trajectory: JointTrajectory = message.decode().map_err(text)?;
            // A stamp of zero means at once.
            let start_ns = match trajectory.header.stamp.to_nanos() {
                0 => recorded_ns,
                stamp_ns => self.command_stamps.time_ns(stamp_ns, recorded_ns),
            };
            let present = self.has_sample.then(|| self.joints.positions());
            return (self.commands).follow(joints, &trajectory, start_ns, present);
        }
        if *message.type_name == *FollowerState::TYPE {
            let state: FollowerState = message.decode().map_err(text)?;
            let stamp_ns = state.header.stamp.to_nanos();
            let time_ns = self.command_stamps.time_ns(stamp_ns, recorded_ns);
            return self.commands.aim(joints, &state, time_ns);
        }
        let numbers = if *message.type_name == *TwistStamped::TYPE {
            let command: TwistStamped = message.decode().map_err(text)?;
            <[f64; 6]>::from(command.twist).to_vec()
        } else {
            let command: Float64MultiArray = message.decode().map_err(text)?;
            command.data
        };
        if let Some(bad) = numbers.iter().find(|value| !(**value as f32).is_finite()) {
            return Err(format!("{bad} in {numbers:?} is not finite"));
        }
        self.commands.set(recorded_ns, numbers);
        Ok(())
    }

    fn refuse(&mut self, kind: &'static str, example: String) {
        let entry = self.refused.entry(kind).or_insert((0, example));
        entry.0 += 1;
    }

    /// What was found wrong, and what was done about it.
    fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = (self.refused.iter())
            .map(|(kind, (count, example))| format!("{count} {kind} ignored, the first: {example}"))
            .collect();
        if let (Some(missing), Some(_), false) = (
            self.joints.missing(),
            &self.recording.joint_states,
            self.refused.contains_key("joint states"),
        ) {
            remarks.push(missing.to_string());
        }
        if self.joints.velocities_unknown() && self.has_sample {
            let text =
                "joint states come without velocities, or with NaN for them: they are taken as 0";
            remarks.push(text.to_owned());
        }
        let mut joint_stamps = Stamps::default();
        for stamps in self.joint_stamps.values() {
            joint_stamps.add(stamps);
        }
        for (route, stamps) in [
            (&self.recording.camera, &self.image_stamps),
            (&self.recording.joint_states, &joint_stamps),
            (&self.recording.commands, &self.command_stamps),
        ] {
            remarks.extend(route.as_ref().and_then(|(topic, _)| stamps.remark(topic)));
        }
        remarks
    }
}
