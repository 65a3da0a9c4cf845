//! Which topics are recorded, and of which types.

use std::time::{Duration, Instant};

use latco_bag::messages::{JointState, RosMessage};
use latco_bag::recording::{COMMANDS, IMAGES};

use super::error::RecordError;
use crate::middleware::offered_qos::Offered;
use crate::middleware::{NodeBuilder, Stop, expand, ros_name};

/// Time for which other publishers are looked for after the first.
const SETTLE: Duration = Duration::from_millis(500);
/// The topic of plans, which has a type of commands and is none.
const PLANS: &str = "latco/plan";
/// The types of what a model is trained on: images, joint states, commands.
const KINDS: [&[&str]; 3] = [&IMAGES, &[JointState::TYPE], &COMMANDS];
/// How often it is looked for endpoints.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A topic to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name of the topic, relative or absolute.
    pub name: String,
    /// Type of the topic, `package/msg/Type`.
    pub ty: String,
}

/// The topics of a controller whose topics have this project's names: what goes into it, what comes out, and how it goes.
pub fn standard_topics() -> Vec<Topic> {
    [
        ("camera/image_raw", "sensor_msgs/msg/Image"),
        (
            "camera/image_raw/compressed",
            "sensor_msgs/msg/CompressedImage",
        ),
        ("joint_states", "sensor_msgs/msg/JointState"),
        ("joint_trajectory", "trajectory_msgs/msg/JointTrajectory"),
        ("commands", "std_msgs/msg/Float64MultiArray"),
        ("reward", "std_msgs/msg/Float64"),
        ("episode", "std_msgs/msg/Int64"),
        (PLANS, "std_msgs/msg/Float64MultiArray"),
        ("latco/journal", "std_msgs/msg/UInt8MultiArray"),
        ("latco/status", "diagnostic_msgs/msg/DiagnosticStatus"),
    ]
    .map(|(name, ty)| Topic {
        name: name.into(),
        ty: ty.into(),
    })
    .to_vec()
}

/// What is recorded when no topics are named.
pub struct UsualTopics {
    /// [`standard_topics`], and those of a robot whose topics have other names: all joint states, and images and commands where none
    /// have a standard name. They are found by their types.
    pub topics: Vec<Topic>,
    /// Whether somebody was seen for images, joint states and commands each.
    pub is_complete: bool,
}

impl UsualTopics {
    /// Those that need not be looked for: the standard ones but commands, of which a robot may take another type, such as a twist.
    pub fn certain() -> Vec<Topic> {
        let mut topics = standard_topics();
        topics.retain(|topic| topic.name == PLANS || !COMMANDS.contains(&&*topic.ty));
        topics
    }

    /// Looks for them: while not all are there under a standard name, it waits for `limit`. Who comes later is found by
    /// [`look_again`](Self::look_again).
    pub fn look(node: &NodeBuilder, limit: Duration, stop: &Stop) -> Self {
        let deadline = Instant::now() + limit;
        let mut usual = Self {
            topics: standard_topics(),
            is_complete: false,
        };
        let (seen, standard) = loop {
            let seen = endpoints(node);
            let standard = has_standard(node, &seen);
            if standard == [true; 3] || Instant::now() >= deadline || stop.wait(LOOK_EVERY) {
                break (seen, standard);
            }
        };
        for topic in &mut usual.topics {
            let name = full_name(node, topic);
            let is_command =
                |(seen, ty): &&(String, String)| *seen == name && COMMANDS.contains(&&**ty);
            // Such as a twist in place of joint velocities.
            if let Some((_, ty)) = seen.iter().find(is_command) {
                topic.ty.clone_from(ty);
            }
        }
        usual.add(node, seen, standard);
        usual
    }

    /// Looks for those that are not among them yet, adds them, and returns them.
    pub fn look_again(&mut self, node: &NodeBuilder) -> Vec<Topic> {
        // Whoever listens to commands under a standard name now may be this recorder.
        let writers: Vec<_> = written(node).collect();
        self.add(node, endpoints(node), has_standard(node, &writers))
    }

    fn add(
        &mut self,
        node: &NodeBuilder,
        seen: Vec<(String, String)>,
        standard: [bool; 3],
    ) -> Vec<Topic> {
        let mut has = standard;
        let mut added = Vec::new();
        for (name, ty) in seen {
            let Some(kind) = KINDS.iter().position(|kind| kind.contains(&&*ty)) else {
                continue;
            };
            let mut names = self.topics.iter().map(|topic| full_name(node, topic));
            let is_known = names.any(|known| known == name);
            if !is_known && (!standard[kind] || KINDS[kind] == [JointState::TYPE]) {
                tracing::info!(topic = %name, "recorded as well, by its type {ty}");
                added.push(Topic { name, ty });
                has[kind] = true;
            }
        }
        self.topics.extend(added.iter().cloned());
        self.is_complete |= has == [true; 3];
        added
    }
}

