//! The manifest as a file, and the names of what stands beside it.

use std::path::Path;

use crate::error::BundleError;
use crate::file::read_file;
use crate::manifest::{FORMAT_VERSION, MANIFEST_FILE, Manifest, OLD_VERSION};

/// File name of the seal in a bundle folder.
pub const SEAL_FILE: &str = "manifest.sha256";
/// File name of the signature in a bundle folder.
pub const SIGNATURE_FILE: &str = "manifest.sig";

/// Bytes that a manifest may have.
const MOST_BYTES: u64 = 16 << 20;
/// Bytes that a seal or a signature may have.
const MOST_BYTES_BESIDE: u64 = 4096;

/// A manifest with the bytes that it was read from, which seal and signature are of.
#[derive(Debug)]
pub(crate) struct ManifestFile {
    pub(crate) manifest: Manifest,
    pub(crate) bytes: Vec<u8>,
}

impl ManifestFile {
    /// Reads `manifest.toml` of the bundle in `dir`.
    pub(crate) fn read(dir: &Path) -> Result<Self, BundleError> {
        let error = |reason: String| BundleError::Manifest {
            dir: dir.to_path_buf(),
            reason,
        };
        let bytes = read_file(&dir.join(MANIFEST_FILE), MOST_BYTES)
            .map_err(|e| error(format!("cannot be read: {e}")))?;
        let text = std::str::from_utf8(&bytes).map_err(|e| error(format!("is not valid: {e}")))?;
        let table = text.parse::<toml::Table>().ok();
        let version = table.and_then(|table| table.get("format_version")?.as_integer());
        if version == Some(OLD_VERSION) {
            return Err(error(format!(
                "is of format {OLD_VERSION}, expected {FORMAT_VERSION}: convert the bundle with `latco model convert {} --out NEW`",
                dir.display()
            )));
        }
        let manifest =
            Manifest::from_toml(text).map_err(|e| error(format!("is not valid: {e}")))?;
        Ok(Self { manifest, bytes })
    }
}

/// Reads `manifest.toml` alone, without checking its seal and the other files, or needing ONNX Runtime.
///
/// # Errors
/// The file is missing, not TOML, or has missing or unknown keys.
pub fn read_manifest(dir: &Path) -> Result<Manifest, BundleError> {
    Ok(ManifestFile::read(dir)?.manifest)
}

/// The text of a small file beside the manifest; `None` where it is missing.
pub(crate) fn read_beside(dir: &Path, name: &str) -> Result<Option<String>, String> {
    match read_file(&dir.join(name), MOST_BYTES_BESIDE) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("{name} cannot be read: {e}")),
    }
}
