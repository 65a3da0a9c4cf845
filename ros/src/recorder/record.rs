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
