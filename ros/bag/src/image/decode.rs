//! `sensor_msgs/CompressedImage`: jpeg and png.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder, ImageResult, Limits};

use super::encoding::is_depth;
use super::error::ImageError;
use super::files::{Flaw, Kind};
use super::huffman;
use super::limits::{MAX_COMPRESSED_BYTES, MAX_PIXELS};
use super::pixels::{Layout, check_size};
use crate::messages::CompressedImage;

/// Memory that a decoder may ask for beside the pixels of the result, bytes.
const MAX_DECODER_BYTES: u64 = 4 * MAX_PIXELS;

/// The size of the image, `(columns, rows)` in pixels, from the head of the file.
pub(super) fn size(message: &CompressedImage) -> Result<(u32, u32), ImageError> {
    with_decoder(message, &mut |decoder| {
        layout_of(message, &*decoder).map(|layout| (layout.width, layout.height))
    })
}

/// Decodes into `pixels`, whose memory is reused.
pub(super) fn decode_into(
    message: &CompressedImage,
    pixels: &mut Vec<u8>,
) -> Result<Layout, ImageError> {
    with_decoder(message, &mut |decoder| {
        let layout = layout_of(message, &*decoder)?;
        pixels.resize(layout.step * layout.height as usize, 0);
        decoder
            .read_image_boxed(pixels)
            .map_err(|error| damaged(message, error.to_string()))?;
        Ok(layout)
    })
}

/// Takes the decoder of one image.
type ReadImage<'a, T> = dyn FnMut(Box<dyn ImageDecoder + '_>) -> Result<T, ImageError> + 'a;

/// Hands the decoder of a complete file to `read`.
fn with_decoder<T>(
    message: &CompressedImage,
    read: &mut ReadImage<'_, T>,
) -> Result<T, ImageError> {
    let data = message.data.as_slice();
    if data.len() > MAX_COMPRESSED_BYTES {
        return Err(ImageError::TooManyBytes { bytes: data.len() });
    }
    let coded = message.format.split(';').next().unwrap_or_default().trim();
    if message.format.contains("compressedDepth") || is_depth(coded) {
        let found = message.format.clone();
        return Err(ImageError::Depth { found });
    }
    let kind = Kind::of(data).ok_or_else(|| ImageError::Format {
        format: message.format.clone(),
        bytes: data.len(),
        start: data[..data.len().min(4)].to_vec(),
    })?;
    kind.check(data).map_err(|flaw| match flaw {
        Flaw::Truncated => ImageError::Truncated {
            format: message.format.clone(),
            bytes: data.len(),
        },
        Flaw::Damaged(detail) => damaged(message, detail),
    })?;
    // What a camera sends must not stop a robot's controller: a decoder that panics costs the image. Nothing of it is
    // used afterwards but the pixels, which are written anew for the next one.
    catch_unwind(AssertUnwindSafe(|| {
        let completed = match kind {
            Kind::Jpeg => huffman::completed(data),
            Kind::Png => data.into(),
        };
        let decoder =
            open(kind, &completed).map_err(|error| damaged(message, error.to_string()))?;
        read(decoder)
    }))
    .unwrap_or_else(|_| Err(damaged(message, "the decoder gave up on it".to_owned())))
}

fn open(kind: Kind, data: &[u8]) -> ImageResult<Box<dyn ImageDecoder + '_>> {
    // The size is checked by its own rule.
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let data = Cursor::new(data);
    Ok(match kind {
        Kind::Jpeg => {
            let mut decoder = JpegDecoder::new(data)?;
            decoder.set_limits(limits)?;
            Box::new(decoder)
        }
        Kind::Png => Box::new(PngDecoder::with_limits(data, limits)?),
    })
}

fn layout_of(
    message: &CompressedImage,
    decoder: &(impl ImageDecoder + ?Sized),
) -> Result<Layout, ImageError> {
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let (pixel, channels) = match decoder.color_type() {
        ColorType::L8 => (1, [0, 0, 0]),
        ColorType::La8 => (2, [0, 0, 0]),
        ColorType::Rgb8 => (3, [0, 1, 2]),
        ColorType::Rgba8 => (4, [0, 1, 2]),
        other => {
            let detail = format!("expected 8 bits per channel, found pixels of the type {other:?}");
            return Err(damaged(message, detail));
        }
    };
    Ok(Layout {
        width,
        height,
        step: width as usize * pixel,
        pixel,
        channels,
    })
}

fn damaged(message: &CompressedImage, detail: String) -> ImageError {
    ImageError::Damaged {
        format: message.format.clone(),
        bytes: message.data.len(),
        detail,
    }
}
