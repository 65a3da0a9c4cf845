//! What a file of a bag takes and gives, whatever its format.

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

/// A topic of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) topic: Arc<str>,
    pub(crate) type_name: Arc<str>,
    /// Definition of the type; empty where the file has none.
    pub(crate) definition: Arc<str>,
    /// Encoding of the messages, `cdr` in every bag that can be read.
    pub(crate) encoding: Arc<str>,
    /// Hash of the type, `RIHS01_…`; empty where the file has none.
    pub(crate) type_hash: Arc<str>,
    /// The publishers' quality of service in YAML; empty where the file has none.
    pub(crate) offered_qos: Arc<str>,
}

/// A message on its way out of a file.
pub(crate) struct Taken {
    pub(crate) time_ns: i64,
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
    fn add_topic(&mut self, topic: &TopicSpec<'_>, type_hash: &str) -> Result<u16, BagError>;

    /// Appends a message to the topic.
    fn write(
        &mut self,
        topic: u16,
        sequence: u32,
        time_ns: u64,
        cdr: &[u8],
    ) -> Result<(), BagError>;

    /// Makes everything written so far safe against the end of the program.
    fn flush(&mut self) -> Result<(), BagError>;

    /// Completes the file. `metadata` is the text that `metadata.yaml` gets, without its outermost key.
    fn finish(&mut self, version: u32, metadata: &str) -> Result<(), BagError>;
}
