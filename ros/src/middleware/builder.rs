//! A node being put together.

use std::future::Future;

use futures::{FutureExt, StreamExt, pin_mut};
use latco_bag::messages::RosMessage;
use latco_controller::priority;
use ros2_client::{Context, Message, Node, NodeName, NodeOptions, Publisher, QosProfile};
use rustdds::{QosPolicies, TopicKind};

use super::error::NodeError;
use super::identity::{NameKind, NodeIdentity};
use super::names;
use super::network::Network;
use super::outbox::{self, Outbox};
use super::services::{self, Task, TriggerReply, TriggerRequest};

/// A node being put together: add publishers, subscriptions and services, then start it as a [`RunningNode`](super::RunningNode).
pub struct NodeBuilder {
    // Dropped in this order: the ends, their node, the context.
    pub(super) tasks: Vec<Task>,
    pub(super) outlets: outbox::Outlets,
    pub(super) node: Node,
    pub(super) context: Context,
    identity: NodeIdentity,
}

impl NodeBuilder {
    /// Opens the network and a node on it, of which nothing is remapped.
    ///
    /// # Errors
    /// [`NodeError`] when the name is not allowed or the middleware does not start.
    pub fn open(network: Network, namespace: &str, name: &str) -> Result<Self, NodeError> {
        Self::open_as(network, NodeIdentity::new(namespace, name))
    }

    /// Opens the network and a node on it; names of topics and services are resolved from its place.
    ///
    /// # Errors
    /// [`NodeError`] when the name is not allowed or the middleware does not start.
    pub fn open_as(network: Network, identity: NodeIdentity) -> Result<Self, NodeError> {
        let node_name =
            NodeName::new(&identity.namespace, &identity.name).map_err(|e| NodeError::Name {
                what: "node",
                name: identity.full_name(),
                reason: e.to_string(),
            })?;
        // Its threads carry images and commands.
        let context = priority::starting_raised(|| network.open())?;
        // Parameters, and with them the parameter services, belong to the node's life cycle.
        let options = NodeOptions::new().start_parameter_services(false);
        let node = context
            .new_node(node_name, options)
            .map_err(|e| NodeError::Middleware {
                what: "node",
                name: identity.full_name(),
                reason: format!("{e:?}"),
            })?;
        Ok(Self {
            context,
            node,
            identity,
            outlets: outbox::Outlets::new(),
            tasks: Vec::new(),
        })
    }

    pub(super) fn topic(
        &self,
        name: &str,
        ty: &str,
        qos: &QosProfile,
    ) -> Result<rustdds::Topic, NodeError> {
        names::resolve(&self.identity, name, NameKind::Topic)?;
        let full = self.identity.resolve(name, NameKind::Topic);
        let (topic, ty) = names::wire_name(&full, ty)?;
        let participant = self.context.domain_participant();
        participant
            .create_topic(topic, ty, &QosPolicies::from(qos), TopicKind::NoKey)
            .map_err(|e| NodeError::Middleware {
                what: "topic",
                name: name.into(),
                reason: e.to_string(),
            })
    }

    /// Adds a topic to publish on, with a queue of `depth` messages in front of the publisher thread.
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

    /// Adds a topic like [`publisher`](Self::publisher), for values that only become messages on the
    /// publisher thread: a thread that must not allocate sends what it has.
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
        let publisher = self.direct_publisher::<M>(name, qos)?;
        Ok(self.outlets.add(name.to_owned(), publisher, depth, convert))
    }

    /// Adds a topic to publish on without a queue, from threads that have no deadline.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name or type.
    pub fn direct_publisher<M: RosMessage>(
        &mut self,
        name: &str,
        qos: QosProfile,
    ) -> Result<Publisher<M>, NodeError> {
        let topic = self.topic(name, M::TYPE, &qos)?;
        self.node
            .create_publisher::<M>(&topic, Some(qos))
            .map_err(|e| NodeError::Middleware {
                what: "publisher",
                name: name.into(),
                reason: e.to_string(),
            })
    }

    /// Adds a topic to listen to. `handler` runs on the reactor thread and must not block; a message that
    /// does not decode is given as `None`.
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

    /// Adds a `std_srvs/srv/Trigger` service. `handler` runs on the reactor thread and must not block.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name.
    pub fn serve_trigger(
        &mut self,
        name: &str,
        mut handler: impl FnMut() -> TriggerReply + Send + 'static,
    ) -> Result<(), NodeError> {
        let service = name.to_owned();
        self.serve::<TriggerRequest, _>(name, ("std_srvs", "Trigger"), move |_| {
            let reply = handler();
            tracing::info!(service = %service, success = reply.success, message = %reply.message, "service call");
            reply
        })
    }

    /// Adds a service of the type `(package, name)`. `handler` runs on the reactor thread and must not block.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name.
    pub fn serve<Q: Message + Clone + Send + 'static, A: Message + Send + 'static>(
        &mut self,
        name: &str,
        ty: (&str, &str),
        mut handler: impl FnMut(Q) -> A + Send + 'static,
    ) -> Result<(), NodeError> {
        self.serve_later(name, ty, move |request| {
            std::future::ready(handler(request))
        })
    }

    /// Adds a service like [`serve`](Self::serve), for answers that take their time.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name.
    pub fn serve_later<Q, A, F>(
        &mut self,
        name: &str,
        ty: (&str, &str),
        handler: impl FnMut(Q) -> F + Send + 'static,
    ) -> Result<(), NodeError>
    where
        Q: Message + Clone + Send + 'static,
        A: Message + Send + 'static,
        F: Future<Output = A> + 'static,
    {
        let full = names::resolve(&self.identity, name, NameKind::Service)?;
        let task = services::serve(&mut self.node, &full, name, ty, handler)?;
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
}
