//! Publishing from a thread of its own.
//!
//! `publish` of the middleware allocates and may take milliseconds, and a reliable writer may refuse. A thread with a
//! deadline therefore hands its message to an [`Outbox`], a bounded queue, and the node's one publisher thread sends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::channel::{Receiver, Sender, bounded};
use ros2_client::Publisher;
use serde::Serialize;

/// What became of the messages of one topic.
#[derive(Debug, Default)]
pub struct OutboxCounters {
    sent: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

impl OutboxCounters {
    /// Messages that the middleware accepted.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Messages that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Messages that the middleware refused: the send window of a reliable writer was full.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The sending end of one topic. Cloneable; [`send`](Self::send) never blocks.
#[derive(Debug)]
pub struct Outbox<M> {
    queue: Sender<(M, Option<Receipt>)>,
    wake: Sender<usize>,
    index: usize,
    counters: Arc<OutboxCounters>,
}

/// Called on the publisher thread with the time right after the middleware accepted a message.
#[derive(Debug, Clone)]
pub struct Receipt {
    sender: Sender<Published>,
    id: i64,
}

/// A message with a receipt has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The number given with the message.
    pub id: i64,
    /// When the middleware had accepted it, nanoseconds since the Unix epoch.
    pub at_ns: i64,
}

impl Receipt {
    /// A receipt that is reported on `sender` (dropped when that is full) with the number `id`.
    pub fn new(sender: Sender<Published>, id: i64) -> Self {
        Self { sender, id }
    }
}

impl<M> Clone for Outbox<M> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            wake: self.wake.clone(),
            index: self.index,
            counters: self.counters.clone(),
        }
    }
}

impl<M> Outbox<M> {
    /// Queues a message; false, and counted, when the queue is full. Never blocks, never allocates.
    pub fn send(&self, message: M) -> bool {
        self.send_with(message, None)
    }

    /// As [`send`](Self::send); the receipt is reported when the middleware has accepted the message.
    pub fn send_with(&self, message: M, receipt: Option<Receipt>) -> bool {
        let queued = self.queue.try_send((message, receipt)).is_ok();
        if queued {
            // As long as all queues together, so it is full only if every message has its wake-up already.
            let _ = self.wake.try_send(self.index);
        } else {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
        queued
    }

    /// Whether all queued messages have been taken by the publisher thread.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The counters of this topic.
    pub fn counters(&self) -> &OutboxCounters {
        &self.counters
    }
}

/// One topic as the publisher thread sees it.
pub(super) trait Outlet: Send {
    /// Sends the oldest queued message, if any.
    fn send_one(&mut self);
    /// The topic, for logs.
    fn topic(&self) -> &str;
}

struct Topic<T, M: Serialize> {
    name: String,
    queue: Receiver<(T, Option<Receipt>)>,
    convert: fn(T) -> M,
    publisher: Publisher<M>,
    counters: Arc<OutboxCounters>,
}

impl<T: Send, M: Serialize + Send> Outlet for Topic<T, M> {
    fn send_one(&mut self) {
        let Ok((message, receipt)) = self.queue.try_recv() else {
            return;
        };
        match self.publisher.publish((self.convert)(message)) {
            Ok(()) => {
                self.counters.sent.fetch_add(1, Ordering::Relaxed);
                if let Some(receipt) = receipt {
                    let published = Published {
                        id: receipt.id,
                        at_ns: super::stamp::now_ns(),
                    };
                    let _ = receipt.sender.try_send(published);
                }
            }
            Err(error) => {
                if self.counters.refused.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(topic = %self.name, %error, "publishing failed; later failures are only counted");
                }
            }
        }
    }

    fn topic(&self) -> &str {
        &self.name
    }
}

/// The publishers of a node, until its thread starts.
pub(super) struct Outlets {
    outlets: Vec<Box<dyn Outlet>>,
    wake: (Sender<usize>, Receiver<usize>),
}

impl Outlets {
    pub(super) fn new() -> Self {
        Self {
            outlets: Vec::new(),
            wake: bounded(4096),
        }
    }

    pub(super) fn add<T: Send + 'static, M: Serialize + Send + 'static>(
        &mut self,
        name: String,
        publisher: Publisher<M>,
        depth: usize,
        convert: fn(T) -> M,
    ) -> Outbox<T> {
        let (sender, queue) = bounded(depth.max(1));
        let counters = Arc::new(OutboxCounters::default());
        let outbox = Outbox {
            queue: sender,
            wake: self.wake.0.clone(),
            index: self.outlets.len(),
            counters: counters.clone(),
        };
        self.outlets.push(Box::new(Topic {
            name,
            queue,
            convert,
            publisher,
            counters,
        }));
        outbox
    }

    /// Starts the thread; it ends, after sending what is queued, when `quit` is disconnected.
    pub(super) fn start(self, quit: Receiver<()>) -> std::io::Result<std::thread::JoinHandle<()>> {
        std::thread::Builder::new().name("publisher".into()).spawn(move || {
            let Self { mut outlets, wake: (_keep, wake) } = self;
            loop {
                crossbeam::select! {
                    recv(wake) -> index => {
                        if let Ok(index) = index && let Some(outlet) = outlets.get_mut(index) {
                            outlet.send_one();
                        }
                    }
                    recv(quit) -> _ => break,
                }
            }
            for index in wake.try_iter() {
                if let Some(outlet) = outlets.get_mut(index) {
                    outlet.send_one();
                }
            }
            tracing::debug!(topics = ?outlets.iter().map(|o| o.topic().to_owned()).collect::<Vec<_>>(), "publisher thread ends");
        })
    }
}
