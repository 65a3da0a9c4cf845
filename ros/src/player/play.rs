//! Playing a bag onto its topics, with the time between messages as recorded.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latco_bag::messages::Time;
use latco_bag::types::TypeFinder;
use latco_bag::{BagError, BagReader, TopicInfo};
use serde::Serialize;
use thiserror::Error;

use super::pace::{Control, RATES};
use super::services;
use crate::middleware::offered_qos::Offered;
use crate::middleware::raw::RawPublisher;
use crate::middleware::{Network, NodeBuilder, NodeError, RunningNode, Stop};

/// Longest time for which the player stays for reliable subscriptions to get its last messages.
const LAST_MESSAGES: Duration = Duration::from_secs(3);

/// Options with which a bag is played.
#[derive(Clone, Debug)]
pub struct PlayOptions {
    /// Domain and interfaces on which it is played.
    pub network: Network,
    /// Namespace in front of relative topics.
    pub namespace: String,
    /// Path of the bag.
    pub bag: PathBuf,
    /// The handle that sets rate and pause, also while it plays.
    pub control: Arc<Control>,
    /// Moment of the bag at which every round starts.
    pub start: Duration,
    /// Whether it starts again at the end, until stopped.
    pub repeat: bool,
    /// Whether header stamps are sent as recorded; otherwise they are moved with the messages, so that a
    /// stamp that was 5 ms old when it was recorded is 5 ms old when it is played.
    pub keep_stamps: bool,
    /// Whether what is left of a damaged bag is played. One that only lacks its end is played anyhow.
    pub partial: bool,
    /// Topics to play; all of them when empty.
    pub topics: Vec<String>,
    /// Time for subscribers to find the topics before the first message.
    pub delay: Duration,
}

