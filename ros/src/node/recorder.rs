//! Recording topics into a bag.
//!
//! The reactor thread hands each payload to a bounded queue; a thread of its own writes, since closing a chunk of the
//! file takes milliseconds. When the disk cannot follow, messages are dropped and counted, and nobody waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam::channel::{Sender, bounded};
use latco_bag::messages::definition_of;
use latco_bag::{BagError, BagSummary, BagWriter};
use thiserror::Error;

use super::{Network, NodeBuilder, NodeError, RunningNode, expand, qos, ros_name, stamp};

/// Messages that may wait for the disk.
const QUEUE: usize = 4096;
/// Bytes that may wait for the disk.
const QUEUE_BYTES: u64 = 64 << 20;
/// How often the chunk in work is closed, so that a killed recorder loses no more than that.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// A topic to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name, relative or absolute.
    pub name: String,
    /// Type, `package/msg/Type`.
    pub ty: String,
}

/// Topics recorded when none are named: what went into a controller, what came out, and how it went.
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

/// Why there is no recording.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The bag.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// A type whose definition is not known, so that nobody could read the bag.
    #[error("topic {topic}: {source}")]
    UnknownType {
        /// The topic.
        topic: String,
        /// Its type, and those that are known.
        source: latco_bag::messages::UnknownType,
    },
    /// Nobody publishes a topic whose type was not given.
    #[error(
        "topic {topic}: expected a publisher within {seconds:.0} s to learn its type from, found none; start it first, or \
         give the type as {topic}:package/msg/Type"
    )]
    NoPublisher {
        /// The topic.
        topic: String,
        /// How long it was waited for.
        seconds: f64,
    },
    /// The operating system gave no thread.
    #[error("no thread for the recorder: {0}")]
    Thread(#[from] std::io::Error),
}

/// A recording that is going on.
pub struct Recorder {
    node: Option<RunningNode>,
    writer: Option<JoinHandle<Result<BagSummary, BagError>>>,
    written: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The bag.
    pub summary: BagSummary,
    /// Messages that were dropped because the disk did not follow.
    pub dropped: u64,
}

/// `NAME` or `NAME:TYPE`.
pub fn parse_topic(text: &str) -> (String, Option<String>) {
    match text.split_once(':') {
        Some((name, ty)) => (name.to_owned(), Some(ty.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Types of topics by what their publishers announce; waits for them at most `limit`.
///
/// # Errors
/// [`RecordError::NoPublisher`] for the first topic that stays unknown.
pub fn discover(
    node: &NodeBuilder,
    topics: &[(String, Option<String>)],
    limit: Duration,
    stop: &super::Stop,
) -> Result<Vec<Topic>, RecordError> {
    let deadline = Instant::now() + limit;
    loop {
        let seen: Vec<(String, String)> = node
            .context()
            .domain_participant()
            .discovered_writers()
            .iter()
            .map(|writer| &writer.publication_topic_data)
            .filter_map(|topic| ros_name(&topic.topic_name, &topic.type_name))
            .collect();
        let (namespace, own) = (node.node().namespace(), node.node().fully_qualified_name());
        let absolute = |name: &str| expand(namespace, &own, name);
        let mut missing = None;
        let mut found = Vec::with_capacity(topics.len());
        for (name, ty) in topics {
            let ty = ty.clone().or_else(|| {
                let wanted = absolute(name);
                seen.iter()
                    .find(|(topic, _)| *topic == wanted)
                    .map(|(_, ty)| ty.clone())
            });
            match ty {
                Some(ty) => found.push(Topic {
                    name: name.clone(),
                    ty,
                }),
                None => missing = missing.or(Some(name.clone())),
            }
        }
        match missing {
            None => return Ok(found),
            Some(topic) if Instant::now() >= deadline || stop.wait(Duration::from_millis(100)) => {
                return Err(RecordError::NoPublisher {
                    topic,
                    seconds: limit.as_secs_f64(),
                });
            }
            Some(_) => {}
        }
    }
}

impl Recorder {
    /// Opens a node for recording.
    ///
    /// # Errors
    /// [`RecordError::Node`].
    pub fn node(network: Network, namespace: &str) -> Result<NodeBuilder, RecordError> {
        Ok(NodeBuilder::open(network, namespace, "recorder")?)
    }

    /// Starts to record `topics` into the new bag `folder`. `tap` sees every message on the reactor thread (topic as
    /// recorded, CDR with header) and must not block.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn start(
        mut node: NodeBuilder,
        folder: &Path,
        topics: &[Topic],
        tap: impl FnMut(&str, &[u8]) + Send + Clone + 'static,
    ) -> Result<Self, RecordError> {
        for topic in topics {
            definition_of(&topic.ty).map_err(|source| RecordError::UnknownType {
                topic: topic.name.clone(),
                source,
            })?;
        }
        let bag = BagWriter::create(folder)?;
        let (sender, queue) = bounded::<Incoming>(QUEUE);
        let waiting = Arc::new(AtomicU64::new(0));
        let written = Arc::new(AtomicU64::new(0));
        let dropped = Arc::new(AtomicU64::new(0));
        let failed = Arc::new(AtomicU64::new(0));
        for topic in topics {
            let (namespace, own) = (node.node().namespace(), node.node().fully_qualified_name());
            let name: Arc<str> = expand(namespace, &own, &topic.name).into();
            let ty: Arc<str> = topic.ty.as_str().into();
            let sender: Sender<Incoming> = sender.clone();
            let (waiting, dropped, mut tap) = (waiting.clone(), dropped.clone(), tap.clone());
            node.subscribe_raw(&topic.name, &topic.ty, qos::anything(), move |payload| {
                let time_ns = stamp::now_ns();
                tap(&name, &payload);
                let bytes = payload.len() as u64;
                let room = waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES;
                let incoming = Incoming {
                    topic: name.clone(),
                    ty: ty.clone(),
                    time_ns,
                    payload,
                };
                if !room || sender.try_send(incoming).is_err() {
                    waiting.fetch_sub(bytes, Ordering::Relaxed);
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
            })?;
        }
        // Only the subscriptions hold senders now: the writer ends when the node is taken down.
        drop(sender);
        let counters = (written.clone(), failed.clone());
        let writer = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            let mut bag = bag;
            let mut flushed = Instant::now();
            let (written, failed) = counters;
            for message in queue.iter() {
                waiting.fetch_sub(message.payload.len() as u64, Ordering::Relaxed);
                match bag.write_known(&message.topic, &message.ty, message.time_ns, &message.payload) {
                    Ok(()) => {
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => {
                        if failed.fetch_add(1, Ordering::Relaxed) == 0 {
                            tracing::error!(%error, "recording failed; later failures are only counted");
                        }
                    }
                }
                if flushed.elapsed() >= FLUSH_EVERY {
                    if let Err(error) = bag.flush() {
                        tracing::error!(%error, "the bag could not be written");
                    }
                    flushed = Instant::now();
                }
            }
            bag.finish()
        })?;
        let node = node.start()?;
        Ok(Self {
            node: Some(node),
            writer: Some(writer),
            written,
            dropped,
            failed,
        })
    }

    /// Messages written so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Messages dropped so far because the disk did not follow.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Messages that could not be written so far.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Ends the recording and completes the file.
    ///
    /// # Errors
    /// [`BagError`].
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

struct Incoming {
    topic: Arc<str>,
    ty: Arc<str>,
    time_ns: i64,
    payload: Bytes,
}
