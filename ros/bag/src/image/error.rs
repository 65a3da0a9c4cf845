//! What can be wrong with an image.

use super::encoding::encodings;
use super::limits::{MAX_COMPRESSED_BYTES, MAX_PIXELS, MAX_SIDE};

/// Why an image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The encoding is not understood.
    #[error(
        "image encoding: expected one of {}, found `{found}`; set the camera driver's encoding",
        encodings().join(", ")
    )]
    Encoding {
        /// Encoding of the message.
        found: String,
    },
    /// The image is of distances.
    #[error(
        "image encoding: expected a colour or grey image, found `{found}`, which is one of depth: depth is not supported; take \
         the topic of the colour images"
    )]
    Depth {
        /// Encoding of the message.
        found: String,
    },
    /// The image has no pixels.
    #[error("image size: expected at least 1 x 1 pixels, found {width} x {height}")]
    Empty {
        /// Number of columns.
        width: u32,
        /// Number of rows.
        height: u32,
    },
    /// The image has more pixels than any camera delivers.
    #[error(
        "image size: expected at most {MAX_SIDE} pixels in each direction and {MAX_PIXELS} in all, found {width} x \
         {height}; set the camera to a smaller image"
    )]
    TooLarge {
        /// Number of columns.
        width: u32,
        /// Number of rows.
        height: u32,
    },
    /// The row step is too small for a row of pixels.
    #[error(
        "image step: expected at least {expected} bytes per row ({width} pixels of {encoding}), found {found}"
    )]
    Step {
        /// Smallest step that would do, `width * bytes per pixel`.
        expected: u64,
        /// Step of the message.
        found: u32,
        /// Number of columns.
        width: u32,
        /// Encoding of the message.
        encoding: String,
    },
    /// The number of bytes does not match the size of the image.
    #[error("image data: expected {expected} bytes ({height} rows of {step} bytes), found {found}")]
    Data {
        /// Expected number of bytes, `height * step`.
        expected: u64,
        /// Number of bytes in the message.
        found: usize,
        /// Number of rows.
        height: u32,
        /// Number of bytes per row.
        step: u32,
    },
    /// The caller's buffer has the wrong length.
    #[error("image buffer: expected {expected} bytes, found {found}")]
    Buffer {
        /// Expected number of bytes, `width * height * 3`.
        expected: usize,
        /// Number of bytes in the buffer.
        found: usize,
    },
    /// The file is neither JPEG nor PNG.
    #[error(
        "compressed image (format `{format}`): expected a jpeg or png file, found {bytes} bytes that begin with \
         {start:02x?}; set the format of the compressed topic to jpeg or png"
    )]
    Format {
        /// Format of the message.
        format: String,
        /// Number of bytes in the message.
        bytes: usize,
        /// The first bytes of the message, at most four.
        start: Vec<u8>,
    },
    /// The file has more bytes than any camera image.
    #[error("compressed image: expected at most {MAX_COMPRESSED_BYTES} bytes, found {bytes}")]
    TooManyBytes {
        /// Number of bytes in the message.
        bytes: usize,
    },
    /// The end of the file is missing.
    #[error(
        "compressed image (format `{format}`): truncated: the file ends after {bytes} bytes without its end mark; \
         look for losses between camera and controller"
    )]
    Truncated {
        /// Format of the message.
        format: String,
        /// Number of bytes in the message.
        bytes: usize,
    },
    /// The file is damaged, or uses a feature that is not supported.
    #[error("compressed image (format `{format}`, {bytes} bytes): {detail}")]
    Damaged {
        /// Format of the message.
        format: String,
        /// Number of bytes in the message.
        bytes: usize,
        /// Description of the fault.
        detail: String,
    },
    /// The image cannot be compressed.
    #[error("image of {width} x {height} pixels does not compress: {detail}")]
    Compress {
        /// Number of columns.
        width: u32,
        /// Number of rows.
        height: u32,
        /// The encoder's description of the fault.
        detail: String,
    },
}
