//! Camera images from wherever they come: what is good gives its pixels, what is not gives an error and nothing else.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use latco_bag::image::{CameraImage, Compression, Converter, ImageError, compress};
use latco_bag::messages::{CompressedImage, Header, Image};
use proptest::prelude::*;

/// A smooth picture with an edge, as cameras make them.
fn scene(width: u32, height: u32) -> Image {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (x * 255 / width, y * 255 / height);
            let disc = (u as i32 - 128).pow(2) + (v as i32 - 90).pow(2) < 50 * 50;
            data.extend(if disc {
                [250, 40, 30]
            } else {
                [u as u8, v as u8, 90]
            });
        }
    }
    Image::rgb8(Header::new(5_000_000_001, "camera"), width, height, data)
}

fn jpeg() -> CompressedImage {
    compress(scene(160, 120), Compression::Jpeg { quality: 90 }).unwrap()
}

fn png() -> CompressedImage {
    compress(scene(160, 120), Compression::Png).unwrap()
}

fn convert(image: CompressedImage) -> Result<Vec<u8>, ImageError> {
    Converter::new().to_rgb(&image.into(), 32, 32)
}

#[test]
fn compressed_images_give_the_pixels_of_the_raw_one() {
    let raw: CameraImage = scene(640, 480).into();
    let mut converter = Converter::new();
    let expected = converter.to_rgb(&raw, 64, 64).unwrap();
    let png = compress(scene(640, 480), Compression::Png).unwrap();
    assert_eq!(png.format, "rgb8; png compressed bgr8");
    assert_eq!(png.header, *raw.header());
    let png: CameraImage = png.into();
    assert_eq!(png.size(), Ok((640, 480)));
    assert_eq!(converter.to_rgb(&png, 64, 64).unwrap(), expected);
    assert_eq!(
        converter.to_rgb(&png, 640, 480).unwrap(),
        scene(640, 480).data
    );

    let jpeg = compress(scene(640, 480), Compression::Jpeg { quality: 90 }).unwrap();
    let jpeg: CameraImage = jpeg.into();
    assert_eq!(jpeg.size(), Ok((640, 480)));
    let found = converter.to_rgb(&jpeg, 64, 64).unwrap();
    let worst = found
        .iter()
        .zip(&expected)
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(worst.unwrap() <= 12, "{worst:?}");
}

#[test]
fn a_converter_used_for_other_images_before_gives_the_same_pixels() {
    let images: [CameraImage; 4] = [
        scene(160, 120).into(),
        jpeg().into(),
        scene(33, 50).into(),
        png().into(),
    ];
    let mut shared = Converter::new();
    for at in [0, 1, 2, 3, 2, 1, 0, 3] {
        for size in [(32, 32), (20, 40)] {
            let alone = Converter::new().to_rgb(&images[at], size.0, size.1);
            assert_eq!(shared.to_rgb(&images[at], size.0, size.1), alone);
        }
    }
}

#[test]
fn grey_and_transparent_files_are_read_and_deep_ones_refused() {
    let file = |image: image::DynamicImage| {
        let mut data = Cursor::new(Vec::new());
        image.write_to(&mut data, image::ImageFormat::Png).unwrap();
        CompressedImage {
            data: data.into_inner(),
            format: "png".into(),
            ..Default::default()
        }
    };
    let rgb = image::RgbImage::from_pixel(8, 8, image::Rgb([90, 90, 90]));
    let rgb = image::DynamicImage::from(rgb);
    for kind in [
        rgb.to_luma8().into(),
        rgb.to_rgba8().into(),
        rgb.to_luma_alpha8().into(),
    ] {
        assert_eq!(convert(file(kind)).unwrap(), vec![90; 32 * 32 * 3]);
    }
    let text = convert(file(rgb.to_rgb16().into()))
        .unwrap_err()
        .to_string();
    assert!(text.contains("8 bits") && text.contains("Rgb16"), "{text}");
}

#[test]
fn every_truncation_is_named() {
    for whole in [jpeg(), png()] {
        for length in 4..whole.data.len() {
            let mut cut = whole.clone();
            cut.data.truncate(length);
            match convert(cut.clone()) {
                Err(ImageError::Truncated { bytes, .. }) => assert_eq!(bytes, length),
                Err(ImageError::Format { .. }) if length < 8 => {}
                other => panic!("{} of {} bytes: {other:?}", length, whole.data.len()),
            }
            assert!(CameraImage::from(cut).size().is_err());
        }
        let text = ImageError::Truncated {
            format: "jpeg".into(),
            bytes: 7,
        }
        .to_string();
        assert!(
            text.contains("truncated") && text.contains("7 bytes"),
            "{text}"
        );
    }
}

