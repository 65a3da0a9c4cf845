//! Playing a bag onto its topics, with the time between messages as recorded.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latco_bag::messages::Time;
use latco_bag::recording::Stamps;
use latco_bag::types::{TypeFinder, has_header};
use latco_bag::{BagError, BagReader, LeftOut, TopicInfo};
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
    /// Nothing was sent.
    #[error(
        "expected messages to play, found none that could be sent: topics {topics:?}, {refused} messages refused{}",
        if left_out.is_empty() { String::new() } else { format!("; {left_out}") }
    )]
    Nothing {
        /// Number of messages that the middleware refused.
        refused: u64,
        /// Topics that were to be played.
        topics: Vec<String>,
        /// What is wrong with the topics that cannot be played.
        left_out: String,
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
    /// Parts of the bag that are missing, and topics that cannot be played.
    pub lost: Vec<String>,
    /// What was done with stamps that are not of the clock of the recording.
    pub stamps: Vec<String>,
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
        .filter(|t| {
            let left_out = |other: &LeftOut| latco_bag::topics::matches(&other.topic, t);
            bag.topic(t).is_none() && !bag.left_out().iter().any(left_out)
        })
        .cloned()
        .collect();
    if !missing.is_empty() {
        let present = bag.topics().iter().map(|t| t.name.clone()).collect();
        return Err(PlayError::NoTopic { missing, present });
    }
    let played_topics: Vec<_> = bag.topics().iter().filter(|t| wanted(&t.name)).collect();
    for topic in bag.left_out().iter().filter(|t| wanted(&t.topic)) {
        tracing::warn!("{topic}");
        played.lost.push(topic.to_string());
    }

    let mut node = NodeBuilder::open(options.network, &options.namespace, "player")?;
    services::serve(&mut node, &options.control)?;
    let types = TypeFinder::from_environment([]);
    // All topics of a recorder have its machine's byte order.
    let first = bag.messages().find_map(Result::ok);
    let is_big_endian = first.is_some_and(|message| message.data.starts_with(&[0, 0]));
    let mut outlets = Outlets::new();
    for topic in played_topics {
        let TopicInfo {
            name,
            type_name,
            language,
            definition,
            ..
        } = topic;
        let qos = Offered::to_publish(Offered::from_text(&topic.offered_qos), type_name);
        let name_here = name.trim_start_matches('/');
        let publisher = node.raw_publisher(name_here, type_name, qos, is_big_endian)?;
        let outlet = Outlet {
            publisher,
            has_header: has_header(&types, type_name, language, definition),
            // What is measured has a time; zero in what is commanded means at once.
            is_measured: type_name.starts_with("sensor_msgs/"),
            stamps: Stamps::default(),
        };
        outlets.insert((name.as_str().into(), type_name.as_str().into()), outlet);
    }
    let _node = RunningNode::start(node)?;
    let Some((first_ns, last_ns)) = bag.bounds_ns() else {
        return Err(PlayError::Nothing {
            refused: 0,
            topics: bag.topics().iter().map(|t| t.name.clone()).collect(),
            left_out: played.lost.join("; "),
        });
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
            &mut outlets,
            from_ns,
            options,
            stop,
            &mut known,
            &mut played,
        )?;
        if played.rounds == 1 {
            for ((topic, _), outlet) in &outlets {
                played.stamps.extend(outlet.stamps.remark(topic));
            }
            played
                .stamps
                .iter()
                .for_each(|remark| tracing::warn!("{remark}"));
        }
        // A bag of which nothing can be played would be read for ever.
        if !options.repeat || stop.is_requested() || played.messages == messages {
            break;
        }
    }
    hand_over(&outlets, &mut played);
    if played.messages == 0 && !stop.is_requested() {
        return Err(PlayError::Nothing {
            refused: played.refused,
            topics: bag
                .topics()
                .iter()
                .filter(|t| wanted(&t.name))
                .map(|t| t.name.clone())
                .collect(),
            left_out: played.lost.join("; "),
        });
    }
    Ok(played)
}

/// The publishers by topic and type: a topic may have messages of two types.
type Outlets = HashMap<(Arc<str>, Arc<str>), Outlet>;

/// A topic that is played.
struct Outlet {
    publisher: RawPublisher,
    /// Whether its messages begin with a header.
    has_header: bool,
    /// Whether a stamp of zero is a time that is missing.
    is_measured: bool,
    stamps: Stamps,
}

/// Stays until reliable subscriptions have the last messages: only from here is sent again what gets lost on
/// the way.
fn hand_over(outlets: &Outlets, played: &mut Played) {
    let deadline = Instant::now() + LAST_MESSAGES;
    for ((topic, _), outlet) in outlets {
        let left = deadline.saturating_duration_since(Instant::now());
        if !outlet.publisher.wait_for_acknowledgments(left) {
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
    outlets: &mut Outlets,
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
        let route = (message.topic.clone(), message.type_name.clone());
        let Some(outlet) = outlets.get_mut(&route) else {
            continue;
        };
        let Some(late) = options.control.wait_for(message.time_ns, stop) else {
            return Ok(());
        };
        played.latest_ms = played.latest_ms.max(late.as_secs_f64() * 1e3);
        if outlet.has_header && !options.keep_stamps {
            let recorded_ns = message.time_ns;
            restamp(&mut message.data, |stamp_ns| match stamp_ns {
                0 if !outlet.is_measured => 0,
                _ => (options.control).stamp_ns(outlet.stamps.time_ns(stamp_ns, recorded_ns)),
            });
        }
        match outlet.publisher.publish(&message.data) {
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

/// Changes the stamp of a message that begins with a header.
fn restamp(payload: &mut [u8], change: impl FnOnce(i64) -> i64) {
    let [0, order @ (0 | 1), _, _, s0, s1, s2, s3, n0, n1, n2, n3, ..] = *payload else {
        return;
    };
    let is_big = order == 0;
    let read = |bytes: [u8; 4]| match is_big {
        true => u32::from_be_bytes(bytes),
        false => u32::from_le_bytes(bytes),
    };
    let write = |value: u32| match is_big {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let recorded = Time {
        sec: read([s0, s1, s2, s3]).cast_signed(),
        nanosec: read([n0, n1, n2, n3]),
    };
    let changed = Time::from_nanos(change(recorded.to_nanos()));
    payload[4..8].copy_from_slice(&write(changed.sec.cast_unsigned()));
    payload[8..12].copy_from_slice(&write(changed.nanosec));
}

#[cfg(test)]
mod tests {
    use super::*;
    use latco_bag::messages::{Header, Image};

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
    fn stamps_of_either_byte_order_move_and_short_payloads_stay() {
        let mut payload = [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 7];
        restamp(&mut payload, |t| {
            assert_eq!(t, 5_000_000_007);
            t + 1_000_000_001
        });
        assert_eq!(payload, [0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 8]);
        restamp(&mut [0, 1], |t| t + 1);
    }
}
