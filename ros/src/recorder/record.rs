//! Recording topics into a bag.
//!
//! The reactor thread hands each payload to a bounded queue; a thread of its own writes, since closing a chunk of the
//! file takes milliseconds. When the disk cannot follow, messages are dropped and counted, and nobody waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use latco_bag::types::{NoDefinition, TypeFinder};
use latco_bag::{BagError, BagOptions, BagSummary, BagWriter, TopicSpec};
use thiserror::Error;

use crate::middleware::offered_qos::Offered;
use crate::middleware::{
    Network, NodeBuilder, NodeError, RunningNode, Stop, expand, ros_name, stamp,
};

/// Number of messages that may wait for the disk.
const QUEUE: usize = 4096;
/// Number of bytes that may wait for the disk.
const QUEUE_BYTES: u64 = 64 << 20;
/// Time for which other publishers are looked for after the first.
const SETTLE: Duration = Duration::from_millis(500);
/// Time between two closings of the chunk that is being filled; a killed recorder loses no more than that.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// A topic to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name of the topic, relative or absolute.
    pub name: String,
    /// Type of the topic, `package/msg/Type`.
    pub ty: String,
}

/// The topics that are recorded when none are named: what goes into a controller, what comes out, and how it
/// goes.
pub fn standard_topics() -> Vec<Topic> {
    [
        ("camera/image_raw", "sensor_msgs/msg/Image"),
        (
            "camera/image_raw/compressed",
            "sensor_msgs/msg/CompressedImage",
        ),
        ("joint_states", "sensor_msgs/msg/JointState"),
        ("joint_trajectory", "trajectory_msgs/msg/JointTrajectory"),
        ("commands", "std_msgs/msg/Float64MultiArray"),
        ("reward", "std_msgs/msg/Float64"),
        ("episode", "std_msgs/msg/Int64"),
        ("latco/plan", "std_msgs/msg/Float64MultiArray"),
        ("latco/journal", "std_msgs/msg/UInt8MultiArray"),
        ("latco/status", "diagnostic_msgs/msg/DiagnosticStatus"),
    ]
    .map(|(name, ty)| Topic {
        name: name.into(),
        ty: ty.into(),
    })
    .to_vec()
}

/// The reason why there is no recording.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The node could not be made.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The bag could not be written.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// The text is no message type.
    #[error("topic {topic}: {source}")]
    Type {
        /// Name of the topic.
        topic: String,
        /// The error in its type.
        source: NoDefinition,
    },
    /// Publishers do not agree on a type; a topic of a bag has one.
    #[error(
        "topic {topic}: expected one type, found publishers of {types:?}; choose one as {topic}:package/msg/Type"
    )]
    SeveralTypes {
        /// Name of the topic.
        topic: String,
        /// Types that were announced.
        types: Vec<String>,
    },
    /// Nobody publishes a topic whose type was not given.
    #[error(
        "topic {topic}: expected a publisher within {seconds:.0} s to learn its type from, found none; start it first, or \
         give the type as {topic}:package/msg/Type"
    )]
    NoPublisher {
        /// Name of the topic.
        topic: String,
        /// Time for which a publisher was awaited, in seconds.
        seconds: f64,
    },
    /// The operating system gave no thread.
    #[error("no thread for the recorder: {0}")]
    Thread(#[from] std::io::Error),
}

/// Options with which topics are recorded.
#[derive(Clone, Debug, Default)]
pub struct RecordOptions {
    /// Format of the bag.
    pub bag: BagOptions,
    /// Finder of the definitions of types.
    pub types: TypeFinder,
}

/// A recording that is under way.
pub struct Recorder {
    node: Option<RunningNode>,
    writer: Option<JoinHandle<Result<BagSummary, BagError>>>,
    written: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    broken: Arc<AtomicBool>,
    without_definition: Vec<String>,
}

/// The outcome of a recording.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Contents of the bag.
    pub summary: BagSummary,
    /// Number of messages that were dropped because the disk did not follow.
    pub dropped: u64,
}

