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

use super::error::RecordError;
use super::topics::{Topic, publishers};
use crate::middleware::offered_qos::Offered;
use crate::middleware::{Network, NodeBuilder, RunningNode, expand, stamp};

/// Number of messages that may wait for the disk.
const QUEUE: usize = 4096;
/// Number of bytes that may wait for the disk.
const QUEUE_BYTES: u64 = 64 << 20;
/// Time between two closings of the chunk that is being filled; a killed recorder loses no more than that.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

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
    nodes: Vec<RunningNode>,
    records: Vec<Arc<TopicRecord>>,
    feed: Option<Feed>,
    types: TypeFinder,
    writer: Option<JoinHandle<Result<BagSummary, BagError>>>,
    written: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    broken: Arc<AtomicBool>,
    without_definition: Vec<String>,
}

/// Where messages wait for the disk.
#[derive(Clone)]
struct Feed {
    sender: Sender<Incoming>,
    /// Number of bytes that wait.
    waiting: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Feed {
    /// Has the topic listed, before its first message; waits for room.
    fn announce(&self, topic: &Arc<TopicRecord>) {
        // A writer that is gone is noticed at the end.
        let _ = self.sender.send(Incoming {
            topic: topic.clone(),
            time_ns: 0,
            payload: None,
        });
    }

    fn put(&self, topic: &Arc<TopicRecord>, payload: Bytes) {
        let bytes = payload.len() as u64;
        let room = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES;
        let incoming = Incoming {
            topic: topic.clone(),
            time_ns: stamp::now_ns(),
            payload: Some(payload),
        };
        if !room || self.sender.try_send(incoming).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The outcome of a recording.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Contents of the bag.
    pub summary: BagSummary,
    /// Number of messages that were dropped because the disk did not follow.
    pub dropped: u64,
}

impl Recorder {
    /// Opens a node for recording.
    ///
    /// # Errors
    /// [`RecordError::Node`] when the node cannot be made.
    pub fn node(network: Network, namespace: &str) -> Result<NodeBuilder, RecordError> {
        Ok(NodeBuilder::open(network, namespace, "recorder")?)
    }

    /// Opens a node that looks for topics while another one records, for [`Recorder::add`].
    ///
    /// # Errors
    /// [`RecordError::Node`] when the node cannot be made.
    pub fn looking_node(network: Network, namespace: &str) -> Result<NodeBuilder, RecordError> {
        Ok(NodeBuilder::open(network, namespace, "recorder_looking")?)
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
        let (sender, queue) = bounded::<Incoming>(QUEUE);
        let feed = Feed {
            sender,
            waiting: Arc::default(),
            dropped: Arc::default(),
        };
        let dropped = feed.dropped.clone();
        let mut without_definition = Vec::new();
        let records = described(&node, topics, &options.types, &mut without_definition)?;
        subscribe(&mut node, &records, &feed, &tap)?;
        let mut bag = BagWriter::create_with(folder, options.bag)?;
        let (failed, broken) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let written = Arc::<AtomicU64>::default();
        // Also what stays without messages is listed.
        for record in &records {
            record.announce(&mut bag)?;
        }
        let writing = Writing {
            bag,
            waiting: feed.waiting.clone(),
            written: written.clone(),
            failed: failed.clone(),
            broken: broken.clone(),
        };
        let writer = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || writing.run(&queue))?;
        Ok(Self {
            nodes: vec![RunningNode::start(node)?],
            records,
            feed: Some(feed),
            types: options.types.clone(),
            writer: Some(writer),
            written,
            dropped,
            failed,
            broken,
            without_definition,
        })
    }

    /// Records more topics from now on, by a node of their own; `tap` as for [`Recorder::start`].
    ///
    /// # Errors
    /// [`RecordError`]; what is recorded already goes on.
    pub fn add(
        &mut self,
        mut node: NodeBuilder,
        topics: &[Topic],
        tap: impl FnMut(&str, &[u8]) + Send + Clone + 'static,
    ) -> Result<(), RecordError> {
        let records = described(&node, topics, &self.types, &mut self.without_definition)?;
        if let Some(feed) = &self.feed {
            for record in &records {
                feed.announce(record);
            }
            subscribe(&mut node, &records, feed, &tap)?;
            self.nodes.push(RunningNode::start(node)?);
        }
        self.records.extend(records);
        Ok(())
    }

    /// Number of topics that are recorded.
    pub fn topics(&self) -> usize {
        self.records.len()
    }

    /// Whether something came on every topic of these types that had a publisher when it was subscribed to.
    pub fn hears(&self, types: &[&str]) -> bool {
        let mut records = self.records.iter();
        records.all(|record| {
            !types.contains(&&*record.ty)
                || record.offered.is_empty()
                || record.is_heard.load(Ordering::Relaxed)
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
        self.silence();
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
            dropped: self.dropped(),
        })
    }

    /// Takes the nodes down; with the last sender the writer ends.
    fn silence(&mut self) {
        self.nodes.clear();
        self.feed = None;
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.silence();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// A topic, and what the bag says about it.
struct TopicRecord {
    name: String,
    ty: String,
    definition: String,
    offered: Vec<Offered>,
    is_heard: AtomicBool,
}

impl TopicRecord {
    fn announce(&self, bag: &mut BagWriter) -> Result<(), BagError> {
        bag.announce_topic(&TopicSpec {
            name: &self.name,
            type_name: &self.ty,
            definition: &self.definition,
            offered_qos: &Offered::to_text(&self.offered),
        })
    }
}

/// What the bag says about each topic; those without a definition are appended to `without_definition`.
fn described(
    node: &NodeBuilder,
    topics: &[Topic],
    types: &TypeFinder,
    without_definition: &mut Vec<String>,
) -> Result<Vec<Arc<TopicRecord>>, RecordError> {
    let offered = publishers(node);
    let mut records = Vec::with_capacity(topics.len());
    for topic in topics {
        let definition = match types.definition(&topic.ty) {
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
        let offered = offered.iter().filter(|(topic, ..)| *topic == name);
        records.push(Arc::new(TopicRecord {
            offered: offered.map(|(_, _, offered)| *offered).collect(),
            name,
            ty: topic.ty.clone(),
            definition,
            is_heard: AtomicBool::new(false),
        }));
    }
    Ok(records)
}

/// Lets `node` feed the writer.
fn subscribe(
    node: &mut NodeBuilder,
    records: &[Arc<TopicRecord>],
    feed: &Feed,
    tap: &(impl FnMut(&str, &[u8]) + Send + Clone + 'static),
) -> Result<(), RecordError> {
    for record in records {
        let listen = Offered::to_listen(Offered::common(&record.offered));
        let (of, feed, mut tap) = (record.clone(), feed.clone(), tap.clone());
        node.subscribe_raw(&record.name, &record.ty, listen, move |payload| {
            of.is_heard.store(true, Ordering::Relaxed);
            tap(&of.name, &payload);
            feed.put(&of, payload);
        })?;
    }
    Ok(())
}

struct Incoming {
    topic: Arc<TopicRecord>,
    time_ns: i64,
    /// The message; none where the topic is only to be announced.
    payload: Option<Bytes>,
}

/// The writing thread.
struct Writing {
    bag: BagWriter,
    waiting: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    broken: Arc<AtomicBool>,
}

impl Writing {
    /// Writes messages until the last sender is gone.
    fn run(mut self, queue: &Receiver<Incoming>) -> Result<BagSummary, BagError> {
        let mut flushed = Instant::now();
        let mut broken = None;
        loop {
            match queue.recv_deadline(flushed + FLUSH_EVERY) {
                Ok(message) => {
                    let bytes = message.payload.as_ref().map_or(0, Bytes::len);
                    self.waiting.fetch_sub(bytes as u64, Ordering::Relaxed);
                    if broken.is_some() {
                        self.failed.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    match self.write(&message) {
                        Ok(()) => {
                            let messages = u64::from(message.payload.is_some());
                            self.written.fetch_add(messages, Ordering::Relaxed);
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

    fn write(&mut self, message: &Incoming) -> Result<(), BagError> {
        let topic = &message.topic;
        match &message.payload {
            Some(payload) => (self.bag).write_raw(&topic.name, &topic.ty, message.time_ns, payload),
            None => topic.announce(&mut self.bag),
        }
    }
}
