//! LeRobot data sets, v2.1 and v3.0: their episodes as a bag has them, and episodes of bags as such a data set.
//!
//! * [`LeRobot`] reads: `meta/info.json` and the list of episodes, rows in Parquet files, images in them or in videos.
//! * [`LeRobotWriter`] writes, as an [`crate::data::EpisodeSink`].
//!
//! A data set has features by name. Read are one camera (`observation.images.*`), the joint positions (`observation.state`),
//! `action`, and a reward where there is one; `observation.velocity` and `reward` are written by this program besides those that
//! LeRobot has, so that what is read again has equal values.

mod choice;
mod columns;
mod episodes;
mod error;
mod info;
mod layout;
mod meta;
mod read;
mod stats;
mod table;
mod video;
mod write;

pub use choice::{ActionKind, Wanted};
pub use error::LeRobotError;
pub use info::Version;
pub use layout::WriteOptions;
pub use read::{Frame, LeRobot};
pub use video::{Ffmpeg, PROGRAM, Picture};
pub use write::LeRobotWriter;
