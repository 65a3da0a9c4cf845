//! How large an image may be.

/// Longest side of an image in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Largest number of pixels of an image, which also bounds what a compressed image may unpack to.
pub const MAX_PIXELS: u64 = 32 << 20;
/// Largest compressed image in bytes.
pub const MAX_COMPRESSED_BYTES: usize = 64 << 20;