/// Reads `NAME` or `NAME:TYPE`.
pub fn parse_topic(text: &str) -> (String, Option<String>) {
    match text.split_once(':') {
        Some((name, ty)) => (name.to_owned(), Some(ty.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Every publisher that is known, as `(topic, type, what it offers)`.
fn publishers(node: &NodeBuilder) -> Vec<(String, String, Offered)> {
    let writers = node.context().domain_participant().discovered_writers();
    writers
        .iter()
        .map(|writer| &writer.publication_topic_data)
        .filter_map(|topic| {
            let (name, ty) = ros_name(&topic.topic_name, &topic.type_name)?;
            Some((name, ty, Offered::of(topic)))
        })
        .collect()
}

/// All topics that have a publisher after `time`, with their types. Topics with several types are left out and named in
/// the log.
pub fn discover_all(node: &NodeBuilder, time: Duration, stop: &Stop) -> Vec<Topic> {
    stop.wait(time);
    let mut found: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    for (name, ty, _) in publishers(node) {
        let types = found.entry(name).or_default();
        if !types.contains(&ty) {
            types.push(ty);
        }
    }
    let own = node.node().fully_qualified_name();
    found
        .into_iter()
        .filter(|(name, _)| !name.starts_with(&format!("{own}/")))
        .filter_map(|(name, types)| match &types[..] {
            [ty] => Some(Topic {
                name,
                ty: ty.clone(),
            }),
            _ => {
                let error = RecordError::SeveralTypes { topic: name, types };
                tracing::warn!(%error, "not recorded");
                None
            }
        })
        .collect()
}

/// The types of topics by what their publishers announce, and the topics that stay unknown; waits for them at most `limit`.
///
/// # Errors
/// [`RecordError::NoPublisher`] where all stay unknown, [`RecordError::SeveralTypes`].
pub fn discover(
    node: &NodeBuilder,
    topics: &[(String, Option<String>)],
    limit: Duration,
    stop: &Stop,
) -> Result<(Vec<Topic>, Vec<String>), RecordError> {
    let deadline = Instant::now() + limit;
    let mut settled = false;
    loop {
        let seen = publishers(node);
        let (namespace, own) = (node.node().namespace(), node.node().fully_qualified_name());
        let mut missing = Vec::new();
        let mut found = Vec::with_capacity(topics.len());
        for (name, ty) in topics {
            let wanted = expand(namespace, &own, name);
            let mut types: Vec<String> = match ty {
                Some(ty) => vec![ty.clone()],
                None => (seen.iter())
                    .filter(|(topic, ..)| *topic == wanted)
                    .map(|(_, ty, _)| ty.clone())
                    .collect(),
            };
            types.sort_unstable();
            types.dedup();
            match &types[..] {
                [ty] => found.push(Topic {
                    name: name.clone(),
                    ty: ty.clone(),
                }),
                [] => missing.push(name.clone()),
                _ => {
                    return Err(RecordError::SeveralTypes {
                        topic: name.clone(),
                        types,
                    });
                }
            }
        }
        if missing.is_empty() {
            if settled || topics.iter().all(|(_, ty)| ty.is_some()) {
                return Ok((found, missing));
            }
            // Another publisher of the same topic may be about to be seen.
            settled = true;
            stop.wait(SETTLE);
        } else if Instant::now() >= deadline || stop.wait(Duration::from_millis(100)) {
            return match found.is_empty() {
                true => Err(RecordError::NoPublisher {
                    topic: missing.join(", "),
                    seconds: limit.as_secs_f64(),
                }),
                false => Ok((found, missing)),
            };
        }
    }
}

impl Recorder {
    /// Opens a node for recording.
    ///
    /// # Errors
    /// [`RecordError::Node`] when the node cannot be made.
    pub fn node(network: Network, namespace: &str) -> Result<NodeBuilder, RecordError> {
        Ok(NodeBuilder::open(network, namespace, "recorder")?)
    }

    /// Starts to record `topics` into the new bag `folder`. `tap` sees every message on the reactor thread (topic as
    /// recorded, CDR with header) and must not block.
    ///
    /// A type without a definition is recorded without one, as rosbag2 does; see [`Self::without_definition`].
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn start(
        mut node: NodeBuilder,
        folder: &Path,
        topics: &[Topic],
        options: &RecordOptions,
        tap: impl FnMut(&str, &[u8]) + Send + Clone + 'static,
    ) -> Result<Self, RecordError> {
        let offered = publishers(&node);
        let mut records = Vec::with_capacity(topics.len());
        let mut without_definition = Vec::new();
        for topic in topics {
            let definition = match options.types.definition(&topic.ty) {
                Ok(text) => text,
                Err(source @ NoDefinition::Name(_)) => {
                    return Err(RecordError::Type {
                        topic: topic.name.clone(),
                        source,
                    });
                }
                Err(error) => {
                    tracing::warn!(
                        topic = %topic.name, %error,
                        "recorded without its definition: who reads the bag must have it; source its workspace or give \
                         its folder with --types"
                    );
                    without_definition.push(topic.name.clone());
                    String::new()
                }
            };
            let (namespace, own) = (node.node().namespace(), node.node().fully_qualified_name());
            let name = expand(namespace, &own, &topic.name);
            let offered: Vec<Offered> = (offered.iter())
                .filter(|(topic, ..)| *topic == name)
                .map(|(_, _, offered)| *offered)
                .collect();
            records.push(TopicRecord {
                name: name.into(),
                ty: topic.ty.clone(),
                definition,
                offered,
            });
        }
        let (sender, queue) = bounded::<Incoming>(QUEUE);
        let waiting = Arc::new(AtomicU64::new(0));
        let written = Arc::new(AtomicU64::new(0));
        let dropped = Arc::new(AtomicU64::new(0));
        let failed = Arc::new(AtomicU64::new(0));
        let broken = Arc::new(AtomicBool::new(false));
        for (index, (topic, record)) in topics.iter().zip(&records).enumerate() {
            let name = record.name.clone();
            let sender: Sender<Incoming> = sender.clone();
            let (waiting, dropped, mut tap) = (waiting.clone(), dropped.clone(), tap.clone());
            let listen = Offered::to_listen(Offered::common(&record.offered));
            node.subscribe_raw(&topic.name, &topic.ty, listen, move |payload| {
                let time_ns = stamp::now_ns();
                tap(&name, &payload);
                let bytes = payload.len() as u64;
                let room = waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES;
                let incoming = Incoming {
                    topic: index,
                    time_ns,
                    payload,
                };
                if !room || sender.try_send(incoming).is_err() {
                    waiting.fetch_sub(bytes, Ordering::Relaxed);
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
            })?;
        }
        let bag = BagWriter::create_with(folder, options.bag)?;
        // Only the subscriptions hold senders now: the writer ends when the node is taken down.
        drop(sender);
        let writing = Writing {
            bag,
            records,
            waiting,
            written: written.clone(),
            failed: failed.clone(),
            broken: broken.clone(),
        };
        let writer = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || writing.run(&queue))?;
        let node = RunningNode::start(node)?;
        Ok(Self {
            node: Some(node),
            writer: Some(writer),
            written,
            dropped,
            failed,
            broken,
            without_definition,
        })
    }

    /// The topics whose types have no known definition.
    pub fn without_definition(&self) -> &[String] {
        &self.without_definition
    }

    /// Number of messages written so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Number of messages dropped so far because the disk did not follow.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Number of messages that could not be written so far.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether the bag cannot be written any more, as on a full disk: [`Self::finish`] says why.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Ends the recording and completes the file.
    ///
    /// # Errors
    /// [`BagError`] when the file cannot be completed.
    pub fn finish(mut self) -> Result<Recorded, BagError> {
        drop(self.node.take());
        let summary = match self.writer.take().map(JoinHandle::join) {
            Some(Ok(summary)) => summary?,
            Some(Err(_)) | None => {
                return Err(BagError::Write {
                    path: PathBuf::new(),
                    detail: "the recorder's thread died".into(),
                });
            }
        };
        Ok(Recorded {
            summary,
            dropped: self.dropped.load(Ordering::Relaxed),
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.node.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// A topic, and what the bag says about it.
struct TopicRecord {
    name: Arc<str>,
    ty: String,
    definition: String,
    offered: Vec<Offered>,
}

struct Incoming {
    /// Number of the topic among all.
    topic: usize,
    time_ns: i64,
    payload: Bytes,
}

/// The writing thread.
struct Writing {
    bag: BagWriter,
    records: Vec<TopicRecord>,
    waiting: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    broken: Arc<AtomicBool>,
}

impl Writing {
    /// Writes messages until the last sender is gone.
    fn run(mut self, queue: &Receiver<Incoming>) -> Result<BagSummary, BagError> {
        let mut flushed = Instant::now();
        // Also what stays without messages is listed.
        let mut broken = self.announce().err();
        if let Some(error) = &broken {
            self.fail(error);
            self.broken.store(true, Ordering::Relaxed);
        }
        loop {
            match queue.recv_deadline(flushed + FLUSH_EVERY) {
                Ok(message) => {
                    self.waiting
                        .fetch_sub(message.payload.len() as u64, Ordering::Relaxed);
                    if broken.is_some() {
                        self.failed.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    match self.write(&message) {
                        Ok(()) => {
                            self.written.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            self.fail(&error);
                            // What is written behind a gap cannot be read.
                            broken = matches!(error, BagError::Write { .. }).then_some(error);
                            self.broken.store(broken.is_some(), Ordering::Relaxed);
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let finished = self.bag.finish();
                    return broken.map_or(finished, Err);
                }
            }
            if flushed.elapsed() >= FLUSH_EVERY && broken.is_none() {
                if let Err(error) = self.bag.flush() {
                    self.fail(&error);
                    broken = Some(error);
                    self.broken.store(true, Ordering::Relaxed);
                }
                flushed = Instant::now();
            }
        }
    }

    fn fail(&self, error: &BagError) {
        if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!(%error, "recording failed; later failures are only counted");
        }
    }

    fn announce(&mut self) -> Result<(), BagError> {
        for record in &self.records {
            self.bag.announce_topic(&TopicSpec {
                name: &record.name,
                type_name: &record.ty,
                definition: &record.definition,
                offered_qos: &Offered::to_text(&record.offered),
            })?;
        }
        Ok(())
    }

    fn write(&mut self, message: &Incoming) -> Result<(), BagError> {
        let record = &self.records[message.topic];
        (self.bag).write_raw(&record.name, &record.ty, message.time_ns, &message.payload)
    }
}
