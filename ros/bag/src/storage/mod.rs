//! The two file formats of bags: MCAP and sqlite3. The reader and the writer see both through this module.

mod contract;
mod file;
mod format;
mod mcap_read;
pub(crate) mod mcap_write;
mod sqlite_open;
mod sqlite_read;
pub(crate) mod sqlite_write;

pub(crate) use contract::{Channel, Cursor, FileWriter, ROS2MSG};
pub use contract::{Compression, TopicSpec};
pub(crate) use file::StoredFile;
pub use format::Storage;
