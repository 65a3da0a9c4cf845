//! The camera of a simulated robot.

use std::fmt;
use std::str::FromStr;

use latco_bag::image::{Compression, compress};
use latco_bag::messages::{CompressedImage, Header, Image};
use latco_bag::topics;
use latco_envs::Robot;

use crate::middleware::{NodeBuilder, NodeError, Outbox, qos, stamp};

/// Quality of the simulated camera's JPEGs; drivers use 80 to 95.
const JPEG_QUALITY: u8 = 90;

/// How a simulated camera publishes its images.
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

/// The camera of a simulated robot, which renders and publishes.
pub(super) struct RobotCamera {
    size: ImageSize,
    /// The picture that the robot renders: the square in the middle.
    square: Vec<u8>,
    raw: Option<Outbox<Image>>,
    compressed: Option<Outbox<Image>>,
}

impl RobotCamera {
    pub(super) fn new(
        node: &mut NodeBuilder,
        size: ImageSize,
        transport: Transport,
    ) -> Result<Self, NodeError> {
        let name = topics::CAMERA_IMAGE.trim_start_matches('/');
        let raw = (transport != Transport::Compressed)
            .then(|| node.publisher(name, qos::images(), 5))
            .transpose()?;
        let name = topics::CAMERA_IMAGE_COMPRESSED.trim_start_matches('/');
        // Compressed on the publisher thread: the simulation keeps its time.
        let compressed = (transport != Transport::Raw)
            .then(|| node.publisher_of(name, qos::images(), 5, jpeg))
            .transpose()?;
        Ok(Self {
            size,
            square: Vec::new(),
            raw,
            compressed,
        })
    }

    /// Publishes an image that was taken now.
    pub(super) fn publish(&mut self, robot: &dyn Robot) {
        let header = Header::new(stamp::now_ns(), "camera");
        let side = robot.image_size();
        self.square.resize(side * side * 3, 0);
        robot.render(&mut self.square);
        let data = widened(&self.square, side, self.size);
        let pixels = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let image = Image::rgb8(
            header,
            pixels(self.size.width),
            pixels(self.size.height),
            data,
        );
        match (&self.raw, &self.compressed) {
            (Some(raw), Some(compressed)) => {
                raw.send(image.clone());
                compressed.send(image);
            }
            (Some(outbox), None) | (None, Some(outbox)) => {
                outbox.send(image);
            }
            (None, None) => {}
        }
    }
}

/// Compresses an image as a camera's driver does.
pub(crate) fn jpeg(image: Image) -> CompressedImage {
    let quality = JPEG_QUALITY;
    compress(image, Compression::Jpeg { quality }).unwrap_or_else(|error| {
        tracing::error!(%error, "an image of the simulated camera is lost");
        CompressedImage::default()
    })
}

/// A square picture in the middle of an image; its border pixels go on to the sides.
pub(crate) fn widened(square: &[u8], side: usize, size: ImageSize) -> Vec<u8> {
    let (left, top) = (
        size.width.saturating_sub(side) / 2,
        size.height.saturating_sub(side) / 2,
    );
    let mut image = Vec::with_capacity(size.width * size.height * 3);
    for y in 0..size.height {
        let row = y.saturating_sub(top).min(side - 1);
        let row = &square[row * side * 3..][..side * 3];
        for x in 0..size.width {
            let column = x.saturating_sub(left).min(side - 1);
            image.extend_from_slice(&row[column * 3..][..3]);
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use latco_bag::image::Converter;

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

    #[test]
    fn a_controller_sees_the_square_that_was_rendered() {
        let side = 48;
        let square: Vec<u8> = (0..side * side * 3).map(|i| (i * i % 251) as u8).collect();
        for (width, height) in [(64, 48), (48, 60), (48, 48), (65, 48)] {
            let data = widened(&square, side, ImageSize { width, height });
            let image = Image::rgb8(Header::default(), width as u32, height as u32, data).into();
            assert_eq!(
                Converter::new().to_rgb(&image, 48, 48).unwrap(),
                square,
                "{width}"
            );
        }
    }
}
