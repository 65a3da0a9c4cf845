//! `sensor_msgs/Image`.

use super::encoding::{Encoding, is_depth};
use super::error::ImageError;
use super::mixed;
use super::pixels::{Layout, Pixels, check_size};
use crate::messages::Image;

/// Checks encoding, size, step and data length of an image.
///
/// # Errors
/// The first thing that does not fit, as [`ImageError`].
pub fn validate(image: &Image) -> Result<Encoding, ImageError> {
    let found = || image.encoding.clone();
    let encoding =
        Encoding::from_name(&image.encoding).ok_or_else(|| match is_depth(&image.encoding) {
            true => ImageError::Depth { found: found() },
            false => ImageError::Encoding { found: found() },
        })?;
    check_size(image.width, image.height)?;
    let row = encoding.row_bytes(image.width);
    if u64::from(image.step) < row {
        return Err(ImageError::Step {
            expected: row,
            found: image.step,
            width: image.width,
            encoding: image.encoding.clone(),
        });
    }
    let expected = u64::from(image.height) * u64::from(image.step);
    if image.data.len() as u64 != expected {
        return Err(ImageError::Data {
            expected,
            found: image.data.len(),
            height: image.height,
            step: image.step,
        });
    }
    Ok(encoding)
}

/// Checks the image like [`validate`] and finds its pixels: in the message, or in `unpacked`, whose memory is reused.
pub(super) fn pixels<'a>(
    image: &'a Image,
    unpacked: &'a mut Vec<u8>,
) -> Result<Pixels<'a>, ImageError> {
    let encoding = validate(image)?;
    Ok(match encoding.channels() {
        Some(channels) => Pixels {
            layout: Layout {
                width: image.width,
                height: image.height,
                step: image.step as usize,
                pixel: encoding.bytes_per_pixel(),
                channels,
            },
            data: &image.data,
        },
        None => Pixels {
            layout: mixed::unpack(image, encoding, unpacked),
            data: unpacked,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::MAX_SIDE;
    use crate::messages::Header;

    #[test]
    fn an_image_that_cannot_be_used_is_refused_with_the_reason() {
        let good = Image::rgb8(Header::default(), 4, 2, vec![0; 24]);
        assert_eq!(validate(&good), Ok(Encoding::Rgb));
        let mut bad = good.clone();
        bad.encoding = "32FC1".into();
        let text = validate(&bad).unwrap_err().to_string();
        assert!(text.contains("32FC1") && text.contains("depth"), "{text}");
        bad.encoding = "rgb32".into();
        let text = validate(&bad).unwrap_err().to_string();
        assert!(
            text.contains("rgb32") && text.contains("yuv422_yuy2"),
            "{text}"
        );
        let mut bad = good.clone();
        bad.step = 11;
        let text = validate(&bad).unwrap_err().to_string();
        assert!(
            text.contains("12 bytes per row") && text.contains("found 11"),
            "{text}"
        );
        let mut bad = good.clone();
        bad.data.pop();
        let text = validate(&bad).unwrap_err().to_string();
        assert!(
            text.contains("24 bytes") && text.contains("found 23"),
            "{text}"
        );
        let mut bad = good.clone();
        bad.height = 0;
        assert!(matches!(validate(&bad), Err(ImageError::Empty { .. })));
    }

    #[test]
    fn absurd_sizes_are_refused_before_anything_is_computed_with_them() {
        for (width, height) in [
            (u32::MAX, u32::MAX),
            (1, u32::MAX),
            (MAX_SIDE + 1, 1),
            (MAX_SIDE, MAX_SIDE),
        ] {
            let absurd = Image {
                width,
                height,
                step: u32::MAX,
                encoding: "mono8".into(),
                ..Image::default()
            };
            let found = validate(&absurd);
            assert_eq!(found, Err(ImageError::TooLarge { width, height }));
        }
    }
}
