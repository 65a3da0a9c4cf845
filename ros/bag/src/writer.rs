//! Writing a bag: a folder `NAME` with `NAME_0.mcap` or `NAME_0.db3`, and `metadata.yaml`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cdr;
use crate::error::BagError;
use crate::messages::RosMessage;
use crate::metadata::{self, About, TopicSummary};
use crate::reader::{BagMessage, BagReader};
use crate::storage::mcap_write::McapWriter;
use crate::storage::sqlite_write::SqliteWriter;
use crate::storage::{Channel, Compression, FileWriter, ROS2MSG, Storage, TopicSpec};
use crate::types::{TypeFinder, type_hash};

/// The format in which a bag is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BagOptions {
    /// File format of the bag.
    pub storage: Storage,
    /// Compression of the chunks of an MCAP file; a sqlite3 file is not compressed.
    pub compression: Compression,
}

struct Topic {
    channel: Arc<Channel>,
    number: u16,
    messages: u64,
}

/// A bag being written. [`BagWriter::finish`] makes it complete and reports errors; dropping it
/// completes it too, without a report.
///
/// The same messages give the same bytes: nothing of the clock or the machine goes into the files.
pub struct BagWriter {
    folder: PathBuf,
    file: PathBuf,
    storage: Storage,
    writer: Box<dyn FileWriter>,
    topics: Vec<Topic>,
    bounds: Option<(i64, i64)>,
    buffer: Vec<u8>,
    about: About,
    closed: bool,
}

/// The contents of a finished bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagSummary {
    /// The folder of the bag.
    pub folder: PathBuf,
    /// Number of messages on all topics.
    pub messages: u64,
    /// Times of the first and last message in nanoseconds; `None` without messages.
    pub bounds_ns: Option<(i64, i64)>,
    /// Topics as `(topic, type, messages)`.
    pub topics: Vec<(String, String, u64)>,
}

impl BagWriter {
    /// Makes the folder `folder` and starts a bag in it: MCAP, compressed with zstd. The folder's name
    /// is the bag's name.
    ///
    /// # Errors
    /// [`BagError::Exists`] when something is there already, [`BagError::Io`].
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, BagError> {
        Self::create_with(folder, BagOptions::default())
    }

