//! Encodings of raw images.

/// Order of the bytes of a pixel in a raw image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Three bytes a pixel, `rgb8`.
    Rgb,
    /// Three bytes a pixel, `bgr8`.
    Bgr,
    /// Four bytes a pixel, `rgba8`; the fourth is not used.
    Rgba,
    /// Four bytes a pixel, `bgra8`; the fourth is not used.
    Bgra,
    /// One byte a pixel, `mono8`.
    Mono,
}

/// Names of the encodings that are understood.
pub const ENCODINGS: [&str; 5] = ["rgb8", "bgr8", "rgba8", "bgra8", "mono8"];

impl Encoding {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "rgb8" => Some(Self::Rgb),
            "bgr8" => Some(Self::Bgr),
            "rgba8" => Some(Self::Rgba),
            "bgra8" => Some(Self::Bgra),
            "mono8" => Some(Self::Mono),
            _ => None,
        }
    }

    /// Number of bytes per pixel.
    pub fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Rgba | Self::Bgra => 4,
            Self::Mono => 1,
        }
    }

    /// Byte offsets of red, green and blue in a pixel.
    pub(super) fn channels(self) -> [usize; 3] {
        match self {
            Self::Rgb | Self::Rgba => [0, 1, 2],
            Self::Bgr | Self::Bgra => [2, 1, 0],
            Self::Mono => [0, 0, 0],
        }
    }
}
