//! `sensor_msgs`.

use serde::{Deserialize, Serialize};

use super::standard::Header;

/// `sensor_msgs/msg/Image`. Check it with [`crate::image::validate`] before use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Time of exposure and camera frame.
    pub header: Header,
    /// Number of rows.
    pub height: u32,
    /// Number of columns.
    pub width: u32,
    /// Name of the encoding, for example `rgb8`.
    pub encoding: String,
    /// Byte order of values wider than a byte.
    pub is_bigendian: u8,
    /// Number of bytes per row.
    pub step: u32,
    /// Pixel bytes, `height * step` of them, rows from the top.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

impl Image {
    /// Makes an `rgb8` image from packed RGB bytes (`height * width * 3`).
    pub fn rgb8(header: Header, width: u32, height: u32, data: Vec<u8>) -> Self {
        Self {
            header,
            height,
            width,
            encoding: "rgb8".to_owned(),
            is_bigendian: 0,
            step: width * 3,
            data,
        }
    }
}

/// `sensor_msgs/msg/CompressedImage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressedImage {
    /// Time of exposure and camera frame.
    pub header: Header,
    /// Name of the format, for example `jpeg` or `rgb8; jpeg compressed bgr8`.
    pub format: String,
    /// The compressed file.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

/// `sensor_msgs/msg/JointState`. Check it with [`crate::joints::JointStates`] before use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JointState {
    /// Time of the measurement.
    pub header: Header,
    /// Joint names.
    pub name: Vec<String>,
    /// Positions in rad or m.
    pub position: Vec<f64>,
    /// Velocities in rad/s or m/s; may be empty.
    pub velocity: Vec<f64>,
    /// Efforts in Nm or N; may be empty.
    pub effort: Vec<f64>,
}
