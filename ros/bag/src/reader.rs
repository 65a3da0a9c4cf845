//! Reading bags.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cdr;
use crate::error::BagError;
use crate::folder::Files;
use crate::messages::RosMessage;
use crate::metadata::Metadata;
use crate::storage::{Channel, Cursor, Storage, StoredFile};
use crate::zstd_mark::begins_as_zstd;

/// Largest message in bytes, decompressed, so that a damaged one cannot ask for all memory.
const MESSAGE_LIMIT_BYTES: u64 = 512 << 20;

/// A topic of a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name of the topic as recorded.
    pub name: String,
    /// Type of the messages, for example `sensor_msgs/msg/Image`.
    pub type_name: String,
    /// Definition of the type; may be empty in bags of other programs.
    pub definition: String,
    /// Language of the definition, `ros2msg` or `ros2idl`; empty where the bag has none.
    pub language: String,
    /// Hash of the type, `RIHS01_…` (REP 2016); empty where the bag has none.
    pub type_hash: String,
    /// The publishers' quality of service as a YAML list; empty where the bag has none.
    pub offered_qos: String,
    /// Number of messages.
    pub messages: u64,
}

impl TopicInfo {
    fn of(channel: &Channel) -> Self {
        Self {
            name: channel.topic.to_string(),
            type_name: channel.type_name.to_string(),
            definition: channel.definition.to_string(),
            language: channel.language.to_string(),
            type_hash: channel.type_hash().to_owned(),
            offered_qos: channel.offered_qos().to_owned(),
            messages: 0,
        }
    }
}

/// A topic of a bag whose messages cannot be used; the others can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("topic `{topic}` ({messages} messages) is left out: {reason}")]
pub struct LeftOut {
    /// Name of the topic as recorded.
    pub topic: String,
    /// Number of messages.
    pub messages: u64,
    /// Description of what was expected and found.
    pub reason: String,
}

/// One recorded message, still encoded.
#[derive(Debug, Clone)]
pub struct BagMessage {
    /// Topic of the message as recorded; compare it with [`crate::topics::matches`].
    pub topic: Arc<str>,
    /// Type of the message, for example `sensor_msgs/msg/Image`.
    pub type_name: Arc<str>,
    /// Time at which the message was recorded, in nanoseconds since the epoch.
    pub time_ns: i64,
    /// The message in CDR, with its encapsulation header.
    pub data: Vec<u8>,
    /// What the file says about the topic, for copies.
    pub(crate) channel: Arc<Channel>,
    /// Time at which the message was published, where the file tells it apart from `time_ns`.
    pub(crate) published_ns: i64,
}

impl PartialEq for BagMessage {
    /// Compares topics, types, times of recording and bytes.
    fn eq(&self, other: &Self) -> bool {
        (&self.topic, &self.type_name, self.time_ns, &self.data)
            == (&other.topic, &other.type_name, other.time_ns, &other.data)
    }
}
impl Eq for BagMessage {}

impl BagMessage {
    /// Decodes the message as `M`.
    ///
    /// # Errors
    /// [`BagError::WrongType`] when it was recorded as another type, [`BagError::Decode`].
    pub fn decode<M: RosMessage>(&self) -> Result<M, BagError> {
        if *self.type_name != *M::TYPE {
            return Err(BagError::WrongType {
                topic: self.topic.to_string(),
                expected: M::TYPE,
                found: self.type_name.to_string(),
            });
        }
        cdr::decode(&self.data).map_err(|source| BagError::Decode {
            topic: self.topic.to_string(),
            time_ns: self.time_ns,
            source,
        })
    }
}

/// A bag opened for reading: a folder of rosbag2 (one or several `.mcap` or `.db3` files) or one
/// such file.
#[derive(Debug)]
pub struct BagReader {
    path: PathBuf,
    files: Vec<StoredFile>,
    topics: Vec<TopicInfo>,
    left_out: Vec<LeftOut>,
    /// Channels in the order of the files, each once, for copies.
    channels: Vec<Arc<Channel>>,
    /// Damage found in the folder rather than in one of its files.
    damage: Vec<BagError>,
    /// The files found, which also decompress messages and own what was unpacked.
    found: Files,
}

