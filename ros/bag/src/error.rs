//! What can be wrong with a bag.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cdr::CdrError;
use crate::messages::UnknownType;

/// Why a bag, or a part of it, cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BagError {
    /// The file system refused.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Answer of the system.
        source: Arc<std::io::Error>,
    },
    /// A bag is never written over something else.
    #[error("{}: expected a free name for a new bag, found something there; choose another name or remove it", path.display())]
    Exists {
        /// The folder asked for.
        path: PathBuf,
    },
    /// Neither a bag folder nor an MCAP file.
    #[error("{}: expected a bag (a folder with .mcap or .db3 files, or one such file), found {found}", path.display())]
    NotABag {
        /// File or folder.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// The file was made for something else than ROS 2.
    #[error("{}: topic `{topic}`: expected messages in `cdr`, found `{found}`; record with rosbag2", path.display())]
    NotCdr {
        /// MCAP file.
        path: PathBuf,
        /// Topic concerned.
        topic: String,
        /// Encoding in the file.
        found: String,
    },
    /// A topic has one type in a bag.
    #[error(
        "topic `{topic}`: expected type {recorded} as before, found {given}; use another topic name"
    )]
    TypeChanged {
        /// Topic.
        topic: String,
        /// Type of the earlier messages.
        recorded: String,
        /// Type of this message.
        given: String,
    },
    /// Bags hold times since an epoch only.
    #[error(
        "topic `{topic}`: expected a time of at least 0 ns, found {time_ns} ns; check the clock"
    )]
    NegativeTime {
        /// Topic.
        topic: String,
        /// The time given.
        time_ns: i64,
    },
    /// The writer failed.
    #[error("{}: writing: {detail}", path.display())]
    Write {
        /// File of the bag.
        path: PathBuf,
        /// What the writer says.
        detail: String,
    },
    /// The end is missing: the recording was cut, or the copy is incomplete.
    #[error(
        "{}: truncated: the file has {file_bytes} bytes and ends inside a record; everything up to \
         byte {complete_bytes} is readable ({complete_chunks} complete chunks, the last message at \
         {last_time_ns} ns), what came later is lost; copy the file again if it is a copy",
        path.display()
    )]
    Truncated {
        /// MCAP file.
        path: PathBuf,
        /// Size of the file.
        file_bytes: u64,
        /// End of the last complete record.
        complete_bytes: u64,
        /// Chunks that are complete.
        complete_chunks: usize,
        /// Time of the last readable message, 0 without one.
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
        /// Where the damaged record begins.
        offset: u64,
        /// What does not fit.
        detail: String,
        /// First time the record claims to hold.
        start_ns: i64,
        /// Last time the record claims to hold.
        end_ns: i64,
    },
    /// The index at the end is damaged; it was made again from the messages.
    #[error(
        "{}: damaged index at byte {offset}: {detail}; the messages are read without it, none is lost",
        path.display()
    )]
    DamagedIndex {
        /// MCAP file.
        path: PathBuf,
        /// Where the index begins.
        offset: u64,
        /// What does not fit.
        detail: String,
    },
    /// The writer of a sqlite3 bag did not complete it.
    #[error(
        "{}: not completed: {detail}; the {messages} messages up to its last commit are readable, the last of \
         {last_time_ns} ns, what came later is lost",
        path.display()
    )]
    Unfinished {
        /// File or folder.
        path: PathBuf,
        /// How that is known.
        detail: String,
        /// Messages that are there.
        messages: u64,
        /// Time of the last readable message, 0 without one.
        last_time_ns: i64,
    },
    /// A part of a sqlite3 bag is damaged; the others are still read.
    #[error("{}: damaged: {detail}; lost: {lost}; the rest of the file is read", path.display())]
    DamagedRows {
        /// sqlite3 file.
        path: PathBuf,
        /// What does not fit.
        detail: String,
        /// Which messages.
        lost: String,
    },
    /// A message that was compressed does not decompress; the others are still read.
    #[error(
        "topic `{topic}` at {time_ns} ns: damaged: expected a message compressed with zstd: {detail}; it is lost"
    )]
    DamagedMessage {
        /// Topic.
        topic: String,
        /// Time of the message.
        time_ns: i64,
        /// What the decompression says.
        detail: String,
    },
    /// A file compressed as a whole does not decompress to its end; its beginning is still read.
    #[error("{}: damaged: expected a file compressed with zstd: {detail}; what it holds up to there is read", path.display())]
    DamagedArchive {
        /// Compressed file.
        path: PathBuf,
        /// What the decompression says.
        detail: String,
    },
    /// A file that `metadata.yaml` lists is not there; the others are still read.
    #[error("{}: listed in metadata.yaml and not there: its messages are lost; copy the whole folder", path.display())]
    MissingFile {
        /// Where it should be.
        path: PathBuf,
    },
    /// `metadata.yaml` is wrong; the files are still read.
    #[error("{}: {detail}; the files are read by what they hold", path.display())]
    Metadata {
        /// `metadata.yaml`.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// A compression that is not known.
    #[error("{}: expected a bag without compression or with zstd, found {found}; convert it with `ros2 bag convert`", path.display())]
    Compression {
        /// `metadata.yaml`.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// A message was asked for as another type than it has.
    #[error(
        "topic `{topic}`: expected type {expected}, found {found}; remap the topic or record it with that type"
    )]
    WrongType {
        /// Topic.
        topic: String,
        /// Type asked for.
        expected: &'static str,
        /// Type recorded.
        found: String,
    },
    /// A message does not decode.
    #[error("topic `{topic}` at {time_ns} ns: {source}")]
    Decode {
        /// Topic.
        topic: String,
        /// Time of the message.
        time_ns: i64,
        /// Why.
        source: CdrError,
    },
    /// A message does not encode.
    #[error("topic `{topic}`: {source}")]
    Encode {
        /// Topic.
        topic: String,
        /// Why.
        source: CdrError,
    },
    /// A type that this crate has no definition of.
    #[error("topic `{topic}`: {source}")]
    UnknownType {
        /// Topic.
        topic: String,
        /// Which type, and which are known.
        source: UnknownType,
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
