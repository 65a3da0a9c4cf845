//! The part of a node that every node of ours shares: context, publishers, subscriptions, services, threads.
//!
//! ```text
//!  middleware threads ──▶ reactor thread (spinner, subscriptions, services) ──▶ handlers: never block
//!  any thread ──Outbox (bounded)──▶ publisher thread ──▶ middleware
//!  signals thread ──▶ Stop
//! ```

mod camera;
pub mod controller;
pub mod follower;
mod imagined;
mod intake;
pub mod journal;
mod names;
mod network;
mod outbox;
pub mod player;
pub mod qos;
pub mod raw;
pub mod recorder;
pub mod robot;
pub(crate) mod robot_camera;
mod services;
mod signals;
mod sink;
pub mod stamp;
mod status;
pub mod trace;

use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded};
use futures::channel::oneshot;
use futures::executor::LocalPool;
use futures::future::LocalBoxFuture;
use futures::task::LocalSpawnExt;
use futures::{FutureExt, StreamExt, pin_mut};
use latco_bag::messages::RosMessage;
use ros2_client::{Context, Node, NodeName, NodeOptions, QosProfile};
use thiserror::Error;

use crate::arguments::{Place, Use};

pub use names::{expand, message_type, ros_name};
pub use network::{MAX_DOMAIN, Network, NetworkError, Services, middleware_alive};
pub use outbox::{Outbox, OutboxCounters, Published, Receipt};
pub use services::{TriggerReply, TriggerRequest};
pub use signals::Stop;

/// Why a node or one of its ends could not be made.
#[derive(Debug, Error)]
pub enum NodeError {
    /// See [`NetworkError`].
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A name that ROS does not allow.
    #[error(
        "{what} name {name:?} is not a ROS name: {reason}; expected letters, digits, '_' and '/', no digit first"
    )]
    Name {
        /// Topic, service or node.
        what: &'static str,
        /// The name given.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A message type that is not of the form `package/msg/Type`.
    #[error(
        "message type {0:?}: expected the form package/msg/Type, such as sensor_msgs/msg/Image"
    )]
    Type(String),
    /// The middleware refused.
    #[error("{what} {name:?} could not be made: {reason}")]
    Middleware {
        /// Topic, service or node.
        what: &'static str,
        /// Its name.
        name: String,
        /// The middleware's words.
        reason: String,
    },
    /// Trajectories name their joints.
    #[error(
        "control.output = \"joint_trajectory\" needs the names of the joints, and the bundle has none; use \
         output = \"commands\""
    )]
    NoJoints,
    /// The operating system gave no thread.
    #[error("no thread for the node: {0}")]
    Thread(#[from] std::io::Error),
}

type Task = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// A node being put together: add publishers, subscriptions and services, then [`start`](Self::start).
pub struct NodeBuilder {
    // Dropped in this order: the ends, their node, the context.
    tasks: Vec<Task>,
    outlets: outbox::Outlets,
    node: Node,
    context: Context,
    place: Place,
}

impl NodeBuilder {
    /// Opens the network and a node on it, of which nothing is remapped.
    ///
    /// # Errors
    /// [`NodeError`] when the name is not allowed or the middleware does not start.
    pub fn open(network: Network, namespace: &str, name: &str) -> Result<Self, NodeError> {
        Self::open_at(network, Place::new(namespace, name))
    }

    /// Opens the network and a node on it; names of topics and services are resolved from its place.
    ///
    /// # Errors
    /// [`NodeError`] when the name is not allowed or the middleware does not start.
    pub fn open_at(network: Network, place: Place) -> Result<Self, NodeError> {
        let node_name =
            NodeName::new(&place.namespace, &place.name).map_err(|e| NodeError::Name {
                what: "node",
                name: place.full_name(),
                reason: e.to_string(),
            })?;
        let context = network.open()?;
        // Parameters, and with them the parameter services, belong to the node's life cycle.
        let options = NodeOptions::new().start_parameter_services(false);
        let node = context
            .new_node(node_name, options)
            .map_err(|e| NodeError::Middleware {
                what: "node",
                name: place.full_name(),
                reason: format!("{e:?}"),
            })?;
        Ok(Self {
            context,
            node,
            place,
            outlets: outbox::Outlets::new(),
            tasks: Vec::new(),
        })
    }

    fn topic(&self, name: &str, ty: &str, qos: &QosProfile) -> Result<rustdds::Topic, NodeError> {
        let full = names::resolve(&self.place, name, Use::Topic)?;
        self.node
            .create_topic(&full, message_type(ty)?, qos)
            .map_err(|e| NodeError::Middleware {
                what: "topic",
                name: name.into(),
                reason: e.to_string(),
            })
    }