#[test]
fn a_small_file_that_unpacks_to_gigabytes_is_refused_by_its_head() {
    // A png of 1 x 1 pixels that claims 60000 x 60000, with the right checksum.
    let mut bomb = compress(scene(1, 1), Compression::Png).unwrap();
    bomb.data[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    bomb.data[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    let sum = crc32(&bomb.data[12..29]);
    bomb.data[29..33].copy_from_slice(&sum.to_be_bytes());
    let found = convert(bomb).unwrap_err();
    assert!(
        matches!(
            found,
            ImageError::TooLarge { width: 60_000, .. } | ImageError::Damaged { .. }
        ),
        "{found}"
    );
    // A jpeg whose frame header claims 65535 x 65535.
    let mut bomb = jpeg();
    let frame = bomb
        .data
        .windows(2)
        .position(|w| w == [0xff, 0xc0])
        .unwrap();
    bomb.data[frame + 5..frame + 9].fill(0xff);
    let found = convert(bomb).unwrap_err();
    assert!(
        matches!(found, ImageError::TooLarge { width: 65535, .. }),
        "{found}"
    );
    // Empty scans without end.
    let mut scans = vec![0xff, 0xd8];
    for _ in 0..1000 {
        scans.extend([0xff, 0xda, 0, 2]);
    }
    scans.extend([0xff, 0xd9]);
    let found = convert(CompressedImage {
        data: scans,
        ..Default::default()
    })
    .unwrap_err();
    assert!(found.to_string().contains("scans"), "{found}");
}

/// The checksum of png chunks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[test]
fn a_file_of_another_kind_is_named_by_its_first_bytes() {
    let depth = CompressedImage {
        format: "16UC1; compressedDepth".into(),
        data: vec![0, 0, 0, 1, 9, 9],
        ..Default::default()
    };
    // Nothing that the camera could be set to makes colours of distances.
    let text = convert(depth).unwrap_err().to_string();
    assert!(
        text.contains("compressedDepth") && text.contains("depth is not supported"),
        "{text}"
    );
    let tiff = CompressedImage {
        format: "tiff".into(),
        data: b"II*\0\x09\x09".to_vec(),
        ..Default::default()
    };
    let text = convert(tiff).unwrap_err().to_string();
    assert!(
        text.contains("tiff") && text.contains("jpeg or png") && text.contains("49, 49, 2a, 00"),
        "{text}"
    );
    assert!(convert(CompressedImage::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any damage gives pixels or an error; after it the converter is as good as new.
    #[test]
    fn damaged_files_never_panic(
        is_jpeg: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        removed in prop::option::of((any::<prop::sample::Index>(), 1usize..200)),
    ) {
        let good = if is_jpeg { jpeg() } else { png() };
        let mut bad = good.clone();
        for (at, value) in damage {
            let at = at.index(bad.data.len());
            bad.data[at] = value;
        }
        if let Some((at, count)) = removed {
            let at = at.index(bad.data.len());
            let end = (at + count).min(bad.data.len());
            bad.data.drain(at..end);
        }
        let mut converter = Converter::new();
        let expected = converter.to_rgb(&good.clone().into(), 32, 32).unwrap();
        let _ = CameraImage::from(bad.clone()).size();
        if let Ok(pixels) = converter.to_rgb(&bad.into(), 32, 32) {
            prop_assert_eq!(pixels.len(), expected.len());
        }
        prop_assert_eq!(converter.to_rgb(&good.into(), 32, 32).unwrap(), expected);
    }

    /// Bytes that only begin like a file.
    #[test]
    fn random_bytes_are_refused_without_a_panic(is_jpeg: bool, noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut data = if is_jpeg { vec![0xff, 0xd8, 0xff] } else { b"\x89PNG\r\n\x1a\n".to_vec() };
        data.extend(noise);
        let noise = CompressedImage { data, ..Default::default() };
        prop_assert!(convert(noise).is_err());
    }

    /// Whatever the fields of a raw image say, it is converted or refused.
    #[test]
    fn raw_images_of_any_fields_are_converted_or_refused(
        encoding in prop::sample::select(vec!["rgb8", "bgr8", "rgba8", "bgra8", "mono8", "bayer_grbg8", "yuv422", "yuv422_yuy2", ""]),
        width in prop_oneof![0u32..40, any::<u32>()],
        height in prop_oneof![0u32..40, any::<u32>()],
        more_step in 0u32..9,
        more_bytes in -3isize..3,
        (to_width, to_height) in (1u32..50, 1u32..50),
    ) {
        let is_yuv = encoding.starts_with("yuv");
        let pixel = match encoding {
            "mono8" | "bayer_grbg8" => 1,
            _ if is_yuv => 2,
            other => other.len() as u32 - u32::from(!other.is_empty()),
        };
        let step = width.wrapping_mul(pixel).wrapping_add(more_step);
        let bytes = (u64::from(step) * u64::from(height)).min(1 << 16) as isize + more_bytes;
        let image = Image {
            width, height, step,
            encoding: encoding.into(),
            data: (0..bytes.max(0)).map(|i| (i % 251) as u8).collect(),
            ..Default::default()
        };
        let image = CameraImage::from(image);
        let found = Converter::new().to_rgb(&image, to_width, to_height);
        prop_assert_eq!(found.is_ok(), image.size().is_ok());
        if let (Ok(pixels), CameraImage::Raw(image)) = (found, image) {
            prop_assert_eq!(pixels.len(), to_width as usize * to_height as usize * 3);
            // A mean lies between the extremes; the bytes of YUV are no colours.
            let (least, most) = (image.data.iter().min().unwrap(), image.data.iter().max().unwrap());
            prop_assert!(is_yuv || pixels.iter().all(|value| (least..=most).contains(&value)));
        }
    }
}
