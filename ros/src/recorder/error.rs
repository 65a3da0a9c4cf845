//! Why there is no recording.

use latco_bag::BagError;
use latco_bag::types::NoDefinition;
use thiserror::Error;

use crate::middleware::NodeError;

/// The reason why there is no recording.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The node could not be made.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The bag could not be written.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// The text is no message type.
    #[error("topic {topic}: {source}")]
    Type {
        /// Name of the topic.
        topic: String,
        /// The error in its type.
        source: NoDefinition,
    },
    /// Publishers do not agree on a type; a topic of a bag has one.
    #[error(
        "topic {topic}: expected one type, found publishers of {types:?}; choose one as {topic}:package/msg/Type"
    )]
    SeveralTypes {
        /// Name of the topic.
        topic: String,
        /// Types that were announced.
        types: Vec<String>,
    },
    /// Nobody publishes a topic whose type was not given.
    #[error(
        "topic {topic}: expected a publisher within {seconds:.0} s to learn its type from, found none; start it first, or \
         give the type as {topic}:package/msg/Type"
    )]
    NoPublisher {
        /// Name of the topic.
        topic: String,
        /// Time for which a publisher was awaited, in seconds.
        seconds: f64,
    },
    /// The operating system gave no thread.
    #[error("no thread for the recorder: {0}")]
    Thread(#[from] std::io::Error),
}
