//! Reading bags.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::records::Record;

use crate::cdr;
use crate::error::BagError;
use crate::messages::RosMessage;
use crate::scan::{Channel, Channels, Entry, FileIndex, read_entry, to_i64};

/// A topic of a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name as recorded.
    pub name: String,
    /// Type, for example `sensor_msgs/msg/Image`.
    pub type_name: String,
    /// `ros2msg` text of the type; may be empty in foreign bags.
    pub definition: String,
    /// Number of messages.
    pub messages: u64,
}

/// One recorded message, still encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagMessage {
    /// Topic as recorded; compare with [`crate::topics::matches`].
    pub topic: Arc<str>,
    /// Type, for example `sensor_msgs/msg/Image`.
    pub type_name: Arc<str>,
    /// Time at which it was recorded, ns since the epoch.
    pub time_ns: i64,
    /// CDR with its encapsulation header.
    pub data: Vec<u8>,
}

impl BagMessage {
    /// The message as `M`.
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

/// A bag opened for reading: a folder of rosbag2 (one or several `.mcap` files) or one `.mcap`
/// file.
#[derive(Debug)]
pub struct BagReader {
    path: PathBuf,
    files: Vec<FileIndex>,
    topics: Vec<TopicInfo>,
}

impl BagReader {
    /// Opens a bag and reads its index. A cut or damaged bag opens too, see [`Self::damage`].
    ///
    /// # Errors
    /// [`BagError::NotABag`], [`BagError::NotCdr`], [`BagError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BagError> {
        let path = path.as_ref();
        let files = mcap_files(path)?
            .iter()
            .map(|file| FileIndex::open(file))
            .collect::<Result<Vec<_>, _>>()?;
        let mut topics: BTreeMap<(Arc<str>, Arc<str>), TopicInfo> = BTreeMap::new();
        for file in &files {
            for (id, channel) in &file.channels.by_id {
                if *channel.encoding != *"cdr" {
                    return Err(BagError::NotCdr {
                        path: file.path.clone(),
                        topic: channel.topic.to_string(),
                        found: channel.encoding.to_string(),
                    });
                }
                topics
                    .entry((channel.topic.clone(), channel.type_name.clone()))
                    .or_insert_with(|| TopicInfo {
                        name: channel.topic.to_string(),
                        type_name: channel.type_name.to_string(),
                        definition: channel.definition.to_string(),
                        messages: 0,
                    })
                    .messages += file.counts.get(id).copied().unwrap_or(0);
            }
        }
        Ok(Self {
            path: path.to_path_buf(),
            files,
            topics: topics.into_values().collect(),
        })
    }

    /// Path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Topics, ordered by name.
    pub fn topics(&self) -> &[TopicInfo] {
        &self.topics
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

    /// Times of the first and last message, ns; `None` without messages.
    pub fn bounds_ns(&self) -> Option<(i64, i64)> {
        let entries = || self.files.iter().flat_map(|file| &file.entries);
        let first = entries().map(|entry| entry.start_ns).min()?;
        let last = entries().map(|entry| entry.end_ns).max()?;
        Some((to_i64(first), to_i64(last)))
    }

    /// What is known to be missing or damaged before any message is read
    /// ([`BagError::Truncated`], [`BagError::Damaged`], [`BagError::DamagedIndex`]).
    pub fn damage(&self) -> impl Iterator<Item = &BagError> {
        self.files.iter().flat_map(|file| &file.damage)
    }

    /// All messages in the order of their times.
    ///
    /// Damage is part of the sequence: a damaged chunk gives one [`BagError::Damaged`] in its
    /// place, and what [`Self::damage`] lists comes at the end. Stop at the first error to be
    /// strict; collect the errors and go on where [`BagError::is_partial`] to use what is left.
    pub fn messages(&self) -> Messages<'_> {
        let mut entries: Vec<(usize, Entry)> = self
            .files
            .iter()
            .enumerate()
            .flat_map(|(file, index)| index.entries.iter().map(move |entry| (file, *entry)))
            .collect();
        entries.sort_by_key(|(file, entry)| (entry.start_ns, *file, entry.offset));
        Messages {
            files: &self.files,
            open: self.files.iter().map(|_| None).collect(),
            channels: self
                .files
                .iter()
                .map(|file| file.channels.clone())
                .collect(),
            entries: entries.into(),
            pending: BinaryHeap::new(),
            errors: VecDeque::new(),
            at_end: self.damage().cloned().collect(),
        }
    }
}

