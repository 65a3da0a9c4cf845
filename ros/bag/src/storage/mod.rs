//! The two file formats of bags: MCAP and sqlite3. The reader and the writer see both through this module.

pub(crate) mod mcap_read;
pub(crate) mod mcap_write;
pub(crate) mod sqlite_open;
pub(crate) mod sqlite_read;
pub(crate) mod sqlite_write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::BagError;
use crate::writer::TopicSpec;

/// File format of a bag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// MCAP, `NAME_0.mcap`: compressed chunks with checksums.
    #[default]
    Mcap,
    /// SQLite, `NAME_0.db3`, as rosbag2 wrote by default up to ROS 2 Humble. It has no checksums.
    Sqlite3,
}

impl Storage {
    /// The name of the format in `metadata.yaml`.
    pub fn identifier(self) -> &'static str {
        match self {
            Self::Mcap => "mcap",
            Self::Sqlite3 => "sqlite3",
        }
    }

    /// The last part of the file name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Mcap => "mcap",
            Self::Sqlite3 => "db3",
        }
    }

    /// The format by a file's name; `.zstd` at its end does not count.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let name = name.strip_suffix(".zstd").unwrap_or(name);
        [Self::Mcap, Self::Sqlite3].into_iter().find(|storage| {
            name.rsplit_once('.')
                .is_some_and(|(_, e)| e == storage.extension())
        })
    }
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

/// One file of a bag, opened.
#[derive(Debug)]
pub(crate) enum StoredFile {
    Mcap(mcap_read::McapFile),
    Sqlite(sqlite_read::SqliteFile),
}

impl StoredFile {
    /// Opens a file by its name, or by its first bytes where the name says nothing.
    pub(crate) fn open(path: &Path) -> Result<Self, BagError> {
        let storage = Storage::of(path).unwrap_or_else(|| match sqlite_open::has_mark(path) {
            true => Storage::Sqlite3,
            false => Storage::Mcap,
        });
        Ok(match storage {
            Storage::Mcap => Self::Mcap(mcap_read::McapFile::open(path)?),
            Storage::Sqlite3 => Self::Sqlite(sqlite_read::SqliteFile::open(path)?),
        })
    }

    pub(crate) fn path(&self) -> &PathBuf {
        match self {
            Self::Mcap(file) => &file.path,
            Self::Sqlite(file) => &file.path,
        }
    }

    /// The topics, and how many messages each has.
    pub(crate) fn channels(&self) -> Vec<(Arc<Channel>, u64)> {
        match self {
            Self::Mcap(file) => file.channels(),
            Self::Sqlite(file) => file.channels(),
        }
    }

    /// Times of the first and last message in nanoseconds.
    pub(crate) fn bounds_ns(&self) -> Option<(i64, i64)> {
        match self {
            Self::Mcap(file) => file.bounds_ns(),
            Self::Sqlite(file) => file.bounds_ns(),
        }
    }

    /// Faults that were found when the file was opened.
    pub(crate) fn damage(&self) -> &[BagError] {
        match self {
            Self::Mcap(file) => &file.damage,
            Self::Sqlite(file) => &file.damage,
        }
    }

    /// A cursor over the messages from `from_ns` on.
    pub(crate) fn cursor(&self, from_ns: i64) -> Box<dyn Cursor + '_> {
        match self {
            Self::Mcap(file) => Box::new(file.cursor(from_ns)),
            Self::Sqlite(file) => Box::new(file.cursor(from_ns)),
        }
    }
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