impl BagReader {
    /// Opens a bag and reads its index. A cut or damaged bag opens too, see [`Self::damage`].
    ///
    /// A sqlite3 file whose writer was killed has a journal beside it, which is taken into the file
    /// where that can be written.
    ///
    /// # Errors
    /// [`BagError::NotABag`], [`BagError::Compression`], [`BagError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BagError> {
        let path = path.as_ref();
        let mut found = Files::find(path)?;
        let mut damage = std::mem::take(&mut found.damage);
        let files = found
            .paths
            .iter()
            .map(|file| StoredFile::open(file))
            .collect::<Result<Vec<_>, _>>()?;
        let mut topics: BTreeMap<(Arc<str>, Arc<str>), TopicInfo> = BTreeMap::new();
        let mut left_out: BTreeMap<(Arc<str>, String), u64> = BTreeMap::new();
        let mut channels: Vec<Arc<Channel>> = Vec::new();
        for (mut channel, count) in files.iter().flat_map(StoredFile::channels) {
            let mut offered = found.metadata.iter().flat_map(|data| &data.offered_qos);
            if let Some((_, qos)) = offered.find(|(topic, _)| **topic == *channel.topic) {
                Arc::make_mut(&mut channel).offers(qos);
            }
            match channel.unusable() {
                Some(reason) => {
                    *left_out.entry((channel.topic.clone(), reason)).or_default() += count;
                }
                None => {
                    topics
                        .entry((channel.topic.clone(), channel.type_name.clone()))
                        .or_insert_with(|| TopicInfo::of(&channel))
                        .messages += count;
                }
            }
            if !channels.iter().any(|known| known.is_same(&channel)) {
                channels.push(channel);
            }
        }
        let left_out = (left_out.into_iter())
            .map(|((topic, reason), messages)| LeftOut {
                topic: topic.to_string(),
                messages,
                reason,
            })
            .collect();
        let mut reader = Self {
            path: path.to_path_buf(),
            files,
            topics: topics.into_values().collect(),
            left_out,
            channels,
            damage: Vec::new(),
            found,
        };
        let damaged = !damage.is_empty() || reader.damage().next().is_some();
        damage.extend(reader.compare_with_metadata(damaged));
        reader.damage = damage;
        Ok(reader)
    }

    /// Compares the folder's metadata with what the files hold. Files with damage of their own explain a
    /// difference.
    fn compare_with_metadata(&self, damaged: bool) -> Option<BagError> {
        if damaged || !self.path.is_dir() {
            return None;
        }
        let left_out =
            || (self.left_out.iter()).map(|topic| (topic.topic.as_str(), topic.messages));
        let messages = self.message_count() + left_out().map(|(_, count)| count).sum::<u64>();
        let Some(metadata) = &self.found.metadata else {
            // MCAP files say by themselves whether they are complete.
            let sqlite = self
                .files
                .iter()
                .any(|f| matches!(f, StoredFile::Sqlite(_)));
            return sqlite.then(|| BagError::Unfinished {
                path: self.path.clone(),
                detail: "metadata.yaml is missing, which a recorder writes at its end".to_owned(),
                messages,
                last_time_ns: self.bounds_ns().map_or(0, |(_, last)| last),
            });
        };
        let mut wrong: Vec<String> = (metadata.topics.iter())
            .filter_map(|(name, says)| {
                let holds: u64 = (self.topics.iter())
                    .map(|topic| (topic.name.as_str(), topic.messages))
                    .chain(left_out())
                    .filter(|(topic, _)| topic == name)
                    .map(|(_, count)| count)
                    .sum();
                (holds != *says).then(|| format!("{says} of `{name}`, found {holds}"))
            })
            .collect();
        if wrong.is_empty() && metadata.messages != messages {
            wrong.push(format!("{} messages, found {messages}", metadata.messages));
        }
        (!wrong.is_empty()).then(|| BagError::Metadata {
            path: self.path.join(crate::metadata::NAME),
            detail: format!("it counts {}", wrong.join(", ")),
        })
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The topics that can be used, ordered by name. A topic with messages of two types is there twice.
    pub fn topics(&self) -> &[TopicInfo] {
        &self.topics
    }

    /// The topics that cannot be used: of other encodings than CDR, or without a type of ROS 2.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The file format of the bag.
    pub fn storage(&self) -> Storage {
        match self.files.first() {
            Some(StoredFile::Sqlite(_)) => Storage::Sqlite3,
            Some(StoredFile::Mcap(_)) | None => Storage::Mcap,
        }
    }

    pub(crate) fn channels(&self) -> &[Arc<Channel>] {
        &self.channels
    }

    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.found.metadata.as_ref()
    }

    /// The topic named `name`, up to a leading slash.
    pub fn topic(&self, name: &str) -> Option<&TopicInfo> {
        self.topics
            .iter()
            .find(|topic| crate::topics::matches(&topic.name, name))
    }

    /// Number of messages on all topics.
    pub fn message_count(&self) -> u64 {
        self.topics.iter().map(|topic| topic.messages).sum()
    }

    /// Times of the first and last message in nanoseconds; `None` without messages.
    pub fn bounds_ns(&self) -> Option<(i64, i64)> {
        let bounds = || self.files.iter().filter_map(StoredFile::bounds_ns);
        let first = bounds().map(|(first, _)| first).min()?;
        let last = bounds().map(|(_, last)| last).max()?;
        Some((first, last))
    }

    /// What is known to be missing or damaged before any message is read: all errors with
    /// [`BagError::is_partial`].
    pub fn damage(&self) -> impl Iterator<Item = &BagError> {
        let files = self.files.iter().flat_map(StoredFile::damage);
        self.damage.iter().chain(files)
    }

    /// All messages in the order of their times.
    ///
    /// Damage is part of the sequence: a damaged chunk gives one [`BagError::Damaged`] in its
    /// place, and what [`Self::damage`] lists comes at the end. Stop at the first error to be
    /// strict; collect the errors and go on where [`BagError::is_partial`] to use what is left.
    pub fn messages(&self) -> Messages<'_> {
        self.messages_from(i64::MIN)
    }

    /// The messages like [`Self::messages`], with those of the topics that are [left out](Self::left_out), whose bytes
    /// are not CDR: for copies.
    pub fn all_messages(&self) -> Messages<'_> {
        Messages {
            all: true,
            ..self.messages()
        }
    }

    /// The messages like [`Self::messages`], from a time on; what lies before it is not read.
    pub fn messages_from(&self, from_ns: i64) -> Messages<'_> {
        Messages {
            cursors: self.files.iter().map(|file| file.cursor(from_ns)).collect(),
            all: false,
            pending: BinaryHeap::new(),
            errors: VecDeque::new(),
            at_end: self.damage().cloned().collect(),
        }
    }
}

