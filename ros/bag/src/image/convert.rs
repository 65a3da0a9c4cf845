//! From a camera image of any size and kind to the pixels that a model takes.

use super::camera::CameraImage;
use super::error::ImageError;
use super::pixels::{Pixels, check_size};
use super::{decode, raw};

/// Converts camera images; keeps its memory from one image to the next.
#[derive(Debug, Default)]
pub struct Converter {
    /// Pixels of the last image that had to be unpacked, kept for their memory.
    decoded: Vec<u8>,
    /// Sums of one row of the resizing, kept for their memory.
    sums: Vec<u32>,
}

impl Converter {
    /// A converter without memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the image as packed RGB bytes, `[height, width, 3]`, into `out`: the largest centred
    /// part with the aspect ratio of the target, each target pixel the mean of the area it covers.
    /// The same size is copied exactly.
    ///
    /// # Real-time
    /// No blocking; time proportional to the bytes of the image and the pixels of source and
    /// target, which are bounded by [`super::MAX_PIXELS`] and [`super::MAX_COMPRESSED_BYTES`]. Raw
    /// images allocate nothing after the first of their size; the jpeg and png decoders allocate
    /// what they need for each image, the pixels of the result excepted.
    ///
    /// # Errors
    /// [`ImageError`]; `out` is not to be used then.
    pub fn rgb_into(
        &mut self,
        image: &CameraImage,
        width: u32,
        height: u32,
        out: &mut [u8],
    ) -> Result<(), ImageError> {
        let expected = width as usize * height as usize * 3;
        if out.len() != expected {
            let found = out.len();
            return Err(ImageError::Buffer { expected, found });
        }
        check_size(width, height)?;
        let pixels = match image {
            CameraImage::Raw(image) => raw::pixels(image, &mut self.decoded)?,
            CameraImage::Compressed(image) => Pixels {
                layout: decode::decode_into(image, &mut self.decoded)?,
                data: &self.decoded,
            },
        };
        pixels.rgb_into(width, height, out, &mut self.sums);
        Ok(())
    }

    /// Converts like [`Self::rgb_into`], into a new buffer.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn to_rgb(
        &mut self,
        image: &CameraImage,
        width: u32,
        height: u32,
    ) -> Result<Vec<u8>, ImageError> {
        check_size(width, height)?;
        let mut out = vec![0; width as usize * height as usize * 3];
        self.rgb_into(image, width, height, &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Encoding;
    use crate::messages::{Header, Image};

    /// An image in `encoding` with padded rows whose pixel (x, y) has the colour `rgb(x, y)`.
    fn image(
        encoding: &str,
        width: u32,
        height: u32,
        rgb: impl Fn(u32, u32) -> [u8; 3],
    ) -> CameraImage {
        let kind = Encoding::from_name(encoding).unwrap();
        let step = width as usize * kind.bytes_per_pixel() + 5;
        let mut data = vec![0xee; step * height as usize];
        for y in 0..height {
            for x in 0..width {
                let at = y as usize * step + x as usize * kind.bytes_per_pixel();
                for (channel, value) in kind.channels().unwrap().into_iter().zip(rgb(x, y)) {
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
        .into()
    }

    fn to_rgb(image: &CameraImage, width: u32, height: u32) -> Vec<u8> {
        Converter::new().to_rgb(image, width, height).unwrap()
    }

    #[test]
    fn every_encoding_gives_the_same_colours() {
        let colour = |x: u32, y: u32| [(x * 10) as u8, (y * 20) as u8, 200];
        let expected: Vec<u8> = (0..12).flat_map(|i| colour(i % 4, i / 4)).collect();
        for encoding in ["rgb8", "bgr8", "rgba8", "bgra8"] {
            let image = image(encoding, 4, 3, colour);
            assert_eq!(to_rgb(&image, 4, 3), expected, "{encoding}");
        }
        let grey = image("mono8", 2, 1, |x, _| [x as u8 + 7; 3]);
        assert_eq!(to_rgb(&grey, 2, 1), [7, 7, 7, 8, 8, 8]);
    }

    #[test]
    fn pixels_without_colours_of_their_own_get_those_of_their_neighbours() {
        let image = |encoding: &str, width: u32, height: u32, data: &[u8]| {
            CameraImage::from(Image {
                height,
                width,
                encoding: encoding.to_owned(),
                step: data.len() as u32 / height,
                data: data.to_vec(),
                ..Image::default()
            })
        };
        // Black, white and a pure red of BT.601, the last pair with one pixel beyond the width.
        let yuyv = [16, 128, 235, 128, 81, 90, 81, 240];
        let uyvy = [128, 16, 128, 235, 90, 81, 240, 81];
        for (names, data) in [(["yuv422_yuy2", "yuyv"], yuyv), (["yuv422", "uyvy"], uyvy)] {
            for name in names {
                let found = to_rgb(&image(name, 3, 1, &data), 3, 1);
                assert_eq!(found, [0, 0, 0, 255, 255, 255, 254, 0, 0], "{name}");
            }
        }
        // A flat colour behind each filter.
        let rgb = [200, 100, 50];
        for (name, colours) in [
            ("bayer_rggb8", [0, 1, 1, 2]),
            ("bayer_bggr8", [2, 1, 1, 0]),
            ("bayer_gbrg8", [1, 2, 0, 1]),
            ("bayer_grbg8", [1, 0, 2, 1]),
        ] {
            let data: Vec<u8> = (0..24)
                .map(|at| rgb[colours[at / 6 % 2 * 2 + at % 2]])
                .collect();
            let found = to_rgb(&image(name, 6, 4, &data), 6, 4);
            assert!(
                found.chunks(3).all(|pixel| pixel == rgb),
                "{name}: {found:?}"
            );
            to_rgb(&image(name, 1, 1, &[7]), 1, 1);
        }
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
            to_rgb(&wide, 2, 2),
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
            for encoding in ["rgb8", "bgra8"] {
                let flat = image(encoding, from.0, from.1, |_, _| [9, 99, 199]);
                let out = to_rgb(&flat, to.0, to.1);
                assert!(
                    out.chunks(3).all(|rgb| rgb == [9, 99, 199]),
                    "{encoding} {from:?} to {to:?}"
                );
            }
        }
        let ramp = image("rgb8", 90, 90, |x, y| [x as u8, y as u8, 0]);
        let out = to_rgb(&ramp, 7, 7);
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
    fn a_buffer_of_another_size_is_refused() {
        let good = Image::rgb8(Header::default(), 4, 2, vec![0; 24]).into();
        let found = Converter::new().rgb_into(&good, 4, 2, &mut [0; 3]);
        let expected = 24;
        assert_eq!(found, Err(ImageError::Buffer { expected, found: 3 }));
        let found = Converter::new().to_rgb(&good, 0, 2);
        assert!(matches!(found, Err(ImageError::Empty { .. })));
        let found = Converter::new().to_rgb(&good, u32::MAX, u32::MAX);
        assert!(matches!(found, Err(ImageError::TooLarge { .. })));
    }
}