/// Of which [`KINDS`] somebody is there under a standard name.
fn has_standard(node: &NodeBuilder, seen: &[(String, String)]) -> [bool; 3] {
    let names: Vec<_> = standard_topics()
        .into_iter()
        .filter(|topic| topic.name != PLANS)
        .map(|topic| full_name(node, &topic))
        .collect();
    KINDS.map(|kind| {
        let mut seen = seen.iter();
        seen.any(|(name, ty)| kind.contains(&&**ty) && names.contains(name))
    })
}

fn full_name(node: &NodeBuilder, topic: &Topic) -> String {
    let node = node.node();
    expand(node.namespace(), &node.fully_qualified_name(), &topic.name)
}

/// Every topic that somebody publishes, or is about to be told, with its type, each once. A robot takes commands before anybody
/// sends them.
fn endpoints(node: &NodeBuilder) -> Vec<(String, String)> {
    let participant = node.context().domain_participant();
    let readers = participant.discovered_readers();
    let readers = readers.iter().filter_map(|reader| {
        let topic = &reader.subscription_topic_data;
        ros_name(topic.topic_name(), topic.type_name()).filter(|(_, ty)| COMMANDS.contains(&&**ty))
    });
    let mut all: Vec<(String, String)> = written(node).chain(readers).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Every topic that somebody publishes, with its type.
fn written(node: &NodeBuilder) -> impl Iterator<Item = (String, String)> {
    publishers(node).into_iter().map(|(name, ty, _)| (name, ty))
}

/// Reads `NAME` or `NAME:TYPE`.
pub fn parse_topic(text: &str) -> (String, Option<String>) {
    match text.split_once(':') {
        Some((name, ty)) => (name.to_owned(), Some(ty.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Every publisher that is known, as `(topic, type, what it offers)`.
pub(super) fn publishers(node: &NodeBuilder) -> Vec<(String, String, Offered)> {
    let writers = node.context().domain_participant().discovered_writers();
    writers
        .iter()
        .map(|writer| &writer.publication_topic_data)
        .filter_map(|topic| {
            let (name, ty) = ros_name(&topic.topic_name, &topic.type_name)?;
            Some((name, ty, Offered::of(topic)))
        })
        .collect()
}

/// All topics that have a publisher after `time`, with their types. Topics with several types are left out and named in
/// the log.
pub fn discover_all(node: &NodeBuilder, time: Duration, stop: &Stop) -> Vec<Topic> {
    stop.wait(time);
    let mut found: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    for (name, ty, _) in publishers(node) {
        let types = found.entry(name).or_default();
        if !types.contains(&ty) {
            types.push(ty);
        }
    }
    let own = node.node().fully_qualified_name();
    found
        .into_iter()
        .filter(|(name, _)| !name.starts_with(&format!("{own}/")))
        .filter_map(|(name, types)| match &types[..] {
            [ty] => Some(Topic {
                name,
                ty: ty.clone(),
            }),
            _ => {
                let error = RecordError::SeveralTypes { topic: name, types };
                tracing::warn!(%error, "not recorded");
                None
            }
        })
        .collect()
}

/// The types of topics by what their publishers announce, and the topics that stay unknown; waits for them at most `limit`.
///
/// # Errors
/// [`RecordError::NoPublisher`] where all stay unknown, [`RecordError::SeveralTypes`].
pub fn discover(
    node: &NodeBuilder,
    topics: &[(String, Option<String>)],
    limit: Duration,
    stop: &Stop,
) -> Result<(Vec<Topic>, Vec<String>), RecordError> {
    let deadline = Instant::now() + limit;
    let mut settled = false;
    loop {
        let seen = publishers(node);
        let (namespace, own) = (node.node().namespace(), node.node().fully_qualified_name());
        let mut missing = Vec::new();
        let mut found = Vec::with_capacity(topics.len());
        for (name, ty) in topics {
            let wanted = expand(namespace, &own, name);
            let mut types: Vec<String> = match ty {
                Some(ty) => vec![ty.clone()],
                None => (seen.iter())
                    .filter(|(topic, ..)| *topic == wanted)
                    .map(|(_, ty, _)| ty.clone())
                    .collect(),
            };
            types.sort_unstable();
            types.dedup();
            match &types[..] {
                [ty] => found.push(Topic {
                    name: name.clone(),
                    ty: ty.clone(),
                }),
                [] => missing.push(name.clone()),
                _ => {
                    return Err(RecordError::SeveralTypes {
                        topic: name.clone(),
                        types,
                    });
                }
            }
        }
        if missing.is_empty() {
            if settled || topics.iter().all(|(_, ty)| ty.is_some()) {
                return Ok((found, missing));
            }
            // Another publisher of the same topic may be about to be seen.
            settled = true;
            stop.wait(SETTLE);
        } else if Instant::now() >= deadline || stop.wait(Duration::from_millis(100)) {
            return match found.is_empty() {
                true => Err(RecordError::NoPublisher {
                    topic: missing.join(", "),
                    seconds: limit.as_secs_f64(),
                }),
                false => Ok((found, missing)),
            };
        }
    }
}
