//! ROS 2 messages as plain structs: the fields of the `.msg` files in their order, so that serde's
//! field order is the order on the wire.
//!
//! ```
//! use latco_bag::messages::{Float64, RosMessage};
//! let bytes = latco_bag::cdr::encode(&Float64 { data: 0.5 })?;
//! assert_eq!(latco_bag::cdr::decode::<Float64>(&bytes)?.data, 0.5);
//! assert_eq!(Float64::TYPE, "std_msgs/msg/Float64");
//! # Ok::<(), latco_bag::cdr::CdrError>(())
//! ```

mod control;
mod message;
mod sensor;
mod standard;

pub use control::{
    DiagnosticArray, DiagnosticStatus, FollowerState, JointTrajectory, JointTrajectoryPoint,
    KeyValue, Twist, TwistStamped, Vector3,
};
pub use message::RosMessage;
pub use sensor::{CompressedImage, Image, JointState};
pub use standard::{
    Bool, Duration, Empty, Float32, Float64, Float64MultiArray, Header, Int64, MultiArrayDimension,
    MultiArrayLayout, StringMessage, Time, UInt8MultiArray,
};
