//! Which topics of a bag are the camera, the joint states and the commands of a robot.

use std::path::PathBuf;

use crate::messages::{
    CompressedImage, Float64MultiArray, FollowerState, Image, JointState, JointTrajectory,
    RosMessage, TwistStamped,
};
use crate::reader::{BagReader, TopicInfo};
use crate::topics;

/// Types of camera images.
pub const IMAGES: [&str; 2] = [Image::TYPE, CompressedImage::TYPE];
/// Types of what a robot is told to do.
pub const COMMANDS: [&str; 4] = [
    Float64MultiArray::TYPE,
    TwistStamped::TYPE,
    JointTrajectory::TYPE,
    FollowerState::TYPE,
];

/// Where the actions of a recording come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Actions {
    /// They are what was commanded.
    #[default]
    Commanded,
    /// They are the differences of the joint positions: nothing that was commanded was recorded.
    Differences,
}

/// What a user says about the topics of a recording. A name that is empty is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Topic of the camera images; those with `/compressed` behind it count as well.
    pub image: String,
    /// Topic of the joint states.
    pub joint_states: String,
    /// Topic of the commands: joint velocities or positions, twists, trajectories, or the state of a controller that follows them.
    pub commands: String,
    /// Joints in the order of the commands; `None` finds them, `[]` reads no joints.
    pub joints: Option<Vec<String>>,
    /// Where the actions come from.
    pub actions: Actions,
    /// How the user names these to the command at hand, for errors.
    pub keys: Keys,
}

/// The names under which a command takes the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// The key or option of the camera's topic.
    pub image: &'static str,
    /// The key or option of the topic of joint states.
    pub joint_states: &'static str,
    /// The key or option of the topic of commands, and what there is without them.
    pub commands: &'static str,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            image: "data.image",
            joint_states: "data.joint_states",
            commands: "data.commands, or learn without it by data.action = \"joint_states\"",
        }
    }
}

/// Why a topic is not chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// There is no such topic.
    #[error("{}: expected {what} ({expected}), found {}; record it, or name its topic with {key}", bag.display(), list(.found))]
    None {
        /// The bag.
        bag: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Names and types that were looked for.
        expected: String,
        /// What there is.
        found: Vec<String>,
        /// What the user can set.
        key: &'static str,
    },
    /// There are several such topics.
    #[error("{}: expected one topic of {what}, found {}; choose one with {key}", bag.display(), .found.join(", "))]
    Several {
        /// The bag.
        bag: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Topics that would do.
        found: Vec<String>,
        /// What the user can set.
        key: &'static str,
    },
}

fn list(found: &[String]) -> String {
    match found {
        [] => "no topics at all".to_owned(),
        some => some.join(", "),
    }
}

/// The topics of a bag with types and numbers of messages, for errors.
pub fn described(bag: &BagReader) -> Vec<String> {
    let used = bag.topics().iter().map(|topic| {
        let (name, ty, count) = (&topic.name, &topic.type_name, topic.messages);
        format!("{name} ({ty}) with {count} messages")
    });
    let left_out = bag.left_out().iter().map(ToString::to_string);
    used.chain(left_out).collect()
}

