//! Camera images: checks and the way to the size that a model takes.

use crate::messages::{CompressedImage, Image};

/// Order of the bytes of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `rgb8`
    Rgb,
    /// `bgr8`
    Bgr,
    /// `rgba8`; the fourth byte is not used.
    Rgba,
    /// `bgra8`; the fourth byte is not used.
    Bgra,
    /// `mono8`
    Mono,
}

/// Names of the encodings that are understood.
pub const ENCODINGS: [&str; 5] = ["rgb8", "bgr8", "rgba8", "bgra8", "mono8"];

impl Encoding {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "rgb8" => Some(Self::Rgb),
            "bgr8" => Some(Self::Bgr),
            "rgba8" => Some(Self::Rgba),
            "bgra8" => Some(Self::Bgra),
            "mono8" => Some(Self::Mono),
            _ => None,
        }
    }

    /// Bytes per pixel.
    pub fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Rgba | Self::Bgra => 4,
            Self::Mono => 1,
        }
    }

    /// Positions of red, green and blue in a pixel.
    fn channels(self) -> [usize; 3] {
        match self {
            Self::Rgb | Self::Rgba => [0, 1, 2],
            Self::Bgr | Self::Bgra => [2, 1, 0],
            Self::Mono => [0, 0, 0],
        }
    }
}

/// Why an image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Encoding that is not understood.
    #[error("image encoding: expected one of {}, found `{found}`; set the camera driver's encoding", ENCODINGS.join(", "))]
    Encoding {
        /// Encoding of the message.
        found: String,
    },
    /// No pixels.
    #[error("image size: expected at least 1 x 1 pixels, found {width} x {height}")]
    Empty {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Bytes per row do not hold a row.
    #[error(
        "image step: expected at least {expected} bytes per row ({width} pixels of {encoding}), found {found}"
    )]
    Step {
        /// `width * bytes per pixel`.
        expected: u64,
        /// Step of the message.
        found: u32,
        /// Columns.
        width: u32,
        /// Encoding of the message.
        encoding: String,
    },
    /// Number of bytes does not fit.
    #[error("image data: expected {expected} bytes ({height} rows of {step} bytes), found {found}")]
    Data {
        /// `height * step`.
        expected: u64,
        /// Bytes in the message.
        found: usize,
        /// Rows.
        height: u32,
        /// Bytes per row.
        step: u32,
    },
    /// The camera is set to another size than it should be.
    #[error(
        "image size: expected {expected_width} x {expected_height} pixels, found {width} x {height}; set the camera or the configuration"
    )]
    Size {
        /// Expected columns.
        expected_width: u32,
        /// Expected rows.
        expected_height: u32,
        /// Columns of the message.
        width: u32,
        /// Rows of the message.
        height: u32,
    },
    /// The caller's buffer does not fit.
    #[error("image buffer: expected {expected} bytes, found {found}")]
    Buffer {
        /// `width * height * 3`.
        expected: usize,
        /// Bytes of the buffer.
        found: usize,
    },
    /// A compressed image does not decode.
    #[error("compressed image ({format}, {bytes} bytes): {detail}; expected jpeg or png")]
    Compressed {
        /// Format of the message.
        format: String,
        /// Bytes in the message.
        bytes: usize,
        /// What the decoder says.
        detail: String,
    },
}

/// Checks encoding, step and data length of an image.
///
/// # Errors
/// The first thing that does not fit, as [`ImageError`].
pub fn validate(image: &Image) -> Result<Encoding, ImageError> {
    let encoding = Encoding::from_name(&image.encoding).ok_or_else(|| ImageError::Encoding {
        found: image.encoding.clone(),
    })?;
    let (width, height) = (image.width, image.height);
    if width == 0 || height == 0 {
        return Err(ImageError::Empty { width, height });
    }
    let row = u64::from(width) * encoding.bytes_per_pixel() as u64;
    if u64::from(image.step) < row {
        return Err(ImageError::Step {
            expected: row,
            found: image.step,
            width,
            encoding: image.encoding.clone(),
        });
    }
    let expected = u64::from(height) * u64::from(image.step);
    if image.data.len() as u64 != expected {
        return Err(ImageError::Data {
            expected,
            found: image.data.len(),
            height,
            step: image.step,
        });
    }
    Ok(encoding)
}

/// Also checks the size, where a camera must deliver exactly that.
///
/// # Errors
/// As [`validate`], and [`ImageError::Size`].
pub fn validate_size(image: &Image, width: u32, height: u32) -> Result<Encoding, ImageError> {
    let encoding = validate(image)?;
    if (image.width, image.height) != (width, height) {
        return Err(ImageError::Size {
            expected_width: width,
            expected_height: height,
            width: image.width,
            height: image.height,
        });
    }
    Ok(encoding)
}

