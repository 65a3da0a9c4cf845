//! ROS 2 messages and rosbag2 bags (MCAP and sqlite3), without middleware.
//!
//! ```
//! use latco_bag::messages::{Float64, Int64};
//! use latco_bag::{BagReader, BagWriter, topics};
//!
//! # let folder = std::env::temp_dir().join(format!("latco-bag-doc-{}", std::process::id()));
//! # let _ = std::fs::remove_dir_all(&folder);
//! let mut bag = BagWriter::create(&folder)?;
//! bag.write(topics::EPISODE, 0, &Int64 { data: 0 })?;
//! bag.write(topics::REWARD, 100_000_000, &Float64 { data: 1.0 })?;
//! bag.finish()?;
//!
//! let bag = BagReader::open(&folder)?;
//! for message in bag.messages() {
//!     let message = message?;
//!     if latco_bag::topics::matches(&message.topic, topics::REWARD) {
//!         assert_eq!(message.decode::<Float64>()?.data, 1.0);
//!     }
//! }
//! # std::fs::remove_dir_all(&folder).expect("the example made it");
//! # Ok::<(), latco_bag::BagError>(())
//! ```
//!
//! * [`messages`] are plain serde structs in the order of the `.msg` files. To send them with
//!   ros2-client, wrap them in a local `#[serde(transparent)]` type that implements its marker
//!   trait; publishers and subscriptions need serde only.
//! * [`cdr`] turns them into bytes and back; any bytes give a result or an error.
//! * [`types`] knows definitions of types that are no structs here, and the hashes of types.
//! * [`BagWriter`] and [`BagReader`] write and read bags. A damaged or cut bag gives what is left
//!   of it, and an error for what is not.
//! * [`image`] and [`joints`] check what arrives before a controller or a trainer uses it.
//! * [`recording`] reads bags as what a robot saw, where its joints were and what it was told.

pub mod cdr;
mod error;
mod folder;
pub mod image;
pub mod joints;
pub mod messages;
mod metadata;
mod reader;
pub mod recording;
mod storage;
pub mod topics;
pub mod types;
mod writer;
mod yaml;
mod zstd_mark;

pub use error::BagError;
pub use reader::{BagMessage, BagReader, LeftOut, Messages, TopicInfo};
pub use storage::{Compression, Storage, TopicSpec};
pub use writer::{BagOptions, BagSummary, BagWriter};
pub use yaml::Yaml;
