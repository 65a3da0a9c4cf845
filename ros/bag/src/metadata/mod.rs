//! `metadata.yaml` of rosbag2: what a bag says of itself.

mod read;
mod render;

pub(crate) use read::{Metadata, NAME};
pub(crate) use render::{About, TopicSummary, VERSION, inner, whole};
