//! What every message type has, and the names of those of this crate.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::control::{
    DiagnosticArray, DiagnosticStatus, FollowerState, JointTrajectory, TwistStamped,
};
use super::sensor::{CompressedImage, Image, JointState};
use super::standard::{
    Bool, Duration, Empty, Float32, Float64, Float64MultiArray, Header, Int64, StringMessage, Time,
    UInt8MultiArray,
};

/// A ROS 2 message type.
pub trait RosMessage: Serialize + DeserializeOwned {
    /// Full type name, for example `sensor_msgs/msg/Image`.
    const TYPE: &'static str;
}

macro_rules! names {
    ($($Message:ident = $name:literal,)*) => {$(
        impl RosMessage for $Message {
            const TYPE: &'static str = $name;
        }
    )*};
}
names! {
    Time = "builtin_interfaces/msg/Time",
    Duration = "builtin_interfaces/msg/Duration",
    Header = "std_msgs/msg/Header",
    Empty = "std_msgs/msg/Empty",
    Bool = "std_msgs/msg/Bool",
    Int64 = "std_msgs/msg/Int64",
    Float32 = "std_msgs/msg/Float32",
    Float64 = "std_msgs/msg/Float64",
    StringMessage = "std_msgs/msg/String",
    Float64MultiArray = "std_msgs/msg/Float64MultiArray",
    UInt8MultiArray = "std_msgs/msg/UInt8MultiArray",
    Image = "sensor_msgs/msg/Image",
    CompressedImage = "sensor_msgs/msg/CompressedImage",
    JointState = "sensor_msgs/msg/JointState",
    TwistStamped = "geometry_msgs/msg/TwistStamped",
    JointTrajectory = "trajectory_msgs/msg/JointTrajectory",
    FollowerState = "control_msgs/msg/JointTrajectoryControllerState",
    DiagnosticStatus = "diagnostic_msgs/msg/DiagnosticStatus",
    DiagnosticArray = "diagnostic_msgs/msg/DiagnosticArray",
}
