//! Errors of nodes, topics and services that cannot be made.

use thiserror::Error;

use super::network::NetworkError;

/// The reason why a node, or a topic or service of it, could not be made.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The network could not be opened, see [`NetworkError`].
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The name is not allowed by ROS.
    #[error(
        "{what} name {name:?} is not a ROS name: {reason}; expected letters, digits, '_' and '/', no digit first"
    )]
    Name {
        /// Kind of the name: topic, service or node.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// Description of what is wrong with it.
        reason: String,
    },
    /// The message type is not of the form `package/msg/Type`.
    #[error(
        "message type {0:?}: expected the form package/msg/Type, such as sensor_msgs/msg/Image"
    )]
    Type(String),
    /// The middleware refused.
    #[error("{what} {name:?} could not be made: {reason}")]
    Middleware {
        /// Kind of what was asked for: topic, service or node.
        what: &'static str,
        /// Name of what was asked for.
        name: String,
        /// The middleware's words.
        reason: String,
    },
    /// Trajectories were asked for without joint names, which they need.
    #[error(
        "control.output = \"joint_trajectory\" needs the names of the joints, and the bundle has none; use \
         output = \"commands\""
    )]
    NoJoints,
    /// The operating system gave no thread.
    #[error("no thread for the node: {0}")]
    Thread(#[from] std::io::Error),
}
