//! What every message type has.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A ROS 2 message type.
pub trait RosMessage: Serialize + DeserializeOwned {
    /// Full type name, for example `sensor_msgs/msg/Image`.
    const TYPE: &'static str;

    /// Definition of the type and of every type that it uses (schema encoding `ros2msg`).
    const DEFINITION: &'static str;
}
