//! A node with its threads, to which topics and services may be added, and from which they may be removed,
//! while it runs.

use latco_controller::priority;
use std::collections::HashMap;
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use futures::StreamExt;
use futures::channel::mpsc;
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use ros2_client::Context;

use super::builder::NodeBuilder;
use super::error::NodeError;
use super::outbox::OutletChange;
use super::services::Task;

/// Publishers, subscriptions and services that were added together and can be removed together.
#[derive(Debug)]
pub struct Group {
    number: u64,
    outlets: Vec<usize>,
}

enum Change {
    Add(u64, Vec<Task>),
    Remove(u64),
}

/// A node with its threads. Dropping it sends what is queued and takes everything down, in the order the
/// middleware needs.
pub struct RunningNode {
    builder: Option<NodeBuilder>,
    publisher: Option<(Sender<OutletChange>, JoinHandle<()>)>,
    reactor: Option<(mpsc::UnboundedSender<Change>, Receiver<()>, JoinHandle<()>)>,
    groups: u64,
}

impl RunningNode {
    /// Starts the reactor and the publisher thread of a node. The middleware's own spinner is left out: nothing here needs it,
    /// and it would announce `/clock` under a type that is not that of ROS.
    ///
    /// # Errors
    /// [`NodeError::Thread`].
    pub fn start(builder: NodeBuilder) -> Result<Self, NodeError> {
        let (outlet_changes, changed) = unbounded();
        let publisher = builder.outlets.start(changed)?;
        let (changes, mut changed) = mpsc::unbounded::<Change>();
        let (ends_dropped, dropped) = bounded::<()>(0);
        let reactor = std::thread::Builder::new()
            .name("reactor".into())
            .spawn(move || {
                priority::raise();
                let mut pool = LocalPool::new();
                let spawner = pool.spawner();
                pool.run_until(async move {
                    let mut groups = HashMap::new();
                    while let Some(change) = changed.next().await {
                        match change {
                            Change::Add(group, tasks) => {
                                let handles: Vec<_> = tasks
                                    .into_iter()
                                    .map(|task| spawner.spawn_local_with_handle(task()))
                                    .collect();
                                groups.insert(group, handles);
                            }
                            // Dropped handles cancel their tasks.
                            Change::Remove(group) => drop(groups.remove(&group)),
                        }
                    }
                });
                // One more round lets the pool let go of the cancelled tasks.
                pool.run_until_stalled();
                drop(ends_dropped);
            })?;
        let mut running = Self {
            builder: Some(builder),
            publisher: Some((outlet_changes, publisher)),
            reactor: Some((changes, dropped, reactor)),
            groups: 0,
        };
        running.start_added();
        Ok(running)
    }

    /// Adds what `add` adds to the node, and starts it; adds nothing when there is an error.
    ///
    /// # Errors
    /// The errors of `add`.
    pub fn extend<T, E>(
        &mut self,
        add: impl FnOnce(&mut NodeBuilder) -> Result<T, E>,
    ) -> Result<(T, Group), E>
    where
        E: From<NodeError>,
    {
        let Some(builder) = &mut self.builder else {
            return Err(NodeError::Thread(std::io::ErrorKind::NotConnected.into()).into());
        };
        match add(builder) {
            Ok(made) => Ok((made, self.start_added())),
            Err(error) => {
                builder.tasks.clear();
                builder.outlets.take_added();
                Err(error)
            }
        }
    }

    fn start_added(&mut self) -> Group {
        self.groups += 1;
        let mut group = Group {
            number: self.groups,
            outlets: Vec::new(),
        };
        let Some(builder) = &mut self.builder else {
            return group;
        };
        let added = builder.outlets.take_added();
        group.outlets = added.iter().map(|(index, _)| *index).collect();
        // Both threads end only after their senders.
        if let Some((changes, _)) = &self.publisher {
            let _ = changes.send(OutletChange::Add(added));
        }
        if let Some((changes, ..)) = &self.reactor {
            let tasks = std::mem::take(&mut builder.tasks);
            let _ = changes.unbounded_send(Change::Add(group.number, tasks));
        }
        group
    }

    /// Takes publishers, subscriptions and services down; what is queued is sent first.
    pub fn remove(&mut self, group: Group) {
        if let Some((changes, _)) = &self.publisher {
            let _ = changes.send(OutletChange::Remove(group.outlets));
        }
        if let Some((changes, ..)) = &self.reactor {
            let _ = changes.unbounded_send(Change::Remove(group.number));
        }
    }

    /// The context, while the node runs.
    pub(crate) fn context(&self) -> Option<&Context> {
        self.builder.as_ref().map(NodeBuilder::context)
    }

    /// Number of foreign publishers of this topic that are known.
    pub fn publisher_count(&self, topic: &str) -> usize {
        let node = self.builder.as_ref().map(NodeBuilder::node);
        node.map_or(0, |n| n.publisher_count(topic))
    }

    /// Number of foreign subscriptions of this topic that are known.
    pub fn subscription_count(&self, topic: &str) -> usize {
        let node = self.builder.as_ref().map(NodeBuilder::node);
        node.map_or(0, |n| n.subscription_count(topic))
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        if let Some((changes, thread)) = self.publisher.take() {
            drop(changes);
            let _ = thread.join();
        }
        // Readers first, then the node, then the context.
        let reactor = self.reactor.take().map(|(changes, dropped, thread)| {
            drop(changes);
            let _ = dropped.recv();
            thread
        });
        let Some(NodeBuilder { node, context, .. }) = self.builder.take() else {
            return;
        };
        drop(node);
        if let Some(thread) = reactor {
            let _ = thread.join();
        }
        drop(context);
    }
}