/// Writes the image as packed RGB bytes, `[height, width, 3]`, into `out`: the largest centred
/// part with the aspect ratio of the target, each target pixel the mean of the area it covers.
/// The same size is copied exactly.
///
/// # Real-time
/// No allocation (but in the error of an unknown encoding), no blocking; time proportional to
/// the pixels of the source and the target.
///
/// # Errors
/// As [`validate`], and [`ImageError::Buffer`] when `out` is not `width * height * 3` long.
pub fn rgb_into(image: &Image, width: u32, height: u32, out: &mut [u8]) -> Result<(), ImageError> {
    let encoding = validate(image)?;
    let expected = width as usize * height as usize * 3;
    if out.len() != expected {
        return Err(ImageError::Buffer {
            expected,
            found: out.len(),
        });
    }
    if width == 0 || height == 0 {
        return Err(ImageError::Empty { width, height });
    }
    let source = Source {
        data: &image.data,
        step: image.step as usize,
        pixel: encoding.bytes_per_pixel(),
        channels: encoding.channels(),
    };
    if (image.width, image.height) == (width, height) {
        source.copy(width as usize, out);
    } else {
        source.resize(image.width, image.height, width, height, out);
    }
    Ok(())
}

/// As [`rgb_into`], into a new buffer.
///
/// # Errors
/// As [`validate`].
pub fn to_rgb(image: &Image, width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let mut out = vec![0; width as usize * height as usize * 3];
    rgb_into(image, width, height, &mut out)?;
    Ok(out)
}

struct Source<'a> {
    data: &'a [u8],
    step: usize,
    pixel: usize,
    channels: [usize; 3],
}

impl Source<'_> {
    fn copy(&self, width: usize, out: &mut [u8]) {
        for (row, target) in self
            .data
            .chunks_exact(self.step)
            .zip(out.chunks_exact_mut(width * 3))
        {
            for (pixel, rgb) in row.chunks_exact(self.pixel).zip(target.chunks_exact_mut(3)) {
                for (value, channel) in rgb.iter_mut().zip(self.channels) {
                    *value = pixel[channel];
                }
            }
        }
    }

    /// Area resize in whole numbers: all distances are counted in units of 1/(target size) of a
    /// source pixel, so that the result does not depend on the machine.
    fn resize(&self, from_width: u32, from_height: u32, width: u32, height: u32, out: &mut [u8]) {
        let (fw, fh) = (u64::from(from_width), u64::from(from_height));
        let (w, h) = (u64::from(width), u64::from(height));
        // Largest part with the target's aspect ratio.
        let (crop_w, crop_h) = if fw * h > fh * w {
            ((fh * w / h).max(1), fh)
        } else {
            (fw, (fw * h / w).max(1))
        };
        let (left, top) = ((fw - crop_w) / 2, (fh - crop_h) / 2);
        for y in 0..h {
            let (y0, y1) = (y * crop_h, (y + 1) * crop_h);
            for x in 0..w {
                let (x0, x1) = (x * crop_w, (x + 1) * crop_w);
                let mut sums = [0u64; 3];
                for sy in y0 / h..y1.div_ceil(h) {
                    let weight_y = y1.min((sy + 1) * h) - y0.max(sy * h);
                    let row = &self.data[(top + sy) as usize * self.step..];
                    for sx in x0 / w..x1.div_ceil(w) {
                        let weight = weight_y * (x1.min((sx + 1) * w) - x0.max(sx * w));
                        let pixel = &row[(left + sx) as usize * self.pixel..];
                        for (sum, channel) in sums.iter_mut().zip(self.channels) {
                            *sum += weight * u64::from(pixel[channel]);
                        }
                    }
                }
                let area = crop_w * crop_h;
                let at = (y * w + x) as usize * 3;
                for (value, sum) in out[at..at + 3].iter_mut().zip(sums) {
                    *value = ((sum + area / 2) / area) as u8;
                }
            }
        }
    }
}

