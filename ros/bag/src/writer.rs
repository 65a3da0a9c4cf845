//! Writing a bag: a folder `NAME` with `NAME_0.mcap` and `metadata.yaml`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use mcap::records::MessageHeader;

use crate::cdr;
use crate::error::BagError;
use crate::messages::{RosMessage, definition_of};
use crate::metadata::{self, TopicSummary};

/// Uncompressed size at which a chunk is closed. What a cut recording loses is at most one chunk:
/// two seconds of 64x64 images at 10 Hz.
const CHUNK_BYTES: u64 = 256 * 1024;

struct Topic {
    name: String,
    type_name: String,
    channel: u16,
    messages: u64,
}

/// A bag being written. [`BagWriter::finish`] makes it complete and reports errors; dropping it
/// completes it too, without a report.
///
/// Same messages, same bytes: nothing of the clock or the machine goes into the files.
pub struct BagWriter {
    folder: PathBuf,
    file: PathBuf,
    mcap: mcap::Writer<BufWriter<File>>,
    topics: Vec<Topic>,
    bounds: Option<(i64, i64)>,
    buffer: Vec<u8>,
    closed: bool,
}

/// What a finished bag holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagSummary {
    /// The folder.
    pub folder: PathBuf,
    /// Messages on all topics.
    pub messages: u64,
    /// Times of the first and last message, ns; `None` without messages.
    pub bounds_ns: Option<(i64, i64)>,
    /// `(topic, type, messages)`.
    pub topics: Vec<(String, String, u64)>,
}

impl BagWriter {
    /// Makes the folder `folder` and starts a bag in it. The folder's name is the bag's name.
    ///
    /// # Errors
    /// [`BagError::Exists`] when something is there already, [`BagError::Io`].
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, BagError> {
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
        let file = folder.join(format!("{name}_0.mcap"));
        let handle = File::create_new(&file)
            .map_err(|source| BagError::io(&file, "making the file", source))?;
        let mcap = mcap::WriteOptions::new()
            .profile("ros2")
            .library("latco-bag")
            .compression(Some(mcap::Compression::Zstd))
            .compression_threads(0)
            .chunk_size(Some(CHUNK_BYTES))
            .create(BufWriter::new(handle))
            .map_err(|error| write_error(&file, &error))?;
        Ok(Self {
            folder,
            file,
            mcap,
            topics: Vec::new(),
            bounds: None,
            buffer: Vec::new(),
            closed: false,
        })
    }

    /// Folder of the bag.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Messages written so far.
    pub fn messages(&self) -> u64 {
        self.topics.iter().map(|topic| topic.messages).sum()
    }

    /// Announces a topic, so that it is listed even without messages. Writing announces too.
    ///
    /// # Errors
    /// [`BagError::TypeChanged`], [`BagError::Write`].
    pub fn announce<M: RosMessage>(&mut self, topic: &str) -> Result<(), BagError> {
        self.topic(topic, M::TYPE, M::DEFINITION).map(|_| ())
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
            .and_then(|()| self.write_raw(topic, M::TYPE, M::DEFINITION, time_ns, &buffer));
        self.buffer = buffer;
        result
    }

    /// Appends a message of any type as CDR with its encapsulation header; `definition` is the
    /// `ros2msg` text of its type.
    ///
    /// # Errors
    /// [`BagError::TypeChanged`], [`BagError::NegativeTime`], [`BagError::Write`].
    pub fn write_raw(
        &mut self,
        topic: &str,
        type_name: &str,
        definition: &str,
        time_ns: i64,
        cdr: &[u8],
    ) -> Result<(), BagError> {
        let time = u64::try_from(time_ns).map_err(|_| BagError::NegativeTime {
            topic: topic.to_owned(),
            time_ns,
        })?;
        let index = self.topic(topic, type_name, definition)?;
        let entry = &mut self.topics[index];
        let header = MessageHeader {
            channel_id: entry.channel,
            sequence: entry.messages as u32,
            log_time: time,
            publish_time: time,
        };
        self.mcap
            .write_to_known_channel(&header, cdr)
            .map_err(|error| write_error(&self.file, &error))?;
        entry.messages += 1;
        self.bounds = Some(match self.bounds {
            None => (time_ns, time_ns),
            Some((first, last)) => (first.min(time_ns), last.max(time_ns)),
        });
        Ok(())
    }

    /// As [`Self::write_raw`], for a type that this crate has the definition of.
    ///
    /// # Errors
    /// Also [`BagError::UnknownType`].
    pub fn write_known(
        &mut self,
        topic: &str,
        type_name: &str,
        time_ns: i64,
        cdr: &[u8],
    ) -> Result<(), BagError> {
        let definition = definition_of(type_name).map_err(|source| BagError::UnknownType {
            topic: topic.to_owned(),
            source,
        })?;
        self.write_raw(topic, type_name, definition, time_ns, cdr)
    }

    /// Closes the chunk in work, so that nothing written so far is lost if the program dies.
    ///
    /// # Errors
    /// [`BagError::Write`].
    pub fn flush(&mut self) -> Result<(), BagError> {
        self.mcap
            .flush()
            .map_err(|error| write_error(&self.file, &error))
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
                .map(|topic| (topic.name.clone(), topic.type_name.clone(), topic.messages))
                .collect(),
        })
    }

    fn close(&mut self) -> Result<(), BagError> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        self.mcap
            .finish()
            .map_err(|error| write_error(&self.file, &error))?;
        let topics: Vec<TopicSummary<'_>> = self
            .topics
            .iter()
            .map(|topic| TopicSummary {
                name: &topic.name,
                type_name: &topic.type_name,
                messages: topic.messages,
            })
            .collect();
        let file_name = self.file.file_name().and_then(|name| name.to_str());
        let text = metadata::render(
            file_name.expect("the file name was made from a valid string"),
            &topics,
            self.bounds,
        );
        let path = self.folder.join("metadata.yaml");
        File::create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|source| BagError::io(path, "writing", source))
    }

    /// Index of the topic in `self.topics`; announces it first if it is new.
    fn topic(&mut self, name: &str, type_name: &str, definition: &str) -> Result<usize, BagError> {
        if let Some(index) = self.topics.iter().position(|topic| topic.name == name) {
            let topic = &self.topics[index];
            if topic.type_name != type_name {
                return Err(BagError::TypeChanged {
                    topic: name.to_owned(),
                    recorded: topic.type_name.clone(),
                    given: type_name.to_owned(),
                });
            }
            return Ok(index);
        }
        let channel = self
            .mcap
            .add_schema(type_name, "ros2msg", definition.as_bytes())
            .and_then(|schema| {
                let qos = BTreeMap::from([("offered_qos_profiles".to_owned(), String::new())]);
                self.mcap.add_channel(schema, name, "cdr", &qos)
            })
            .map_err(|error| write_error(&self.file, &error))?;
        self.topics.push(Topic {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            channel,
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

fn write_error(path: &Path, error: &mcap::McapError) -> BagError {
    BagError::Write {
        path: path.to_path_buf(),
        detail: error.to_string(),
    }
}
