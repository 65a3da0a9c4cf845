//! Camera images, raw or compressed: checks, and the way to the size that a model takes.
//!
//! ```
//! use latco_bag::image::{CameraImage, Converter};
//! use latco_bag::messages::{Header, Image};
//!
//! let image: CameraImage = Image::rgb8(Header::default(), 640, 480, vec![7; 640 * 480 * 3]).into();
//! let mut pixels = vec![0; 64 * 64 * 3];
//! Converter::new().rgb_into(&image, 64, 64, &mut pixels)?;
//! assert!(pixels.iter().all(|value| *value == 7));
//! # Ok::<(), latco_bag::image::ImageError>(())
//! ```
//!
//! The controller and the trainer read images through the same [`Converter`], so that a model sees on the robot
//! what it saw in training: the largest centred part with the aspect ratio of the model's image, each of its pixels
//! the mean of the area that it covers.

mod camera;
mod compress;
mod convert;
mod decode;
mod error;
mod files;
mod raw;
mod resize;

pub use camera::{CameraImage, camera_topic};
pub use compress::{Compression, compress};
pub use convert::Converter;
pub use error::ImageError;
pub use raw::{ENCODINGS, Encoding, validate};

/// Longest side of an image in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Largest number of pixels of an image, which also bounds what a compressed image may unpack to.
pub const MAX_PIXELS: u64 = 32 << 20;
/// Largest compressed image in bytes.
pub const MAX_COMPRESSED_BYTES: usize = 64 << 20;

/// Pixels that have been checked, as `resize` reads them.
struct Pixels<'a> {
    data: &'a [u8],
    layout: Layout,
}

/// How pixels lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    width: u32,
    height: u32,
    /// Number of bytes from one row to the next.
    step: usize,
    /// Number of bytes of a pixel.
    pixel: usize,
    /// Byte offsets of red, green and blue in a pixel.
    channels: [usize; 3],
}

/// Checks that an image has pixels, and not too many.
fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Empty { width, height });
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height });
    }
    Ok(())
}