/// Decodes a jpeg or png into an `rgb8` image with the same header.
///
/// # Errors
/// [`ImageError::Compressed`].
pub fn decompress(message: &CompressedImage) -> Result<Image, ImageError> {
    let decoded =
        image::load_from_memory(&message.data).map_err(|error| ImageError::Compressed {
            format: message.format.clone(),
            bytes: message.data.len(),
            detail: error.to_string(),
        })?;
    let rgb = decoded.into_rgb8();
    let (width, height) = rgb.dimensions();
    Ok(Image::rgb8(
        message.header.clone(),
        width,
        height,
        rgb.into_raw(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Header;

    /// An image in `encoding` with padded rows whose pixel (x, y) has the colour `rgb(x, y)`.
    fn image(encoding: &str, width: u32, height: u32, rgb: impl Fn(u32, u32) -> [u8; 3]) -> Image {
        let kind = Encoding::from_name(encoding).unwrap();
        let step = width as usize * kind.bytes_per_pixel() + 5;
        let mut data = vec![0xee; step * height as usize];
        for y in 0..height {
            for x in 0..width {
                let at = y as usize * step + x as usize * kind.bytes_per_pixel();
                for (channel, value) in kind.channels().into_iter().zip(rgb(x, y)) {
                    data[at + channel] = value;
                }
            }
        }
        Image {
            header: Header::default(),
            height,
            width,
            encoding: encoding.to_owned(),
            is_bigendian: 0,
            step: step as u32,
            data,
        }
    }

    #[test]
    fn every_encoding_gives_the_same_colours() {
        let colour = |x: u32, y: u32| [(x * 10) as u8, (y * 20) as u8, 200];
        let expected: Vec<u8> = (0..12).flat_map(|i| colour(i % 4, i / 4)).collect();
        for encoding in ["rgb8", "bgr8", "rgba8", "bgra8"] {
            let image = image(encoding, 4, 3, colour);
            assert_eq!(to_rgb(&image, 4, 3).unwrap(), expected, "{encoding}");
        }
        let grey = image("mono8", 2, 1, |x, _| [x as u8 + 7; 3]);
        assert_eq!(to_rgb(&grey, 2, 1).unwrap(), [7, 7, 7, 8, 8, 8]);
    }

    #[test]
    fn a_wide_image_is_cropped_to_its_middle_and_averaged_over_areas() {
        // 8 x 4, the middle 4 x 4 in blocks of 2 x 2 with mean 10 (left) and 20 (right).
        let wide = image("mono8", 8, 4, |x, y| {
            let base = match x {
                2 | 3 => 10,
                4 | 5 => 20,
                _ => 255,
            };
            [if base == 255 || y % 2 == 0 {
                base
            } else {
                base + 2
            }; 3]
        });
        assert_eq!(
            to_rgb(&wide, 2, 2).unwrap(),
            [11, 11, 11, 21, 21, 21, 11, 11, 11, 21, 21, 21]
        );
    }

    #[test]
    fn resizing_keeps_flat_colours_and_means_at_any_ratio() {
        for (from, to) in [
            ((7, 5), (3, 3)),
            ((640, 480), (64, 64)),
            ((3, 3), (8, 8)),
            ((5, 9), (4, 2)),
        ] {
            let flat = image("rgb8", from.0, from.1, |_, _| [9, 99, 199]);
            let out = to_rgb(&flat, to.0, to.1).unwrap();
            assert!(
                out.chunks(3).all(|rgb| rgb == [9, 99, 199]),
                "{from:?} to {to:?}"
            );
        }
        let ramp = image("rgb8", 90, 90, |x, y| [x as u8, y as u8, 0]);
        let out = to_rgb(&ramp, 7, 7).unwrap();
        let mean = |channel: usize| {
            out.iter()
                .skip(channel)
                .step_by(3)
                .map(|v| f64::from(*v))
                .sum::<f64>()
                / 49.0
        };
        assert!((mean(0) - 44.5).abs() < 0.5 && (mean(1) - 44.5).abs() < 0.5);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_figures() {
        let good = Image::rgb8(Header::default(), 4, 2, vec![0; 24]);
        assert_eq!(validate(&good), Ok(Encoding::Rgb));
        let mut bad = good.clone();
        bad.encoding = "32FC1".into();
        let text = validate(&bad).unwrap_err().to_string();
        assert!(text.contains("32FC1") && text.contains("rgb8"), "{text}");
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
        (bad.width, bad.height, bad.step) = (u32::MAX, u32::MAX, u32::MAX);
        assert!(validate(&bad).is_err());
        bad.height = 0;
        assert!(matches!(validate(&bad), Err(ImageError::Empty { .. })));
        let text = validate_size(&good, 64, 64).unwrap_err().to_string();
        assert!(text.contains("64 x 64") && text.contains("4 x 2"), "{text}");
        assert!(matches!(
            rgb_into(&good, 4, 2, &mut [0; 3]),
            Err(ImageError::Buffer {
                expected: 24,
                found: 3
            })
        ));
    }

    #[test]
    fn compressed_images_decode_or_say_why_not() {
        let pixels: Vec<u8> = (0..8 * 8 * 3).map(|i| i as u8).collect();
        let mut png = std::io::Cursor::new(Vec::new());
        let buffer = image::RgbImage::from_raw(8, 8, pixels.clone()).unwrap();
        buffer.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let mut message = CompressedImage {
            header: Header::new(5, "camera"),
            format: "png".into(),
            data: png.into_inner(),
        };
        let decoded = decompress(&message).unwrap();
        assert_eq!(
            (decoded.data, decoded.header),
            (pixels, message.header.clone())
        );
        message.data.truncate(40);
        let text = decompress(&message).unwrap_err().to_string();
        assert!(text.contains("png") && text.contains("40 bytes"), "{text}");
    }
}
