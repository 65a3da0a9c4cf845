//! `metadata.yaml` of rosbag2: what a bag says of itself.

mod read;
mod render;

pub(crate) use read::{Compressed, Metadata, NAME};
pub(crate) use render::{TopicSummary, VERSION, inner, whole};
