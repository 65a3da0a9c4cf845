//! The outputs of `latco model info | check | verify`, as values.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bundle::Bundle;
use crate::contents::Content;
use crate::error::BundleError;
use crate::load_options::LoadOptions;
use crate::manifest::Manifest;
use crate::manifest_file::read_manifest;
use crate::provider::{Declined, Provider};
use crate::runtime;
use crate::shipped::shipped;
use crate::signature::{PublicKey, TrustedKeys};
use crate::verify::Verification;

/// The contents of a bundle, without a check of its files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Info {
    /// Folder of the bundle.
    pub bundle: PathBuf,
    /// Length n of a state.
    pub state: usize,
    /// Size of all files together in bytes, as the manifest lists them.
    pub total_bytes: u64,
    /// The manifest.
    pub manifest: Manifest,
}

/// Reads the manifest of the bundle in `dir`. Works without ONNX Runtime.
///
/// # Errors
/// [`BundleError::Manifest`] when there is no readable manifest.
pub fn info(dir: &Path) -> Result<Info, BundleError> {
    let dir = &shipped(dir);
    let manifest = read_manifest(dir)?;
    Ok(Info {
        bundle: dir.to_path_buf(),
        state: manifest.dims.stoch.saturating_add(manifest.dims.deter),
        total_bytes: manifest
            .files
            .values()
            .fold(0, |total, file| total.saturating_add(file.bytes)),
        manifest,
    })
}

/// The result of the checks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Folder of the bundle.
    pub bundle: PathBuf,
    /// The execution provider on which the vectors were run; `None` if the checks did not get that far.
    pub provider: Option<Provider>,
    /// Providers that were preferred to it and cannot be used.
    pub declined: Vec<Declined>,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Whether all checks passed.
    pub passed: bool,
    /// Descriptions of everything that is wrong.
    pub mismatches: Vec<String>,
    /// The measured differences; empty if the checks did not get that far.
    pub verification: Verification,
}

/// Runs every check of [`Bundle::load`].
///
/// # Errors
/// The errors that leave nothing to check: ONNX Runtime or the manifest is missing. Mismatches are part of
/// the result.
pub fn check(dir: &Path, options: &LoadOptions) -> Result<Check, BundleError> {
    let mut check = Check {
        bundle: dir.to_path_buf(),
        provider: None,
        declined: Vec::new(),
        onnxruntime: String::new(),
        passed: false,
        mismatches: Vec::new(),
        verification: Verification::default(),
    };
    match Bundle::load(dir, options) {
        Ok(bundle) => {
            check.provider = Some(bundle.provider());
            check.declined = bundle.declined().to_vec();
            check.passed = true;
            check.verification = bundle.verification().clone();
        }
        Err(BundleError::Refused { mismatches, .. }) => check.mismatches = mismatches,
        Err(other) => return Err(other),
    }
    check.onnxruntime = runtime::build_info()?;
    Ok(check)
}

/// Checks everything of the bundle in `dir` that can be checked without running it: manifest, seal, signature, sums, operators
/// and shapes. Works without ONNX Runtime.
///
/// # Errors
/// [`BundleError::Manifest`], or [`BundleError::Refused`] with all mismatches.
pub fn verify(dir: &Path, trusted_keys: TrustedKeys) -> Result<Option<PublicKey>, BundleError> {
    let options = LoadOptions {
        trusted_keys,
        ..LoadOptions::default()
    };
    let content = Content::read(dir, &options)?;
    match content.mismatches.is_empty() {
        true => Ok(content.signer),
        false => Err(BundleError::Refused {
            dir: dir.to_path_buf(),
            mismatches: content.mismatches,
        }),
    }
}
