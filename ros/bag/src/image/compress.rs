//! Compressing images, for simulated cameras and for tests.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::camera::CameraImage;
use super::convert::Converter;
use super::error::ImageError;
use crate::messages::{CompressedImage, Image};

/// How an image is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// JPEG, with losses.
    Jpeg {
        /// The encoder's quality, 1 to 100.
        quality: u8,
    },
    /// PNG, without losses.
    Png,
}

/// Compresses an image to a JPEG or PNG file with the same header. `format` is written as `image_transport`
/// does.
///
/// # Errors
/// [`ImageError`] of an image that cannot be used, [`ImageError::Compress`] of the encoder.
pub fn compress(image: Image, compression: Compression) -> Result<CompressedImage, ImageError> {
    let (width, height) = (image.width, image.height);
    let header = image.header.clone();
    let encoding = image.encoding.clone();
    let rgb = Converter::new().to_rgb(&CameraImage::Raw(image), width, height)?;
    let mut data = Vec::new();
    let (name, written) = match compression {
        Compression::Jpeg { quality } => (
            "jpeg",
            JpegEncoder::new_with_quality(&mut data, quality.clamp(1, 100)).write_image(
                &rgb,
                width,
                height,
                ExtendedColorType::Rgb8,
            ),
        ),
        Compression::Png => (
            "png",
            PngEncoder::new(&mut data).write_image(&rgb, width, height, ExtendedColorType::Rgb8),
        ),
    };
    written.map_err(|error| ImageError::Compress {
        width,
        height,
        detail: error.to_string(),
    })?;
    Ok(CompressedImage {
        header,
        format: format!("{encoding}; {name} compressed bgr8"),
        data,
    })
}
