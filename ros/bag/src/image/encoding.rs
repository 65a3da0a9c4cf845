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
    /// Two pixels in four bytes, Y U Y V (BT.601, limited range).
    Yuyv,
    /// Two pixels in four bytes, U Y V Y (BT.601, limited range).
    Uyvy,
    /// One byte a pixel behind a colour filter: the colours (0 red, 1 green, 2 blue) of the first two pixels of the first and
    /// of the second row.
    Bayer([u8; 4]),
}

/// Encodings by their names. Those of OpenCV have its order of colours.
const BY_NAME: [(&str, Encoding); 16] = [
    ("rgb8", Encoding::Rgb),
    ("bgr8", Encoding::Bgr),
    ("rgba8", Encoding::Rgba),
    ("bgra8", Encoding::Bgra),
    ("mono8", Encoding::Mono),
    ("8UC1", Encoding::Mono),
    ("8UC3", Encoding::Bgr),
    ("8UC4", Encoding::Bgra),
    ("yuv422_yuy2", Encoding::Yuyv),
    ("yuyv", Encoding::Yuyv),
    ("yuv422", Encoding::Uyvy),
    ("uyvy", Encoding::Uyvy),
    ("bayer_rggb8", Encoding::Bayer([0, 1, 1, 2])),
    ("bayer_bggr8", Encoding::Bayer([2, 1, 1, 0])),
    ("bayer_gbrg8", Encoding::Bayer([1, 2, 0, 1])),
    ("bayer_grbg8", Encoding::Bayer([1, 0, 2, 1])),
];

/// Names of the encodings that are understood.
#[must_use]
pub fn encodings() -> [&'static str; BY_NAME.len()] {
    BY_NAME.map(|(name, _)| name)
}

/// Whether an encoding is one of distances rather than of light.
pub(super) fn is_depth(name: &str) -> bool {
    matches!(name, "16UC1" | "32FC1" | "64FC1" | "mono16" | "16SC1")
}

impl Encoding {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        (BY_NAME.iter())
            .find(|(known, _)| *known == name)
            .map(|(_, encoding)| *encoding)
    }

    /// Least number of bytes of a row of `width` pixels.
    pub(super) fn row_bytes(self, width: u32) -> u64 {
        let width = u64::from(width);
        match self {
            Self::Yuyv | Self::Uyvy => width.div_ceil(2) * 4,
            other => width * other.bytes_per_pixel() as u64,
        }
    }

    /// Number of bytes per pixel.
    pub fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Rgba | Self::Bgra => 4,
            Self::Yuyv | Self::Uyvy => 2,
            Self::Mono | Self::Bayer(_) => 1,
        }
    }

    /// Byte offsets of red, green and blue in a pixel; `None` where a pixel has no colour of its own.
    pub(super) fn channels(self) -> Option<[usize; 3]> {
        match self {
            Self::Rgb | Self::Rgba => Some([0, 1, 2]),
            Self::Bgr | Self::Bgra => Some([2, 1, 0]),
            Self::Mono => Some([0, 0, 0]),
            Self::Yuyv | Self::Uyvy | Self::Bayer(_) => None,
        }
    }
}
