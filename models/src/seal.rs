//! The seal of a bundle: the sum of its manifest, which in turn has the sums of all other files.
//!
//! `manifest.sha256` is a line as `sha256sum manifest.toml` writes it. Without it, or with another sum, the bundle is refused,
//! so that no scale, limit, joint or period is changed by accident. Whoever changes the manifest deliberately seals it again;
//! against somebody who does so with bad intent there are signatures ([`crate::signature`]).

use std::io;
use std::path::Path;

use crate::error::BundleError;
use crate::file::replace_file;
use crate::manifest::{MANIFEST_FILE, Manifest};
use crate::manifest_file::{ManifestFile, SEAL_FILE, SIGNATURE_FILE, read_beside};
use crate::sum::sha256;

/// Writes manifest and seal of the bundle in `dir`; a signature of an earlier manifest is removed.
///
/// The seal comes last: an interruption leaves one that does not fit, which the loader refuses.
///
/// # Errors
/// The system's error, or numbers that TOML cannot hold.
pub fn write_manifest(dir: &Path, manifest: &Manifest) -> io::Result<()> {
    let text = manifest.to_toml().map_err(io::Error::other)?;
    replace_file(&dir.join(MANIFEST_FILE), text.as_bytes())?;
    write_seal(dir, text.as_bytes())
}

/// Seals the manifest as it stands in the bundle in `dir`, after it was changed deliberately. A signature of the earlier one
/// is removed.
///
/// # Errors
/// [`BundleError::Manifest`] when it is missing, not valid or cannot be sealed; [`BundleError::Refused`] when it contradicts
/// itself.
pub fn seal(dir: &Path) -> Result<Manifest, BundleError> {
    let ManifestFile { manifest, bytes } = ManifestFile::read(dir)?;
    let contradictions = manifest.contradictions();
    if !contradictions.is_empty() {
        return Err(BundleError::Refused {
            dir: dir.to_path_buf(),
            mismatches: contradictions,
        });
    }
    match write_seal(dir, &bytes) {
        Ok(()) => Ok(manifest),
        Err(e) => Err(BundleError::Manifest {
            dir: dir.to_path_buf(),
            reason: format!("cannot be sealed: {e}"),
        }),
    }
}

fn write_seal(dir: &Path, manifest: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(dir.join(SIGNATURE_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let line = format!("{}  {MANIFEST_FILE}\n", sha256(manifest));
    std::fs::write(dir.join(SEAL_FILE), line)
}

/// What is wrong with the seal of the bundle in `dir`, whose manifest has this content.
pub(crate) fn mismatch(dir: &Path, manifest: &[u8]) -> Option<String> {
    let advice = "if that is meant to be, seal it again with `latco model seal`";
    let seal = match read_beside(dir, SEAL_FILE) {
        Ok(Some(seal)) => seal,
        Ok(None) => {
            return Some(format!(
                "{SEAL_FILE} is missing, so that nothing says whether {MANIFEST_FILE} was changed: {advice}"
            ));
        }
        Err(reason) => return Some(reason),
    };
    let (found, said) = (sha256(manifest), seal.split_whitespace().next());
    (said != Some(&found)).then(|| {
        format!(
            "{MANIFEST_FILE} was changed: sha256 {found}, {SEAL_FILE} says {}; {advice}",
            said.unwrap_or("nothing")
        )
    })
}
