//! The node that records a bag.

mod error;
mod record;
mod topics;

pub use error::RecordError;
pub use record::{RecordOptions, Recorded, Recorder};
pub use topics::{Topic, UsualTopics, discover, discover_all, parse_topic, standard_topics};