/// Iterator over the messages of a bag, see [`BagReader::messages`]. Memory: the chunks that
/// overlap in time.
pub struct Messages<'a> {
    files: &'a [FileIndex],
    open: Vec<Option<File>>,
    channels: Vec<Channels>,
    /// Not yet read, by start time.
    entries: VecDeque<(usize, Entry)>,
    pending: BinaryHeap<Reverse<Pending>>,
    errors: VecDeque<BagError>,
    at_end: VecDeque<BagError>,
}

struct Pending {
    /// Time, file, offset of the record, number in the record.
    order: (u64, usize, u64, usize),
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
            let due = match (self.entries.front(), self.pending.peek()) {
                (Some((_, entry)), Some(Reverse(first))) => entry.start_ns <= first.order.0,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if due {
                if let Some((file, entry)) = self.entries.pop_front() {
                    self.load(file, &entry);
                }
                continue;
            }
            if let Some(Reverse(message)) = self.pending.pop() {
                return Some(Ok(BagMessage {
                    topic: message.channel.topic.clone(),
                    type_name: message.channel.type_name.clone(),
                    time_ns: to_i64(message.order.0),
                    data: message.data,
                }));
            }
            return self.at_end.pop_front().map(Err);
        }
    }
}

impl Messages<'_> {
    /// Reads the messages of one record into `pending`.
    fn load(&mut self, file: usize, entry: &Entry) {
        let path = &self.files[file].path;
        let handle = match &mut self.open[file] {
            Some(handle) => handle,
            closed => match File::open(path) {
                Ok(handle) => closed.insert(handle),
                Err(error) => {
                    self.errors.push_back(BagError::io(path, "opening", error));
                    self.entries.retain(|(other, _)| *other != file);
                    return;
                }
            },
        };
        let (channels, pending) = (&mut self.channels[file], &mut self.pending);
        let mut number = 0;
        let mut strays = 0;
        let result = read_entry(handle, entry, &mut |record| match record {
            Record::Message { header, data } => {
                match channels.by_id.get(&header.channel_id) {
                    Some(channel) => pending.push(Reverse(Pending {
                        order: (header.log_time, file, entry.offset, number),
                        channel: channel.clone(),
                        data: data.into_owned(),
                    })),
                    None => strays += 1,
                }
                number += 1;
            }
            other => channels.add(&other),
        });
        let detail = match result {
            Err(detail) => Some(detail),
            Ok(()) if strays > 0 => Some(format!("{strays} messages belong to no known topic")),
            Ok(()) => None,
        };
        if let Some(detail) = detail {
            self.errors.push_back(BagError::Damaged {
                path: path.clone(),
                offset: entry.offset,
                detail,
                start_ns: to_i64(entry.start_ns),
                end_ns: to_i64(entry.end_ns),
            });
        }
    }
}

/// The MCAP files of a bag in their order.
fn mcap_files(path: &Path) -> Result<Vec<PathBuf>, BagError> {
    let data = std::fs::metadata(path).map_err(|error| BagError::io(path, "opening", error))?;
    if data.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let listing = std::fs::read_dir(path).map_err(|error| BagError::io(path, "listing", error))?;
    let mut names: Vec<PathBuf> = listing
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    names.sort();
    let extension = |file: &Path| file.extension().and_then(|e| e.to_str()).map(str::to_owned);
    let mut files: Vec<PathBuf> = names
        .iter()
        .filter(|file| extension(file).as_deref() == Some("mcap"))
        .cloned()
        .collect();
    // NAME_2 before NAME_10.
    files.sort_by_key(|file| (file.as_os_str().len(), file.clone()));
    if files.is_empty() {
        let found = if names
            .iter()
            .any(|file| extension(file).as_deref() == Some("db3"))
        {
            "a bag with sqlite3 storage, which is not read; convert it with `ros2 bag convert` or \
             `rosbags-convert` to mcap"
                .to_owned()
        } else if names
            .iter()
            .any(|file| file.to_string_lossy().ends_with(".mcap.zstd"))
        {
            "a bag with files compressed as a whole; unpack them with `zstd -d`".to_owned()
        } else {
            let names: Vec<String> = names
                .iter()
                .filter_map(|file| file.file_name())
                .map(|name| name.to_string_lossy().into_owned())
                .take(5)
                .collect();
            match names.len() {
                0 => "an empty folder".to_owned(),
                _ => format!("a folder with {}", names.join(", ")),
            }
        };
        return Err(BagError::NotABag {
            path: path.to_path_buf(),
            found,
        });
    }
    Ok(files)
}
