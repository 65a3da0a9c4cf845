//! What can be wrong with a bag.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cdr::CdrError;

/// Why a bag, or a part of it, cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BagError {
    /// The file system refused an operation.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// File or folder concerned.
        path: PathBuf,
        /// The operation that was tried.
        action: &'static str,
        /// The system's answer.
        source: Arc<std::io::Error>,
    },
    /// Something has the name of the new bag already; a bag is never written over it.
    #[error("{}: expected a free name for a new bag, found something there; choose another name or remove it", path.display())]
    Exists {
        /// The folder that was asked for.
        path: PathBuf,
    },
    /// The path is neither a bag folder nor a file of a bag.
    #[error("{}: expected a bag (a folder with .mcap or .db3 files, or one such file), found {found}", path.display())]
    NotABag {
        /// File or folder that was asked for.
        path: PathBuf,
        /// Description of what is there instead.
        found: String,
    },
    /// A message has another type than the earlier ones of its topic; a topic has one type in a bag.
    #[error(
        "topic `{topic}`: expected type {recorded} as before, found {given}; use another topic name"
    )]
    TypeChanged {
        /// Topic concerned.
        topic: String,
        /// Type of the earlier messages.
        recorded: String,
        /// Type of the message that was refused.
        given: String,
    },
    /// A message has a time before the epoch; bags hold only times since the epoch.
    #[error(
        "topic `{topic}`: expected a time of at least 0 ns, found {time_ns} ns; check the clock"
    )]
    NegativeTime {
        /// Topic concerned.
        topic: String,
        /// The time given, in nanoseconds.
        time_ns: i64,
    },
    /// The writer of the storage format failed.
    #[error("{}: writing: {detail}", path.display())]
    Write {
        /// File of the bag.
        path: PathBuf,
        /// The writer's description of the fault.
        detail: String,
    },
    /// The end of the file is missing: the recording was cut, or the copy is incomplete.
    #[error(
        "{}: truncated: the file has {file_bytes} bytes and ends inside a record; everything up to \
         byte {complete_bytes} is readable ({complete_chunks} complete chunks, the last message at \
         {last_time_ns} ns), what came later is lost; copy the file again if it is a copy",
        path.display()
    )]
    Truncated {
        /// MCAP file.
        path: PathBuf,
        /// Size of the file in bytes.
        file_bytes: u64,
        /// Offset at which the last complete record ends, in bytes.
        complete_bytes: u64,
        /// Number of complete chunks.
        complete_chunks: usize,
        /// Time of the last readable message in nanoseconds; 0 without one.
        last_time_ns: i64,
    },
    /// A part in the middle is damaged; the others are still read.
    #[error(
        "{}: damaged at byte {offset}: {detail}; the messages between {start_ns} ns and {end_ns} ns \
         may be lost, the rest of the file is read",
        path.display()
    )]
    Damaged {
        /// MCAP file.
        path: PathBuf,
        /// Offset at which the damaged record begins, in bytes.
        offset: u64,
        /// Description of the damage.
        detail: String,
        /// First time that the record claims to hold, in nanoseconds.
        start_ns: i64,
        /// Last time that the record claims to hold, in nanoseconds.
        end_ns: i64,
    },
    /// The index at the end of the file is damaged; it was rebuilt from the messages.
    #[error(
        "{}: damaged index at byte {offset}: {detail}; the messages are read without it, none is lost",
        path.display()
    )]
    DamagedIndex {
        /// MCAP file.
        path: PathBuf,
        /// Offset at which the index begins, in bytes.
        offset: u64,
        /// Description of the damage.
        detail: String,
    },
    /// The writer of a sqlite3 bag did not complete the bag.
    #[error(
        "{}: not completed: {detail}; the {messages} messages up to its last commit are readable, the last of \
         {last_time_ns} ns, what came later is lost",
        path.display()
    )]
    Unfinished {
        /// File or folder.
        path: PathBuf,
        /// The evidence that the bag is incomplete.
        detail: String,
        /// Number of messages that are there.
        messages: u64,
        /// Time of the last readable message in nanoseconds; 0 without one.
        last_time_ns: i64,
    },
    /// A part of a sqlite3 bag is damaged; the others are still read.
    #[error("{}: damaged: {detail}; lost: {lost}; the rest of the file is read", path.display())]
    DamagedRows {
        /// The sqlite3 file.
        path: PathBuf,
        /// Description of the damage.
        detail: String,
        /// Description of the messages that are lost.
        lost: String,
    },
    /// A message that was compressed does not decompress; the others are still read.
    #[error(
        "topic `{topic}` at {time_ns} ns: damaged: expected a message compressed with zstd: {detail}; it is lost"
    )]
    DamagedMessage {
        /// Topic concerned.
        topic: String,
        /// Time of the message in nanoseconds.
        time_ns: i64,
        /// The decompressor's description of the fault.
        detail: String,
    },
    /// A file compressed as a whole does not decompress to its end; its beginning is still read.
    #[error("{}: damaged: expected a file compressed with zstd: {detail}; what it holds up to there is read", path.display())]
    DamagedArchive {
        /// The compressed file.
        path: PathBuf,
        /// The decompressor's description of the fault.
        detail: String,
    },
    /// A file that `metadata.yaml` lists is not there; the others are still read.
    #[error("{}: listed in metadata.yaml and not there: its messages are lost; copy the whole folder", path.display())]
    MissingFile {
        /// The path at which the file should be.
        path: PathBuf,
    },
    /// `metadata.yaml` contradicts the files or cannot be read; the files are still read.
    #[error("{}: {detail}; the files are read by what they hold", path.display())]
    Metadata {
        /// Path of `metadata.yaml`.
        path: PathBuf,
        /// Description of the contradiction.
        detail: String,
    },
    /// The bag is compressed in a way that is not known.
    #[error("{}: expected a bag without compression or with zstd, found {found}; convert it with `ros2 bag convert`", path.display())]
    Compression {
        /// Path of `metadata.yaml`.
        path: PathBuf,
        /// Compression that the file names.
        found: String,
    },
    /// A message was asked for as another type than it was recorded with.
    #[error(
        "topic `{topic}`: expected type {expected}, found {found}; remap the topic or record it with that type"
    )]
    WrongType {
        /// Topic concerned.
        topic: String,
        /// Type that was asked for.
        expected: &'static str,
        /// Type that was recorded.
        found: String,
    },
    /// A message does not decode.
    #[error("topic `{topic}` at {time_ns} ns: {source}")]
    Decode {
        /// Topic concerned.
        topic: String,
        /// Time of the message in nanoseconds.
        time_ns: i64,
        /// The decoder's error.
        source: CdrError,
    },
    /// A message does not encode.
    #[error("topic `{topic}`: {source}")]
    Encode {
        /// Topic concerned.
        topic: String,
        /// The encoder's error.
        source: CdrError,
    },
}

impl BagError {
    /// Whether the rest of the bag is still read after this error.
    pub fn is_partial(&self) -> bool {
        matches!(
            self,
            Self::Truncated { .. }
                | Self::Damaged { .. }
                | Self::DamagedIndex { .. }
                | Self::Unfinished { .. }
                | Self::DamagedRows { .. }
                | Self::DamagedMessage { .. }
                | Self::DamagedArchive { .. }
                | Self::MissingFile { .. }
                | Self::Metadata { .. }
        )
    }

    /// Whether only the end of the recording is missing, as after a recorder that was killed: what is there is whole.
    pub fn is_end_missing(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::Unfinished { .. })
    }

    /// Whether messages before the end of the recording are missing or may be.
    pub fn is_hole(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::DamagedRows { .. }
                | Self::DamagedMessage { .. }
                | Self::DamagedArchive { .. }
                | Self::MissingFile { .. }
        )
    }

    pub(crate) fn io(
        path: impl Into<PathBuf>,
        action: &'static str,
        source: std::io::Error,
    ) -> Self {
        Self::Io {
            path: path.into(),
            action,
            source: Arc::new(source),
        }
    }
}
