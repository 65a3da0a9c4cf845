//! What was sent and what arrived: stamps and digests by topic.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use latco_bag::messages::{CompressedImage, Image, JointState, JointTrajectory};
use latco_bag::{BagMessage, BagReader};
use latco_testkit::run::note;

use crate::digest::Hashed;

/// Of each topic the stamp, ns, and the digest of every message.
#[derive(Debug, Default)]
pub struct Heard {
    topics: BTreeMap<String, BTreeSet<(i64, String)>>,
    messages: usize,
}

impl Heard {
    pub fn add<M: Hashed>(&mut self, topic: &str, message: &M) {
        let stamp_ns = message.header().stamp.to_nanos();
        self.insert(topic, stamp_ns, message.digest());
    }

    fn insert(&mut self, topic: &str, stamp_ns: i64, digest: String) {
        self.topics
            .entry(topic.to_owned())
            .or_default()
            .insert((stamp_ns, digest));
        self.messages += 1;
    }

    /// As a peer says it, `{topic: [[stamp, digest], ...]}`.
    pub fn said(json: &serde_json::Value) -> Self {
        let mut heard = Self::default();
        for (topic, messages) in json.as_object().unwrap() {
            for message in messages.as_array().unwrap() {
                let stamp_ns = message[0].as_i64().unwrap();
                heard.insert(topic, stamp_ns, message[1].as_str().unwrap().to_owned());
            }
        }
        heard
    }

    /// Of a bag.
    pub fn recorded(bag: &Path) -> Self {
        let mut heard = Self::default();
        for message in BagReader::open(bag).unwrap().messages() {
            let message = message.unwrap();
            match &*message.type_name {
                "sensor_msgs/msg/Image" => heard.decoded::<Image>(&message),
                "sensor_msgs/msg/CompressedImage" => heard.decoded::<CompressedImage>(&message),
                "sensor_msgs/msg/JointState" => heard.decoded::<JointState>(&message),
                "trajectory_msgs/msg/JointTrajectory" => heard.decoded::<JointTrajectory>(&message),
                other => panic!("unexpected type {other}"),
            }
        }
        heard
    }

    fn decoded<M: Hashed>(&mut self, message: &BagMessage) {
        self.add(&message.topic, &message.decode::<M>().unwrap());
    }

    /// Leaves the first message of a topic out of what was sent, and of what was received if it arrived.
    pub fn leave_out_first(&mut self, topic: &str, received: &mut Self) {
        let first = self.topics.get_mut(topic).and_then(BTreeSet::pop_first);
        if let (Some(first), Some(arrived)) = (first, received.topics.get_mut(topic)) {
            let came = arrived.remove(&first);
            received.messages -= usize::from(came);
            let word = if came { "arrived" } else { "was missed" };
            note(&format!("{topic}: the first message {word}"));
        }
    }

    /// At least 99.9 % of each topic arrived, each message once and as it was sent, and nothing else.
    pub fn assert_arrived(&self, received: &Self, way: &str) {
        let mut missing = Vec::new();
        for (topic, sent) in &self.topics {
            let nothing = BTreeSet::new();
            let arrived = received.topics.get(topic).unwrap_or(&nothing);
            let strange = arrived.difference(sent).count();
            assert_eq!(
                strange, 0,
                "{way}, {topic}: messages that nobody sent, or changed ones"
            );
            let count = arrived.len();
            note(&format!(
                "{way}, {topic}: {count} of {} arrived, equal",
                sent.len()
            ));
            if count * 1000 < sent.len() * 999 {
                let lost = sent.iter().enumerate();
                let lost: Vec<usize> = lost
                    .filter(|(_, message)| !arrived.contains(message))
                    .map(|(number, _)| number)
                    .collect();
                missing.push(format!(
                    "{topic}: {count} of {}, without number {lost:?}",
                    sent.len()
                ));
            }
        }
        assert!(missing.is_empty(), "{way}: expected 99.9 %, {missing:?}");
        let different: usize = received.topics.values().map(BTreeSet::len).sum();
        assert_eq!(
            received.messages, different,
            "{way}: a message arrived twice"
        );
    }
}

#[test]
fn a_lost_a_changed_and_a_doubled_message_are_noticed() {
    let heard = |numbers: &[i64], digest: &str| {
        let mut heard = Heard::default();
        for number in numbers {
            heard.insert("/a", *number, digest.to_owned());
        }
        heard
    };
    let fails = |sent: Heard, received: Heard| {
        let compare = move || sent.assert_arrived(&received, "trial");
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare)).is_err()
    };
    assert!(!fails(heard(&[1, 2], "x"), heard(&[1, 2], "x")));
    assert!(fails(heard(&[1, 2], "x"), heard(&[1], "x")));
    assert!(fails(heard(&[1, 2], "x"), heard(&[1, 2], "y")));
    assert!(fails(heard(&[1, 2], "x"), heard(&[1, 2, 2], "x")));
}
