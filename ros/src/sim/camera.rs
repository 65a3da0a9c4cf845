//! The camera of a simulated robot.

use latco_bag::messages::{Header, Image};
use latco_bag::topics;
use latco_controller::Time;
use latco_envs::Robot;
use latco_faults::Frame;

use crate::middleware::camera_image::{ImageSize, Transport, jpeg};
use crate::middleware::{NodeBuilder, NodeError, Outbox, qos, stamp};

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

    /// Takes an image of the robot as it is now.
    pub(super) fn take(&mut self, robot: &dyn Robot) -> Frame {
        let stamp = Time(stamp::now_ns());
        let side = robot.image_size();
        self.square.resize(side * side * 3, 0);
        robot.render(&mut self.square);
        Frame {
            stamp,
            width: self.size.width,
            height: self.size.height,
            pixels: widened(&self.square, side, self.size),
        }
    }

    /// Publishes an image.
    pub(super) fn publish(&self, frame: Frame) {
        let pixels = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let image = Image::rgb8(
            Header::new(frame.stamp.0, "camera"),
            pixels(frame.width),
            pixels(frame.height),
            frame.pixels,
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

/// A square picture in the middle of an image; its border pixels go on to the sides.
fn widened(square: &[u8], side: usize, size: ImageSize) -> Vec<u8> {
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
