//! What a file of a bag takes and gives, whatever its format.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use crate::error::BagError;

/// Compression of the chunks of an MCAP file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// zstd, which makes smaller files.
    #[default]
    Zstd,
    /// LZ4, which is faster.
    Lz4,
    /// No compression.
    None,
}

/// Language of a definition as the `.msg` files have it.
pub(crate) const ROS2MSG: &str = "ros2msg";
/// Keys of what rosbag2 says about a topic beside its type.
const QOS_KEY: &str = "offered_qos_profiles";
const HASH_KEY: &str = "topic_type_hash";

/// A topic to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec<'a> {
    /// Name of the topic, with its leading slash.
    pub name: &'a str,
    /// Type of the messages, for example `sensor_msgs/msg/Image`.
    pub type_name: &'a str,
    /// Definition of the type in `ros2msg`; empty where it is not known (that of a type without fields is a
    /// line or a comment).
    pub definition: &'a str,
    /// The publishers' quality of service as a YAML list, as rosbag2 writes it; may be empty.
    pub offered_qos: &'a str,
}

/// A topic of a file, with everything that a copy of it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) topic: Arc<str>,
    /// Type of the messages; empty where the file has none.
    pub(crate) type_name: Arc<str>,
    /// Definition of the type; empty where the file has none.
    pub(crate) definition: Arc<str>,
    /// Language of the definition, for example `ros2msg` or `ros2idl`; empty where the file has none.
    pub(crate) language: Arc<str>,
    /// Encoding of the messages; those in `cdr` can be used.
    pub(crate) encoding: Arc<str>,
    /// What else the file says about the topic.
    pub(crate) about: BTreeMap<String, String>,
}

impl Channel {
    /// What a file says about a topic whose publishers offer `offered_qos`, and whose type has this hash; both may be empty.
    pub(crate) fn about(offered_qos: &str, type_hash: &str) -> BTreeMap<String, String> {
        let known = [(QOS_KEY, offered_qos), (HASH_KEY, type_hash)];
        (known.into_iter())
            .filter(|(key, value)| *key == QOS_KEY || !value.is_empty())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn said(&self, key: &str) -> &str {
        self.about.get(key).map_or("", String::as_str)
    }

    /// The publishers' quality of service in YAML; empty where the file has none.
    pub(crate) fn offered_qos(&self) -> &str {
        self.said(QOS_KEY)
    }

    /// Hash of the type, `RIHS01_…`; empty where the file has none.
    pub(crate) fn type_hash(&self) -> &str {
        self.said(HASH_KEY)
    }

    /// Whether two channels are the same topic of the same type, perhaps in two files of a bag.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.topic, &self.type_name, &self.encoding)
            == (&other.topic, &other.type_name, &other.encoding)
    }

    /// Takes over what the publishers offer where the file does not say it.
    pub(crate) fn offers(&mut self, qos: &str) {
        if self.offered_qos().is_empty() && !qos.is_empty() {
            self.about.insert(QOS_KEY.to_owned(), qos.to_owned());
        }
    }

    /// Why the messages cannot be used; `None` where they can.
    pub(crate) fn unusable(&self) -> Option<String> {
        if *self.encoding != *"cdr" {
            return Some(format!(
                "expected messages in `cdr`, found `{}`",
                self.encoding
            ));
        }
        let parts: Vec<&str> = self.type_name.split('/').collect();
        let is_type = matches!(parts[..], [package, "msg" | "srv" | "action", name] if !package.is_empty() && !name.is_empty());
        match (is_type, &*self.type_name) {
            (true, _) => None,
            (false, "") => Some("expected a type, found none (no schema)".to_owned()),
            (false, other) => Some(format!(
                "expected a type of ROS 2 (package/msg/Type), found `{other}`"
            )),
        }
    }
}

/// A message on its way out of a file.
pub(crate) struct Taken {
    pub(crate) time_ns: i64,
    /// Time at which the message was published, where the file tells it apart from `time_ns`.
    pub(crate) published_ns: i64,
    /// Position in the file, which orders messages of the same time.
    pub(crate) position: (u64, usize),
    pub(crate) channel: Arc<Channel>,
    pub(crate) data: Vec<u8>,
}

/// Goes through the messages of one file, nearly in the order of time.
pub(crate) trait Cursor {
    /// The earliest time in nanoseconds that the messages left may have; `None` at the end.
    fn due_ns(&self) -> Option<i64>;

    /// Hands over the next part of the file; returns the faults that were found in it.
    fn load(&mut self, take: &mut dyn FnMut(Taken)) -> Vec<BagError>;
}

/// Puts topics and messages into one file.
pub(crate) trait FileWriter: Send {
    /// Adds a topic and returns the number that stands for it from then on.
    fn add_topic(&mut self, topic: &Channel) -> Result<u16, BagError>;

    /// Appends a message to the topic, with the times of its recording and of its publication.
    fn write(
        &mut self,
        topic: u16,
        sequence: u32,
        times_ns: (u64, u64),
        cdr: &[u8],
    ) -> Result<(), BagError>;

    /// Makes everything written so far safe against the end of the program.
    fn flush(&mut self) -> Result<(), BagError>;

    /// Completes the file. `metadata` is the text that `metadata.yaml` gets, without its outermost key.
    fn finish(&mut self, version: u32, metadata: &str) -> Result<(), BagError>;
}

/// What the system says when it does not write, with a full disk in plain words.
pub(super) fn full_or(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => format!(
            "disk full, or a limit of it reached ({error}): make room; what was written before can be read"
        ),
        _ => error.to_string(),
    }
}
