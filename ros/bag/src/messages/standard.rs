//! `builtin_interfaces` and `std_msgs`.

use serde::{Deserialize, Serialize};

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

/// `std_msgs/msg/Empty`; on the wire it has one unused byte, as ROS 2 generates it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {
    /// Always zero.
    pub structure_needs_at_least_one_member: u8,
}

/// Declares the messages of one value, as `NAME: TYPE = ROS_NAME`.
macro_rules! values {
    ($($Name:ident: $Value:ty = $name:literal $(, $Derived:ident)*;)*) => {$(
        #[doc = concat!("`std_msgs/msg/", $name, "`.")]
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize $(, $Derived)*)]
        pub struct $Name {
            /// The value.
            pub data: $Value,
        }
    )*};
}
values! {
    Bool: bool = "Bool", Copy, Eq;
    Int64: i64 = "Int64", Copy, Eq;
    Float32: f32 = "Float32", Copy;
    Float64: f64 = "Float64", Copy;
    StringMessage: String = "String", Eq;
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
