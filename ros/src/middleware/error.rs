//! Why a node or one of its ends could not be made.

use thiserror::Error;

use super::network::NetworkError;

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
