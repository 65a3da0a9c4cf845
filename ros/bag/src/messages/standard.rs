//! `builtin_interfaces` and `std_msgs`.

use serde::{Deserialize, Serialize};

use super::definitions::{
    definition, duration, header, multi_array_dimension, multi_array_layout, time,
};
use super::message::RosMessage;

const NANOSECONDS: i64 = 1_000_000_000;

/// `builtin_interfaces/msg/Time`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time {
    /// Seconds since the epoch of the clock in use.
    pub sec: i32,
    /// Nanoseconds after `sec`, below 10^9.
    pub nanosec: u32,
}

impl Time {
    /// Makes a time from nanoseconds since the epoch; saturates where 32-bit seconds end (2038).
    pub fn from_nanos(nanoseconds: i64) -> Self {
        let (sec, nanosec) = split(nanoseconds);
        Self { sec, nanosec }
    }

    /// The time in nanoseconds since the epoch.
    pub fn to_nanos(self) -> i64 {
        i64::from(self.sec) * NANOSECONDS + i64::from(self.nanosec)
    }
}

impl RosMessage for Time {
    const TYPE: &'static str = "builtin_interfaces/msg/Time";
    const DEFINITION: &'static str = definition!(time!());
}

/// `builtin_interfaces/msg/Duration`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Duration {
    /// Seconds; may be negative.
    pub sec: i32,
    /// Nanoseconds after `sec`, below 10^9.
    pub nanosec: u32,
}

impl Duration {
    /// Makes a duration from nanoseconds; saturates where 32-bit seconds end.
    pub fn from_nanos(nanoseconds: i64) -> Self {
        let (sec, nanosec) = split(nanoseconds);
        Self { sec, nanosec }
    }

    /// The duration in nanoseconds.
    pub fn to_nanos(self) -> i64 {
        i64::from(self.sec) * NANOSECONDS + i64::from(self.nanosec)
    }
}

impl RosMessage for Duration {
    const TYPE: &'static str = "builtin_interfaces/msg/Duration";
    const DEFINITION: &'static str = definition!(duration!());
}

fn split(nanoseconds: i64) -> (i32, u32) {
    let sec = nanoseconds.div_euclid(NANOSECONDS);
    let nanosec = nanoseconds.rem_euclid(NANOSECONDS);
    match i32::try_from(sec) {
        Ok(sec) => (sec, nanosec as u32),
        Err(_) if sec > 0 => (i32::MAX, (NANOSECONDS - 1) as u32),
        Err(_) => (i32::MIN, 0),
    }
}

/// `std_msgs/msg/Header`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Time of the measurement.
    pub stamp: Time,
    /// Name of the coordinate frame.
    pub frame_id: String,
}

impl Header {
    /// Makes a header of a time in nanoseconds and a frame name.
    pub fn new(stamp_nanoseconds: i64, frame_id: &str) -> Self {
        Self {
            stamp: Time::from_nanos(stamp_nanoseconds),
            frame_id: frame_id.to_owned(),
        }
    }
}

impl RosMessage for Header {
    const TYPE: &'static str = "std_msgs/msg/Header";
    const DEFINITION: &'static str = definition!(header!(); "builtin_interfaces/Time" => time!());
}

/// `std_msgs/msg/Empty`; on the wire it has one unused byte, as ROS 2 generates it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {
    /// Always zero.
    pub structure_needs_at_least_one_member: u8,
}

impl RosMessage for Empty {
    const TYPE: &'static str = "std_msgs/msg/Empty";
    // Not an empty text: in a bag, that means that the definition is not known.
    const DEFINITION: &'static str = "# No fields.\n";
}

/// `std_msgs/msg/Bool`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bool {
    /// The value.
    pub data: bool,
}

impl RosMessage for Bool {
    const TYPE: &'static str = "std_msgs/msg/Bool";
    const DEFINITION: &'static str = "bool data\n";
}

/// `std_msgs/msg/Int64`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Int64 {
    /// The value.
    pub data: i64,
}

impl RosMessage for Int64 {
    const TYPE: &'static str = "std_msgs/msg/Int64";
    const DEFINITION: &'static str = "int64 data\n";
}

/// `std_msgs/msg/Float32`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Float32 {
    /// The value.
    pub data: f32,
}

impl RosMessage for Float32 {
    const TYPE: &'static str = "std_msgs/msg/Float32";
    const DEFINITION: &'static str = "float32 data\n";
}

/// `std_msgs/msg/Float64`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Float64 {
    /// The value.
    pub data: f64,
}

impl RosMessage for Float64 {
    const TYPE: &'static str = "std_msgs/msg/Float64";
    const DEFINITION: &'static str = "float64 data\n";
}

/// `std_msgs/msg/String`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StringMessage {
    /// The value.
    pub data: String,
}

impl RosMessage for StringMessage {
    const TYPE: &'static str = "std_msgs/msg/String";
    const DEFINITION: &'static str = "string data\n";
}

/// `std_msgs/msg/MultiArrayDimension`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiArrayDimension {
    /// Name of the dimension.
    pub label: String,
    /// Number of elements.
    pub size: u32,
    /// Product of the sizes of this and all inner dimensions.
    pub stride: u32,
}

/// `std_msgs/msg/MultiArrayLayout`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiArrayLayout {
    /// Dimensions, the outermost first.
    pub dim: Vec<MultiArrayDimension>,
    /// Elements to skip at the start of the data.
    pub data_offset: u32,
}

/// `std_msgs/msg/Float64MultiArray`; joint velocity commands are one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Float64MultiArray {
    /// Meaning of `data`; empty for a plain vector.
    pub layout: MultiArrayLayout,
    /// The values.
    pub data: Vec<f64>,
}

impl Float64MultiArray {
    /// Makes a plain vector without a layout.
    pub fn vector(data: Vec<f64>) -> Self {
        Self {
            layout: MultiArrayLayout::default(),
            data,
        }
    }
}

impl RosMessage for Float64MultiArray {
    const TYPE: &'static str = "std_msgs/msg/Float64MultiArray";
    const DEFINITION: &'static str = definition!(
        "# Values and their arrangement.\nstd_msgs/MultiArrayLayout layout\nfloat64[] data\n";
        "std_msgs/MultiArrayLayout" => multi_array_layout!();
        "std_msgs/MultiArrayDimension" => multi_array_dimension!();
    );
}

/// `std_msgs/msg/UInt8MultiArray`: bytes that only their makers read, such as the controller's
/// journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UInt8MultiArray {
    /// Meaning of `data`; empty for a plain vector.
    pub layout: MultiArrayLayout,
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

impl RosMessage for UInt8MultiArray {
    const TYPE: &'static str = "std_msgs/msg/UInt8MultiArray";
    const DEFINITION: &'static str = definition!(
        "# Bytes and their arrangement.\nstd_msgs/MultiArrayLayout layout\nuint8[] data\n";
        "std_msgs/MultiArrayLayout" => multi_array_layout!();
        "std_msgs/MultiArrayDimension" => multi_array_dimension!();
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_survives_a_round_trip_and_saturates() {
        for nanoseconds in [
            0,
            1,
            999_999_999,
            1_700_000_000_123_456_789,
            -1,
            -1_500_000_000,
        ] {
            assert_eq!(Time::from_nanos(nanoseconds).to_nanos(), nanoseconds);
            assert_eq!(Duration::from_nanos(nanoseconds).to_nanos(), nanoseconds);
        }
        assert_eq!(Time::from_nanos(i64::MAX).sec, i32::MAX);
        assert_eq!(Time::from_nanos(i64::MIN).sec, i32::MIN);
    }
}