/// The reason why a bag is not played.
#[derive(Debug, Error)]
pub enum PlayError {
    /// The bag cannot be read, or is damaged.
    #[error("{0}{hint}", hint = if .0.is_partial() { "; --partial plays what is left" } else { "" })]
    Bag(#[from] BagError),
    /// The start lies behind the end of the bag.
    #[error("--start {start_s}: expected at most the {length_s:.3} s that the bag is long")]
    Start {
        /// Start that was asked for, in s.
        start_s: f64,
        /// Time from the bag's first message to its last, in s.
        length_s: f64,
    },
    /// Topics that were asked for and are not in the bag.
    #[error("topics {missing:?} are not in the bag; it has {present:?}")]
    NoTopic {
        /// Topics that were asked for and are missing.
        missing: Vec<String>,
        /// Topics of the bag.
        present: Vec<String>,
    },
    /// The rate is not possible.
    #[error("--rate: expected a number from {low} to {high}, found {0}", low = RATES.start(), high = RATES.end())]
    Rate(f64),
    /// The node could not be made.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// The outcome of playing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Played {
    /// Number of messages that were published.
    pub messages: u64,
    /// Number of messages that the middleware refused.
    pub refused: u64,
    /// Number of times that the bag was played, the last one perhaps not to its end.
    pub rounds: u64,
    /// The largest lag behind the recorded timing, in ms.
    pub latest_ms: f64,
    /// Parts of the bag that are missing.
    pub lost: Vec<String>,
    /// Topics of which a reliable subscription had not acknowledged the last messages when the player left.
    pub unacknowledged: Vec<String>,
}

/// Plays a bag to its end, or until a stop is asked for.
///
/// # Errors
/// [`PlayError`]; nothing is published then, unless the damage is found on the way.
pub fn play(options: &PlayOptions, stop: &Stop) -> Result<Played, PlayError> {
    if !RATES.contains(&options.control.rate()) {
        return Err(PlayError::Rate(options.control.rate()));
    }
    let bag = BagReader::open(&options.bag)?;
    let mut played = Played::default();
    let mut known = HashSet::new();
    for damage in bag.damage() {
        if !options.partial && !damage.is_end_missing() {
            return Err(damage.clone().into());
        }
        note(damage, &mut known, &mut played);
    }
    let wanted = |name: &str| {
        options.topics.is_empty()
            || options
                .topics
                .iter()
                .any(|t| latco_bag::topics::matches(name, t))
    };
    let missing: Vec<String> = options
        .topics
        .iter()
        .filter(|t| bag.topic(t).is_none())
        .cloned()
        .collect();
    if !missing.is_empty() {
        let present = bag.topics().iter().map(|t| t.name.clone()).collect();
        return Err(PlayError::NoTopic { missing, present });
    }
    let played_topics: Vec<_> = bag.topics().iter().filter(|t| wanted(&t.name)).collect();

    let mut node = NodeBuilder::open(options.network, &options.namespace, "player")?;
    services::serve(&mut node, &options.control)?;
    let types = TypeFinder::from_environment([]);
    let mut publishers: HashMap<Arc<str>, (RawPublisher, bool)> = HashMap::new();
    for topic in played_topics {
        let qos = Offered::to_publish(Offered::from_text(&topic.offered_qos), &topic.type_name);
        let publisher =
            node.raw_publisher(topic.name.trim_start_matches('/'), &topic.type_name, qos)?;
        publishers.insert(
            topic.name.as_str().into(),
            (publisher, has_header(&definition(topic, &types))),
        );
    }
    let _node = RunningNode::start(node)?;
    let Some((first_ns, last_ns)) = bag.bounds_ns() else {
        return Ok(played);
    };
    let offset = i64::try_from(options.start.as_nanos()).unwrap_or(i64::MAX);
    let from_ns = first_ns.saturating_add(offset);
    if from_ns > last_ns {
        return Err(PlayError::Start {
            start_s: options.start.as_secs_f64(),
            length_s: last_ns.saturating_sub(first_ns) as f64 * 1e-9,
        });
    }
    if stop.wait(options.delay) {
        return Ok(played);
    }
    loop {
        played.rounds += 1;
        let messages = played.messages;
        round(
            &bag,
            &publishers,
            from_ns,
            options,
            stop,
            &mut known,
            &mut played,
        )?;
        // A bag of which nothing can be played would be read for ever.
        if !options.repeat || stop.is_requested() || played.messages == messages {
            break;
        }
    }
    hand_over(&publishers, &mut played);
    Ok(played)
}

/// Stays until reliable subscriptions have the last messages: only from here is sent again what gets lost on
/// the way.
fn hand_over(publishers: &HashMap<Arc<str>, (RawPublisher, bool)>, played: &mut Played) {
    let deadline = Instant::now() + LAST_MESSAGES;
    for (topic, (publisher, _)) in publishers {
        let left = deadline.saturating_duration_since(Instant::now());
        if !publisher.wait_for_acknowledgments(left) {
            tracing::warn!(%topic, "a reliable subscription has not acknowledged the last messages");
            played.unacknowledged.push(topic.to_string());
        }
    }
    played.unacknowledged.sort_unstable();
}

/// Tells of each part that is missing, once.
fn note(damage: &BagError, known: &mut HashSet<String>, played: &mut Played) {
    let text = damage.to_string();
    if known.insert(text.clone()) {
        tracing::warn!(damage = %text, "playing what is left");
        played.lost.push(text);
    }
}

/// Plays the bag once, from a moment on.
fn round(
    bag: &BagReader,
    publishers: &HashMap<Arc<str>, (RawPublisher, bool)>,
    from_ns: i64,
    options: &PlayOptions,
    stop: &Stop,
    known: &mut HashSet<String>,
    played: &mut Played,
) -> Result<(), PlayError> {
    options.control.begin(from_ns);
    for message in bag.messages_from(from_ns) {
        let mut message = match message {
            Ok(message) => message,
            Err(damage) if damage.is_end_missing() || (options.partial && damage.is_partial()) => {
                note(&damage, known, played);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let Some((publisher, header)) = publishers.get(&message.topic) else {
            continue;
        };
        let Some(late) = options.control.wait_for(message.time_ns, stop) else {
            return Ok(());
        };
        played.latest_ms = played.latest_ms.max(late.as_secs_f64() * 1e3);
        if *header && !options.keep_stamps {
            restamp(&mut message.data, |stamp_ns| {
                options.control.stamp_ns(stamp_ns)
            });
        }
        match publisher.publish(&message.data) {
            Ok(()) => played.messages += 1,
            Err(error) => {
                if played.refused == 0 {
                    tracing::warn!(topic = %message.topic, %error, "message not played; later ones are only counted");
                }
                played.refused += 1;
            }
        }
    }
    Ok(())
}

/// The definition of the topic's type in the bag, or the one that is known here; empty where there is none.
fn definition(topic: &TopicInfo, types: &TypeFinder) -> String {
    match topic.definition.is_empty() {
        false => topic.definition.clone(),
        true => types.definition(&topic.type_name).unwrap_or_default(),
    }
}

/// Whether the first field of a message is its header.
fn has_header(definition: &str) -> bool {
    definition
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .is_some_and(|line| line.starts_with("std_msgs/Header "))
}

/// Changes the stamp of a little-endian message that begins with a header. A stamp of zero ("now") stays.
fn restamp(payload: &mut [u8], change: impl Fn(i64) -> i64) {
    let [0, 1, _, _, s0, s1, s2, s3, n0, n1, n2, n3, ..] = *payload else {
        return;
    };
    let recorded = Time {
        sec: i32::from_le_bytes([s0, s1, s2, s3]),
        nanosec: u32::from_le_bytes([n0, n1, n2, n3]),
    };
    if recorded.to_nanos() != 0 {
        let changed = Time::from_nanos(change(recorded.to_nanos()));
        payload[4..8].copy_from_slice(&changed.sec.to_le_bytes());
        payload[8..12].copy_from_slice(&changed.nanosec.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latco_bag::messages::{Float64, Header, Image, JointState, RosMessage, SUPPORTED};

    #[test]
    fn stamps_move_and_the_rest_stays() {
        let image = Image::rgb8(Header::new(5_000_000_007, "camera"), 1, 1, vec![1, 2, 3]);
        let mut payload = latco_bag::cdr::encode(&image).unwrap();
        restamp(&mut payload, |t| t + 2_000_000_001);
        let changed: Image = latco_bag::cdr::decode(&payload).unwrap();
        assert_eq!(changed.header.stamp.to_nanos(), 7_000_000_008);
        assert_eq!(
            (changed.header.frame_id, changed.data),
            (image.header.frame_id, image.data)
        );
    }

    #[test]
    fn a_stamp_of_zero_means_now_and_stays() {
        let mut payload = latco_bag::cdr::encode(&JointState::default()).unwrap();
        let before = payload.clone();
        restamp(&mut payload, |t| t + 1);
        assert_eq!(payload, before);
        restamp(&mut [0, 1], |t| t + 1);
    }

    #[test]
    fn messages_with_a_header_are_known_by_their_definition() {
        assert!(has_header(Image::DEFINITION) && has_header(JointState::DEFINITION));
        assert!(!has_header(Float64::DEFINITION));
        assert_eq!(SUPPORTED.iter().filter(|(_, d)| has_header(d)).count(), 5);
    }
}