    /// Makes a bag like [`Self::create`], in the format asked for.
    ///
    /// # Errors
    /// [`BagError::Exists`] when something is there already, [`BagError::Io`], [`BagError::Write`].
    pub fn create_with(folder: impl AsRef<Path>, options: BagOptions) -> Result<Self, BagError> {
        let folder = folder.as_ref().to_path_buf();
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| BagError::NotABag {
                path: folder.clone(),
                found: "a path without a readable last part".to_owned(),
            })?
            .to_owned();
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|source| BagError::io(parent, "making the folder", source))?;
        }
        std::fs::create_dir(&folder).map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => BagError::Exists {
                path: folder.clone(),
            },
            _ => BagError::io(&folder, "making the folder", source),
        })?;
        let storage = options.storage;
        let file = folder.join(format!("{name}_0.{}", storage.extension()));
        let writer: Box<dyn FileWriter> = match storage {
            Storage::Mcap => Box::new(McapWriter::create(&file, options.compression)?),
            Storage::Sqlite3 => Box::new(SqliteWriter::create(&file)?),
        };
        Ok(Self {
            folder,
            file,
            storage,
            writer,
            topics: Vec::new(),
            bounds: None,
            buffer: Vec::new(),
            about: About::default(),
            closed: false,
        })
    }

    /// Makes a bag for a copy of `bag`: of the same file format, with all its topics but those that `leave_out` names, and
    /// with all that it says about them and about itself. [`Self::copy`] puts its messages in.
    ///
    /// # Errors
    /// As those of [`Self::create_with`].
    pub fn create_copy(
        folder: impl AsRef<Path>,
        bag: &BagReader,
        leave_out: impl Fn(&str) -> bool,
    ) -> Result<Self, BagError> {
        let options = BagOptions {
            storage: bag.storage(),
            ..BagOptions::default()
        };
        let mut copy = Self::create_with(folder, options)?;
        copy.about = (bag.metadata()).map_or_else(About::default, |data| data.about.clone());
        for channel in bag.channels() {
            if !leave_out(&channel.topic) {
                copy.add(channel.clone())?;
            }
        }
        Ok(copy)
    }

    /// Appends a message of another bag as it is, also one that is not in CDR.
    ///
    /// # Errors
    /// [`BagError::NegativeTime`], [`BagError::Write`].
    pub fn copy(&mut self, message: &BagMessage) -> Result<(), BagError> {
        let known = (self.topics.iter()).position(|topic| topic.channel.is_same(&message.channel));
        let index = match known {
            Some(index) => index,
            None => self.add(message.channel.clone())?,
        };
        let published_ns = message.published_ns;
        self.append(index, (message.time_ns, published_ns), &message.data)
    }

    /// The folder of the bag.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Number of messages written so far.
    pub fn messages(&self) -> u64 {
        self.topics.iter().map(|topic| topic.messages).sum()
    }

    /// Announces a topic, so that it is listed even without messages. Writing announces too.
    ///
    /// # Errors
    /// [`BagError::TypeChanged`], [`BagError::Write`].
    pub fn announce<M: RosMessage>(&mut self, topic: &str) -> Result<(), BagError> {
        self.of_known_type(topic, M::TYPE).map(|_| ())
    }

    /// Announces a topic of any type.
    ///
    /// # Errors
    /// [`BagError::TypeChanged`], [`BagError::Write`].
    pub fn announce_topic(&mut self, topic: &TopicSpec<'_>) -> Result<(), BagError> {
        match self.known(topic.name, topic.type_name)? {
            Some(_) => Ok(()),
            None => self.add_topic(topic).map(|_| ()),
        }
    }

    /// Appends a message that was published at `time_ns` (nanoseconds since the epoch).
    ///
    /// # Errors
    /// [`BagError::TypeChanged`], [`BagError::NegativeTime`], [`BagError::Encode`],
    /// [`BagError::Write`].
    pub fn write<M: RosMessage>(
        &mut self,
        topic: &str,
        time_ns: i64,
        message: &M,
    ) -> Result<(), BagError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = cdr::encode_into(message, &mut buffer)
            .map_err(|source| BagError::Encode {
                topic: topic.to_owned(),
                source,
            })
            .and_then(|()| self.write_raw(topic, M::TYPE, time_ns, &buffer));
        self.buffer = buffer;
        result
    }

    /// Appends a message of any type as CDR with its encapsulation header. The definition of a standard type is put into the
    /// bag; any other is given by [`Self::announce_topic`], or not known.
    ///
    /// # Errors
    /// [`BagError::TypeChanged`], [`BagError::NegativeTime`], [`BagError::Write`].
    pub fn write_raw(
        &mut self,
        topic: &str,
        type_name: &str,
        time_ns: i64,
        cdr: &[u8],
    ) -> Result<(), BagError> {
        let index = self.of_known_type(topic, type_name)?;
        self.append(index, (time_ns, time_ns), cdr)
    }

    /// Appends a message with the times of its recording and of its publication.
    fn append(
        &mut self,
        index: usize,
        (time_ns, published_ns): (i64, i64),
        cdr: &[u8],
    ) -> Result<(), BagError> {
        let entry = &mut self.topics[index];
        let negative = |_| BagError::NegativeTime {
            topic: entry.channel.topic.to_string(),
            time_ns,
        };
        let time = u64::try_from(time_ns).map_err(negative)?;
        let times = (time, u64::try_from(published_ns).unwrap_or(time));
        (self.writer).write(entry.number, entry.messages as u32, times, cdr)?;
        entry.messages += 1;
        self.bounds = Some(match self.bounds {
            None => (time_ns, time_ns),
            Some((first, last)) => (first.min(time_ns), last.max(time_ns)),
        });
        Ok(())
    }

    /// Closes the chunk in work (commits what is not yet committed), so that nothing written so far is lost if the program dies.
    ///
    /// # Errors
    /// [`BagError::Write`].
    pub fn flush(&mut self) -> Result<(), BagError> {
        self.writer.flush()
    }

    /// Writes the index and `metadata.yaml`.
    ///
    /// # Errors
    /// [`BagError::Write`], [`BagError::Io`].
    pub fn finish(mut self) -> Result<BagSummary, BagError> {
        self.close()?;
        Ok(BagSummary {
            folder: self.folder.clone(),
            messages: self.messages(),
            bounds_ns: self.bounds,
            topics: self
                .topics
                .iter()
                .map(|topic| {
                    let (name, ty) = (&topic.channel.topic, &topic.channel.type_name);
                    (name.to_string(), ty.to_string(), topic.messages)
                })
                .collect(),
        })
    }

    fn close(&mut self) -> Result<(), BagError> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        let topics: Vec<TopicSummary<'_>> = self
            .topics
            .iter()
            .map(|topic| TopicSummary {
                name: &topic.channel.topic,
                type_name: &topic.channel.type_name,
                encoding: &topic.channel.encoding,
                type_hash: topic.channel.type_hash(),
                offered_qos: topic.channel.offered_qos(),
                messages: topic.messages,
            })
            .collect();
        let file_name = self.file.file_name().and_then(|name| name.to_str());
        let inner = metadata::inner(
            self.storage,
            file_name.expect("the file name was made from a valid string"),
            &topics,
            self.bounds,
            &self.about,
        );
        self.writer.finish(metadata::VERSION, &inner)?;
        let path = self.folder.join(metadata::NAME);
        std::fs::write(&path, metadata::whole(&inner))
            .map_err(|source| BagError::io(path, "writing", source))
    }

    /// Index of a topic whose type may be a standard one; announces it first if it is new.
    fn of_known_type(&mut self, name: &str, type_name: &str) -> Result<usize, BagError> {
        if let Some(index) = self.known(name, type_name)? {
            return Ok(index);
        }
        let definition = TypeFinder::built_in().definition(type_name);
        self.add_topic(&TopicSpec {
            name,
            type_name,
            definition: &definition.unwrap_or_default(),
            offered_qos: "",
        })
    }

    /// Index of a topic that was announced, with this type.
    fn known(&self, name: &str, type_name: &str) -> Result<Option<usize>, BagError> {
        let of_name = |topic: &Topic| *topic.channel.topic == *name;
        let Some(index) = self.topics.iter().position(of_name) else {
            return Ok(None);
        };
        let recorded = &self.topics[index].channel.type_name;
        if **recorded != *type_name {
            return Err(BagError::TypeChanged {
                topic: name.to_owned(),
                recorded: recorded.to_string(),
                given: type_name.to_owned(),
            });
        }
        Ok(Some(index))
    }

    fn add_topic(&mut self, spec: &TopicSpec<'_>) -> Result<usize, BagError> {
        let type_hash = type_hash(spec.type_name, spec.definition).unwrap_or_default();
        let language = match spec.definition.is_empty() {
            true => "",
            false => ROS2MSG,
        };
        self.add(Arc::new(Channel {
            topic: spec.name.into(),
            type_name: spec.type_name.into(),
            definition: spec.definition.into(),
            language: language.into(),
            encoding: "cdr".into(),
            about: Channel::about(spec.offered_qos, &type_hash),
        }))
    }

    fn add(&mut self, channel: Arc<Channel>) -> Result<usize, BagError> {
        let number = self.writer.add_topic(&channel)?;
        self.topics.push(Topic {
            channel,
            number,
            messages: 0,
        });
        Ok(self.topics.len() - 1)
    }
}

impl Drop for BagWriter {
    fn drop(&mut self) {
        // finish() is where errors are reported.
        let _ = self.close();
    }
}
