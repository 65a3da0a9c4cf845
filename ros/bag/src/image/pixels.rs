//! Pixels that were checked, and how they lie in memory.

use super::error::ImageError;
use super::limits::{MAX_PIXELS, MAX_SIDE};

/// Pixels that were checked: what the resizing reads.
pub(super) struct Pixels<'a> {
    pub(super) data: &'a [u8],
    pub(super) layout: Layout,
}

/// How pixels lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Number of bytes from one row to the next.
    pub(super) step: usize,
    /// Number of bytes of a pixel.
    pub(super) pixel: usize,
    /// Byte offsets of red, green and blue in a pixel.
    pub(super) channels: [usize; 3],
}

/// Checks that an image has pixels, and not too many.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Empty { width, height });
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height });
    }
    Ok(())
}
