//! The part of a node that every node of ours shares: context, publishers, subscriptions, services, threads.
//!
//! ```text
//!  middleware threads ──▶ reactor thread (spinner, subscriptions, services) ──▶ handlers: never block
//!  any thread ──Outbox (bounded)──▶ publisher thread ──▶ middleware
//!  signals thread ──▶ Stop
//! ```

mod builder;
mod camera;
pub mod controller;
pub mod follower;
mod imagined;
mod intake;
pub mod interfaces;
pub mod journal;
mod names;
mod network;
pub mod offered_qos;
mod outbox;
pub mod pace;
mod peers;
pub mod player;
pub mod player_services;
pub mod qos;
pub mod raw;
pub mod recorder;
pub mod robot;
pub(crate) mod robot_camera;
pub mod ros_clock;
mod running;
mod services;
mod signals;
mod sink;
pub mod stamp;
pub mod trace;

use futures::future::LocalBoxFuture;
use thiserror::Error;

pub use builder::NodeBuilder;
pub use names::{expand, message_type, ros_name};
pub use network::{MAX_DOMAIN, Network, NetworkError, Services, middleware_alive};
pub use outbox::{Outbox, OutboxCounters, Published, Receipt};
pub use running::{Group, RunningNode};
pub use services::{EmptyRequest, TriggerReply, TriggerRequest};
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

/// A subscription or service, to be run on the reactor thread.
type Task = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;
