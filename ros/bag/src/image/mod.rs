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
mod encoding;
mod error;
mod files;
mod huffman;
mod limits;
mod mixed;
mod pixels;
mod raw;
mod resize;

pub use camera::CameraImage;
pub use compress::{Compression, compress};
pub use convert::Converter;
pub use encoding::{Encoding, encodings};
pub use error::ImageError;
pub use limits::{MAX_COMPRESSED_BYTES, MAX_PIXELS, MAX_SIDE};
pub use raw::validate;