    /// A topic to publish on, with a queue of `depth` messages in front of the publisher thread.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name or type.
    pub fn publisher<M: RosMessage + Send + 'static>(
        &mut self,
        name: &str,
        qos: QosProfile,
        depth: usize,
    ) -> Result<Outbox<M>, NodeError> {
        self.publisher_of(name, qos, depth, |message: M| message)
    }

    /// As [`publisher`](Self::publisher), for values that only become messages on the publisher thread: a thread that
    /// must not allocate sends what it has.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name or type.
    pub fn publisher_of<T: Send + 'static, M: RosMessage + Send + 'static>(
        &mut self,
        name: &str,
        qos: QosProfile,
        depth: usize,
        convert: fn(T) -> M,
    ) -> Result<Outbox<T>, NodeError> {
        let topic = self.topic(name, M::TYPE, &qos)?;
        let publisher = self
            .node
            .create_publisher::<M>(&topic, Some(qos))
            .map_err(|e| NodeError::Middleware {
                what: "publisher",
                name: name.into(),
                reason: e.to_string(),
            })?;
        Ok(self.outlets.add(name.to_owned(), publisher, depth, convert))
    }

    /// A topic to listen to. `handler` runs on the reactor thread and must not block; a message that does not decode
    /// is given as `None`.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name or type.
    pub fn subscribe<M: RosMessage + Send + 'static>(
        &mut self,
        name: &str,
        qos: QosProfile,
        mut handler: impl FnMut(Option<M>) + Send + 'static,
    ) -> Result<(), NodeError> {
        let topic = self.topic(name, M::TYPE, &qos)?;
        let subscription = self
            .node
            .create_subscription::<M>(&topic, Some(qos))
            .map_err(|e| NodeError::Middleware {
                what: "subscription",
                name: name.into(),
                reason: e.to_string(),
            })?;
        let name = name.to_owned();
        self.tasks.push(Box::new(move || {
            async move {
                let stream = subscription.async_stream();
                pin_mut!(stream);
                let mut failed = 0_u64;
                while let Some(taken) = stream.next().await {
                    match taken {
                        Ok((message, _)) => handler(Some(message)),
                        Err(error) => {
                            if failed == 0 {
                                tracing::warn!(topic = %name, %error, "message not understood; later ones are only counted");
                            }
                            failed += 1;
                            handler(None);
                        }
                    }
                }
            }
            .boxed_local()
        }));
        Ok(())
    }

    /// A `std_srvs/srv/Trigger` service. `handler` runs on the reactor thread and must not block.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name.
    pub fn serve_trigger(
        &mut self,
        name: &str,
        handler: impl FnMut() -> TriggerReply + Send + 'static,
    ) -> Result<(), NodeError> {
        let full = names::resolve(&self.place, name, Use::Service)?;
        let task = services::serve(&mut self.node, &full, name, handler)?;
        self.tasks.push(task);
        Ok(())
    }

    /// The context, for readers and writers that the node does not own (raw recording and playing).
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The node, for names and topics.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Starts the reactor and the publisher thread.
    ///
    /// # Errors
    /// [`NodeError::Thread`] or [`NodeError::Middleware`].
    pub fn start(mut self) -> Result<RunningNode, NodeError> {
        let spinner = self.node.spinner().map_err(|e| NodeError::Middleware {
            what: "spinner",
            name: String::new(),
            reason: e.to_string(),
        })?;
        let (publisher_quit, quit) = bounded::<()>(0);
        let publisher = self.outlets.start(quit)?;
        let (reactor_quit, quit) = oneshot::channel::<()>();
        let tasks = self.tasks;
        let (ends_dropped, dropped) = bounded::<()>(0);
        let reactor = std::thread::Builder::new()
            .name("reactor".into())
            .spawn(move || {
                let mut pool = LocalPool::new();
                let spawner = pool.spawner();
                let spin = async move {
                    if let Err(error) = spinner.spin().await {
                        tracing::error!(%error, "the node's spinner ended");
                    }
                };
                let spinning = spawner.spawn_local_with_handle(spin);
                let handles: Vec<_> = tasks
                    .into_iter()
                    .map(|task| spawner.spawn_local_with_handle(task()))
                    .collect();
                let _ = pool.run_until(quit);
                // Dropped handles cancel their tasks; one more round lets the pool let go of them.
                drop(handles);
                pool.run_until_stalled();
                drop(ends_dropped);
                if let Ok(spinning) = spinning {
                    pool.run_until(spinning);
                }
            })?;
        Ok(RunningNode {
            context: Some(self.context),
            node: Some(self.node),
            publisher: Some((publisher_quit, publisher)),
            reactor: Some((reactor_quit, dropped, reactor)),
        })
    }
}

/// A node with its threads. Dropping it sends what is queued and takes everything down, in the order the
/// middleware needs.
pub struct RunningNode {
    context: Option<Context>,
    node: Option<Node>,
    publisher: Option<(Sender<()>, JoinHandle<()>)>,
    reactor: Option<(oneshot::Sender<()>, Receiver<()>, JoinHandle<()>)>,
}

impl RunningNode {
    /// How many foreign publishers of this topic are known.
    pub fn publisher_count(&self, topic: &str) -> usize {
        self.node.as_ref().map_or(0, |n| n.publisher_count(topic))
    }

    /// How many foreign subscriptions of this topic are known.
    pub fn subscription_count(&self, topic: &str) -> usize {
        self.node
            .as_ref()
            .map_or(0, |n| n.subscription_count(topic))
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        if let Some((quit, thread)) = self.publisher.take() {
            drop(quit);
            let _ = thread.join();
        }
        // Readers first, then the node, which tells its spinner to end, then the context.
        let reactor = self.reactor.take().map(|(quit, dropped, thread)| {
            let _ = quit.send(());
            let _ = dropped.recv();
            thread
        });
        drop(self.node.take());
        if let Some(thread) = reactor {
            let _ = thread.join();
        }
        drop(self.context.take());
    }
}
