//! One file of a bag, whatever its format.

use std::path::Path;
use std::sync::Arc;

use super::contract::{Channel, Cursor};
use super::format::Storage;
use super::{mcap_read, sqlite_open, sqlite_read};
use crate::error::BagError;

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
