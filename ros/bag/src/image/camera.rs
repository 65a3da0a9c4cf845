//! A camera image of either kind.

use super::error::ImageError;
use super::{decode, raw};
use crate::error::BagError;
use crate::messages::{CompressedImage, Header, Image, RosMessage};
use crate::reader::BagMessage;

/// A camera image as it was published, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraImage {
    /// A raw image, published on `camera/image_raw`.
    Raw(Image),
    /// A compressed image, published on `camera/image_raw/compressed`.
    Compressed(CompressedImage),
}

impl From<Image> for CameraImage {
    fn from(image: Image) -> Self {
        Self::Raw(image)
    }
}

impl From<CompressedImage> for CameraImage {
    fn from(image: CompressedImage) -> Self {
        Self::Compressed(image)
    }
}

impl CameraImage {
    /// The recorded image of either type.
    ///
    /// # Errors
    /// [`BagError::WrongType`] when the message is no image, [`BagError::Decode`].
    pub fn decode(message: &BagMessage) -> Result<Self, BagError> {
        if *message.type_name == *CompressedImage::TYPE {
            message.decode().map(Self::Compressed)
        } else {
            message.decode().map(Self::Raw)
        }
    }

    /// The header of the image: time of exposure and camera frame.
    pub fn header(&self) -> &Header {
        match self {
            Self::Raw(image) => &image.header,
            Self::Compressed(image) => &image.header,
        }
    }

    /// The size of the image, `(columns, rows)` in pixels. A raw image is checked as a whole; of a compressed
    /// one only the head is read.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn size(&self) -> Result<(u32, u32), ImageError> {
        match self {
            Self::Raw(image) => raw::validate(image).map(|_| (image.width, image.height)),
            Self::Compressed(image) => decode::size(image),
        }
    }
}
