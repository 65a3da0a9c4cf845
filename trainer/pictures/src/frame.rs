//! One camera picture.

use crate::PictureError;

/// An 8-bit RGB picture, row-major, top row first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Frame {
    /// Makes a frame of bytes, shape `[height, width, 3]`.
    ///
    /// # Errors
    /// [`PictureError::FrameSize`] if the bytes do not fit the size, or the size is 0.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, PictureError> {
        if width == 0 || height == 0 || rgb.len() != width * height * 3 {
            return Err(PictureError::FrameSize {
                width,
                height,
                found: rgb.len(),
            });
        }
        Ok(Self { width, height, rgb })
    }

    /// Makes a frame of values in 0..1, shape `[height, width, 3]`, as a decoder gives them. Values outside
    /// are clipped, those that are not numbers become 0.
    ///
    /// # Errors
    /// The errors of [`Frame::new`].
    pub fn from_unit(width: usize, height: usize, rgb: &[f32]) -> Result<Self, PictureError> {
        let bytes = rgb
            .iter()
            .map(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8)
            .collect();
        Self::new(width, height, bytes)
    }

    /// Width, pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height, pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes, shape `[height, width, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The colour of one pixel.
    pub(crate) fn pixel(&self, column: usize, row: usize) -> [u8; 3] {
        let at = (row * self.width + column) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_the_wrong_size_says_what_it_needs() {
        let message = Frame::new(4, 2, vec![0; 23]).unwrap_err().to_string();
        assert!(
            message.contains("24") && message.contains("23"),
            "{message}"
        );
        assert!(Frame::new(0, 2, Vec::new()).is_err());
    }

    #[test]
    fn unit_values_are_scaled_and_clipped() {
        let frame = Frame::from_unit(2, 1, &[0.0, 0.5, 1.0, -3.0, 7.0, f32::NAN]).unwrap();
        assert_eq!(frame.rgb(), [0, 128, 255, 0, 255, 0]);
        assert_eq!(frame.pixel(1, 0), [0, 255, 0]);
    }
}
