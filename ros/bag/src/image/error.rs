//! What can be wrong with an image.

use super::{ENCODINGS, MAX_COMPRESSED_BYTES, MAX_PIXELS, MAX_SIDE};

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
    /// More pixels than any camera has.
    #[error(
        "image size: expected at most {MAX_SIDE} pixels in each direction and {MAX_PIXELS} in all, found {width} x \
         {height}; set the camera to a smaller image"
    )]
    TooLarge {
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
    /// The caller's buffer does not fit.
    #[error("image buffer: expected {expected} bytes, found {found}")]
    Buffer {
        /// `width * height * 3`.
        expected: usize,
        /// Bytes of the buffer.
        found: usize,
    },
    /// Neither of the kinds of file that are understood.
    #[error(
        "compressed image (format `{format}`): expected a jpeg or png file, found {bytes} bytes that begin with \
         {start:02x?}; set the format of the compressed topic to jpeg or png"
    )]
    Format {
        /// Format of the message.
        format: String,
        /// Bytes in the message.
        bytes: usize,
        /// The first bytes, at most four.
        start: Vec<u8>,
    },
    /// More bytes than a camera image has.
    #[error("compressed image: expected at most {MAX_COMPRESSED_BYTES} bytes, found {bytes}")]
    TooManyBytes {
        /// Bytes in the message.
        bytes: usize,
    },
    /// The end is missing.
    #[error(
        "compressed image (format `{format}`): truncated: the file ends after {bytes} bytes without its end mark; \
         look for losses between camera and controller"
    )]
    Truncated {
        /// Format of the message.
        format: String,
        /// Bytes in the message.
        bytes: usize,
    },
    /// The file is damaged, or uses what is not supported.
    #[error("compressed image (format `{format}`, {bytes} bytes): {detail}")]
    Damaged {
        /// Format of the message.
        format: String,
        /// Bytes in the message.
        bytes: usize,
        /// What does not fit.
        detail: String,
    },
    /// An image cannot be compressed.
    #[error("image of {width} x {height} pixels does not compress: {detail}")]
    Compress {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// What the encoder says.
        detail: String,
    },
}
