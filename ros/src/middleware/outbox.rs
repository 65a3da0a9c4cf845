//! Publishing from a thread of its own.
//!
//! `publish` of the middleware allocates and may take milliseconds, and a reliable writer may refuse. A thread with a
//! deadline therefore hands its message to an [`Outbox`], a bounded queue, and the node's one publisher thread sends it.

use latco_controller::priority;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::channel::{Receiver, Sender, bounded};
use ros2_client::Publisher;
use serde::Serialize;

/// Counts of the messages of one topic by what became of them.
#[derive(Debug, Default)]
pub struct OutboxCounters {
    sent: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

impl OutboxCounters {
    /// Number of messages that the middleware accepted.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Number of messages that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Number of messages that the middleware refused: the send window of a reliable writer was full.
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

/// A callback on the publisher thread, with the time right after the middleware accepted a message.
#[derive(Debug, Clone)]
pub struct Receipt {
    sender: Sender<Published>,
    id: i64,
}

/// The notice that a message with a receipt has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The number that was given with the message.
    pub id: i64,
    /// Time at which the middleware had accepted it, in ns since the Unix epoch.
    pub at_ns: i64,
}

impl Receipt {
    /// Makes a receipt that is reported on `sender` (dropped when that is full) with the number `id`.
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
    /// Queues a message; returns false, and counts it, when the queue is full. It never blocks and never
    /// allocates.
    pub fn send(&self, message: M) -> bool {
        self.send_with(message, None)
    }

    /// Queues a message like [`send`](Self::send); the receipt is reported when the middleware has accepted
    /// it.
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
    /// Sends the oldest queued message; false when there was none.
    fn send_one(&mut self) -> bool;
    /// Name of the topic, for logs.
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
    fn send_one(&mut self) -> bool {
        let Ok((message, receipt)) = self.queue.try_recv() else {
            return false;
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
        true
    }

    fn topic(&self) -> &str {
        &self.name
    }
}

/// A change that the publisher thread is told of.
pub(super) enum OutletChange {
    /// Publishers are added, with their indices.
    Add(Vec<(usize, Box<dyn Outlet>)>),
    /// The publishers of these indices end.
    Remove(Vec<usize>),
}

/// The publishers of a node that its thread does not have yet.
pub(super) struct Outlets {
    added: Vec<(usize, Box<dyn Outlet>)>,
    indices: usize,
    wake: (Sender<usize>, Receiver<usize>),
}

impl Outlets {
    pub(super) fn new() -> Self {
        Self {
            added: Vec::new(),
            indices: 0,
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
        let index = self.indices;
        self.indices += 1;
        let outbox = Outbox {
            queue: sender,
            wake: self.wake.0.clone(),
            index,
            counters: counters.clone(),
        };
        let topic = Topic {
            name,
            queue,
            convert,
            publisher,
            counters,
        };
        self.added.push((index, Box::new(topic)));
        outbox
    }

    /// The publishers that were added since the last call.
    pub(super) fn take_added(&mut self) -> Vec<(usize, Box<dyn Outlet>)> {
        std::mem::take(&mut self.added)
    }

    /// Starts the thread; it ends, after sending what is queued, when `changes` is disconnected.
    pub(super) fn start(
        &self,
        changes: Receiver<OutletChange>,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let wake = self.wake.1.clone();
        let mut thread = PublisherThread::default();
        std::thread::Builder::new()
            .name("publisher".into())
            .spawn(move || {
                priority::raise();
                loop {
                    crossbeam::channel::select! {
                        recv(wake) -> index => if let Ok(index) = index {
                            // It may be of a publisher that was added just before.
                            changes.try_iter().for_each(|change| thread.apply(change));
                            thread.send_one(index);
                        },
                        recv(changes) -> change => match change {
                            Ok(change) => thread.apply(change),
                            Err(_) => break,
                        }
                    }
                }
                thread.end();
            })
    }
}

#[derive(Default)]
struct PublisherThread(HashMap<usize, Box<dyn Outlet>>);

impl PublisherThread {
    fn apply(&mut self, change: OutletChange) {
        match change {
            OutletChange::Add(added) => self.0.extend(added),
            OutletChange::Remove(indices) => {
                for index in indices {
                    if let Some(mut outlet) = self.0.remove(&index) {
                        while outlet.send_one() {}
                    }
                }
            }
        }
    }

    fn send_one(&mut self, index: usize) {
        if let Some(outlet) = self.0.get_mut(&index) {
            outlet.send_one();
        }
    }

    fn end(mut self) {
        for outlet in self.0.values_mut() {
            while outlet.send_one() {}
        }
        let topics: Vec<_> = self.0.values().map(|o| o.topic()).collect();
        tracing::debug!(?topics, "publisher thread ends");
    }
}
