//! The two file formats of bags, and how they are told apart.

use std::path::Path;

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
