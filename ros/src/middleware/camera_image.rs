//! Images as the driver of a camera publishes them: size, transport, compression.

use std::fmt;
use std::str::FromStr;

use latco_bag::image::{Compression, compress};
use latco_bag::messages::{CompressedImage, Image};

/// Quality of the JPEGs that are made here; drivers use 80 to 95.
const JPEG_QUALITY: u8 = 90;

/// The ways in which the images of a camera are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// Raw images on `camera/image_raw`, rgb8
    #[default]
    Raw,
    /// JPEGs on `camera/image_raw/compressed`
    Compressed,
    /// Both topics
    Both,
}

impl Transport {
    /// The name of the transport on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Compressed => "compressed",
            Self::Both => "both",
        }
    }
}

/// Columns and rows of an image, written as `640x480`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// Number of columns, pixels.
    pub width: usize,
    /// Number of rows, pixels.
    pub height: usize,
}

impl ImageSize {
    /// The side of the largest square in the image, pixels.
    pub fn square(self) -> usize {
        self.width.min(self.height)
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| {
            text.parse()
                .ok()
                .filter(|pixels| (1..=4096).contains(pixels))
        };
        let (width, height) = text.split_once('x').unwrap_or((text, text));
        match (side(width), side(height)) {
            (Some(width), Some(height)) => Ok(Self { width, height }),
            _ => Err(format!(
                "expected columns and rows from 1 to 4096 pixels, such as 640x480, or one number for a square; found \
                 {text:?}"
            )),
        }
    }
}

/// Compresses an image as a camera's driver does.
pub(crate) fn jpeg(image: Image) -> CompressedImage {
    let quality = JPEG_QUALITY;
    compress(image, Compression::Jpeg { quality }).unwrap_or_else(|error| {
        tracing::error!(%error, "an image is lost");
        CompressedImage::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        let size = ImageSize {
            width: 640,
            height: 480,
        };
        assert_eq!(size.to_string().parse(), Ok(size));
        assert_eq!(
            "64".parse(),
            Ok(ImageSize {
                width: 64,
                height: 64
            })
        );
        for wrong in ["", "x", "640x", "0x480", "640x480x3", "-1", "5000x10"] {
            let why = wrong.parse::<ImageSize>().unwrap_err();
            assert!(why.contains("640x480"), "{why}");
        }
    }
}