/// Iterator over the messages of a bag, see [`BagReader::messages`]. Its memory holds the chunks that overlap
/// in time.
pub struct Messages<'a> {
    /// One cursor for every file.
    cursors: Vec<Box<dyn Cursor + 'a>>,
    /// Whether messages that cannot be used are given as well.
    all: bool,
    pending: BinaryHeap<Reverse<Pending>>,
    errors: VecDeque<BagError>,
    at_end: VecDeque<BagError>,
}

struct Pending {
    /// Position in the sequence: time, file, place in the file.
    order: (i64, usize, (u64, usize)),
    published_ns: i64,
    channel: Arc<Channel>,
    data: Vec<u8>,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Pending {}
impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

impl Iterator for Messages<'_> {
    type Item = Result<BagMessage, BagError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(error) = self.errors.pop_front() {
                return Some(Err(error));
            }
            let cursors = self.cursors.iter().enumerate();
            let next = cursors
                .filter_map(|(file, cursor)| Some((cursor.due_ns()?, file)))
                .min();
            let pending = self.pending.peek().map(|Reverse(first)| first.order.0);
            match next {
                Some((due, file)) if pending.is_none_or(|pending| due <= pending) => {
                    let (pending, all) = (&mut self.pending, self.all);
                    let errors = self.cursors[file].load(&mut |taken| {
                        if all || taken.channel.unusable().is_none() {
                            pending.push(Reverse(Pending {
                                order: (taken.time_ns, file, taken.position),
                                published_ns: taken.published_ns,
                                channel: taken.channel,
                                data: taken.data,
                            }));
                        }
                    });
                    self.errors.extend(errors);
                }
                _ => {
                    return match self.pending.pop() {
                        Some(Reverse(message)) => Some(Self::finish(message)),
                        None => self.at_end.pop_front().map(Err),
                    };
                }
            }
        }
    }
}

impl Messages<'_> {
    fn finish(message: Pending) -> Result<BagMessage, BagError> {
        let time_ns = message.order.0;
        // What rosbag2 compressed itself says so; no message in CDR begins like this.
        let data = match begins_as_zstd(&message.data) {
            true => decompress(&message.data).map_err(|detail| BagError::DamagedMessage {
                topic: message.channel.topic.to_string(),
                time_ns,
                detail,
            })?,
            false => message.data,
        };
        Ok(BagMessage {
            topic: message.channel.topic.clone(),
            type_name: message.channel.type_name.clone(),
            time_ns,
            data,
            channel: message.channel,
            published_ns: message.published_ns,
        })
    }
}

/// Decompresses the bytes of a message that rosbag2 itself compressed.
fn decompress(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut data = Vec::new();
    zstd::stream::read::Decoder::new(packed)
        .and_then(|decoder| decoder.take(MESSAGE_LIMIT_BYTES + 1).read_to_end(&mut data))
        .map_err(|error| error.to_string())?;
    match data.len() as u64 {
        0..=MESSAGE_LIMIT_BYTES => Ok(data),
        _ => Err(format!(
            "expected at most {MESSAGE_LIMIT_BYTES} bytes, found more"
        )),
    }
}