impl Wanted {
    /// The topic of the camera. Of raw and compressed images it is the one that has some, or the raw one.
    ///
    /// # Errors
    /// [`ChoiceError`].
    pub fn camera<'a>(&self, bag: &'a BagReader) -> Result<&'a TopicInfo, ChoiceError> {
        let with_compressed = |name: &str| [name.to_owned(), format!("{name}/compressed")];
        let names = match &*self.image {
            "" => vec![
                topics::CAMERA_IMAGE.to_owned(),
                topics::CAMERA_IMAGE_COMPRESSED.to_owned(),
            ],
            named => with_compressed(named).to_vec(),
        };
        let of_names = (names.iter())
            .flat_map(|name| of_types(bag, &IMAGES).filter(|t| topics::matches(&t.name, name)));
        let mut of_names: Vec<&TopicInfo> = of_names.collect();
        of_names.sort_by_key(|topic| topic.messages == 0);
        if let Some(found) = of_names.first()
            && (found.messages > 0 || !self.image.is_empty())
        {
            return Ok(found);
        }
        if !self.image.is_empty() {
            return Err(self.none(bag, "camera images", &names, &IMAGES, self.keys.image));
        }
        // Raw and compressed images of one camera are one.
        let base = |topic: &TopicInfo| topic.name.trim_end_matches("/compressed").to_owned();
        let mut others: Vec<&TopicInfo> =
            of_types(bag, &IMAGES).filter(|t| t.messages > 0).collect();
        others.sort_by_key(|topic| (base(topic), topic.name.len()));
        others.dedup_by_key(|topic| base(topic));
        match others[..] {
            [] => Err(self.none(bag, "camera images", &names, &IMAGES, self.keys.image)),
            [one] => Ok(one),
            _ => Err(several(bag, "camera images", &others, self.keys.image)),
        }
    }

    /// The topic of the joint states.
    ///
    /// # Errors
    /// [`ChoiceError`].
    pub fn joint_states<'a>(&self, bag: &'a BagReader) -> Result<&'a TopicInfo, ChoiceError> {
        let (key, what, types) = (self.keys.joint_states, "joint states", [JointState::TYPE]);
        let steps: [&[(&str, &str)]; 2] = [
            &[(topics::JOINT_STATES, JointState::TYPE)],
            &[("", JointState::TYPE)],
        ];
        self.choose(bag, (what, &self.joint_states, &types, key), &steps)
    }

    /// The topic of the commands: by the names that this project gives them, else the only one of each kind.
    ///
    /// # Errors
    /// [`ChoiceError`].
    pub fn commands<'a>(&self, bag: &'a BagReader) -> Result<&'a TopicInfo, ChoiceError> {
        let steps: [&[(&str, &str)]; 6] = [
            &[
                (topics::COMMANDS, Float64MultiArray::TYPE),
                (topics::COMMANDS, TwistStamped::TYPE),
            ],
            &[(topics::JOINT_TRAJECTORY, JointTrajectory::TYPE)],
            &[("*/commands", Float64MultiArray::TYPE)],
            &[("", JointTrajectory::TYPE)],
            &[("", TwistStamped::TYPE)],
            &[("", FollowerState::TYPE)],
        ];
        let (key, what) = (self.keys.commands, "commands");
        self.choose(bag, (what, &self.commands, &COMMANDS, key), &steps)
    }

    /// The topic that is named, else the only one with messages of the first step that has any. A name in a step is a whole
    /// name, or with `*` the end of one, or any.
    fn choose<'a>(
        &self,
        bag: &'a BagReader,
        (what, named, types, key): (&'static str, &str, &[&str], &'static str),
        steps: &[&[(&str, &str)]],
    ) -> Result<&'a TopicInfo, ChoiceError> {
        if !named.is_empty() {
            let mut found = of_types(bag, types).filter(|t| topics::matches(&t.name, named));
            let missing = || self.none(bag, what, &[named.to_owned()], types, key);
            return found.next().ok_or_else(missing);
        }
        for step in steps {
            let of_step = |topic: &&TopicInfo| {
                step.iter().any(|(name, ty)| {
                    let fits = match name.strip_prefix('*') {
                        Some(end) => topic.name.ends_with(end),
                        None => name.is_empty() || topics::matches(&topic.name, name),
                    };
                    fits && topic.type_name == *ty && topic.messages > 0
                })
            };
            let found: Vec<&TopicInfo> = bag.topics().iter().filter(of_step).collect();
            match found[..] {
                [] => {}
                [one] => return Ok(one),
                _ => return Err(several(bag, what, &found, key)),
            }
        }
        let first = steps[0].iter().map(|(name, _)| (*name).to_owned());
        Err(self.none(bag, what, &first.collect::<Vec<_>>(), types, key))
    }

    fn none(
        &self,
        bag: &BagReader,
        what: &'static str,
        names: &[String],
        types: &[&str],
        key: &'static str,
    ) -> ChoiceError {
        ChoiceError::None {
            bag: bag.path().to_path_buf(),
            what,
            expected: format!("`{}`, {}", names[0], types.join(" or ")),
            found: described(bag),
            key,
        }
    }
}

fn several(
    bag: &BagReader,
    what: &'static str,
    found: &[&TopicInfo],
    key: &'static str,
) -> ChoiceError {
    ChoiceError::Several {
        bag: bag.path().to_path_buf(),
        what,
        found: found.iter().map(|topic| topic.name.clone()).collect(),
        key,
    }
}

fn of_types<'a>(bag: &'a BagReader, types: &[&str]) -> impl Iterator<Item = &'a TopicInfo> {
    let types: Vec<String> = types.iter().map(|ty| (*ty).to_owned()).collect();
    (bag.topics().iter()).filter(move |topic| types.contains(&topic.type_name))
}
