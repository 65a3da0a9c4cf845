//! How compressed bytes are told from others.

/// Whether bytes are compressed with zstd, by their first four. No message in CDR, MCAP file or database begins like this.
pub(crate) fn begins_as_zstd(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}
