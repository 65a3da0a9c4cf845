//! Writing a bundle folder.

use std::collections::BTreeMap;
use std::path::Path;

use latco_models::golden::GOLDEN_FILE;
use latco_models::manifest::{FileSum, MANIFEST_FILE};
use latco_models::sha256;
use latco_models::{DynamicsKind, Golden, Graph, Manifest, write_manifest};

use latco_reference::RssmWeights;

use crate::error::ExportError;
use crate::golden;
use crate::metadata::Metadata;
use crate::{dynamics, graphs};

/// Bytes of one graph.
pub fn graph(weights: &RssmWeights, manifest: &Manifest, graph: Graph) -> Vec<u8> {
    match (graph, manifest.dynamics.kind) {
        (Graph::Observe, _) => graphs::observe(weights, manifest),
        (Graph::Dynamics, DynamicsKind::GruFactors) => dynamics::factors(&weights.step, manifest),
        (Graph::Dynamics, DynamicsKind::Dense) => dynamics::dense(&weights.step, manifest),
        (Graph::Reward, _) => graphs::reward(weights, manifest),
        (Graph::Rollout, _) => graphs::rollout(weights, manifest),
        (Graph::Decode, _) => graphs::decode(weights, manifest),
    }
}

/// Writes a bundle with dynamics of the kind that the weights have ([`RssmWeights::kind`]) into folder `dir` (made if it
/// does not exist; files of an older bundle are replaced).
///
/// `golden` needs at least one case with all inputs for every graph, and should have the outputs that the trainer
/// computes itself; outputs it lacks (usually `factors` and `gradient`) are computed by [`latco_reference`]. ONNX Runtime is not used: load the bundle afterwards to check it.
///
/// # Errors
/// Weights, metadata or golden vectors that do not fit together, with every contradiction; or a file that cannot be
/// written.
pub fn write_bundle(
    dir: &Path,
    weights: &RssmWeights,
    metadata: &Metadata,
    golden: &Golden,
) -> Result<Manifest, ExportError> {
    write_bundle_of_kind(dir, weights, metadata, golden, weights.kind())
}

/// Writes a bundle as [`write_bundle`] does, with dynamics of the kind that is asked for.
///
/// # Errors
/// [`ExportError`], as of [`write_bundle`], and where gate factors are asked for of weights without a GRU.
pub fn write_bundle_of_kind(
    dir: &Path,
    weights: &RssmWeights,
    metadata: &Metadata,
    golden: &Golden,
    kind: DynamicsKind,
) -> Result<Manifest, ExportError> {
    weights.validate(metadata.image_height, metadata.image_width)?;
    if weights.step.gru.is_none() && kind == DynamicsKind::GruFactors {
        return Err(ExportError::NoGru);
    }
    let mut manifest = metadata.manifest(weights, kind);
    let contradictions = manifest.contradictions();
    if !contradictions.is_empty() {
        return Err(ExportError::Metadata(contradictions));
    }
    let mut golden = golden.clone();
    golden::complete(&mut golden, weights, &manifest)?;

    let mut files: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for each in Graph::ALL {
        files.insert(each.file(), graph(weights, &manifest, each));
    }
    let bytes = golden.to_bytes().map_err(|e| ExportError::Serialise {
        what: GOLDEN_FILE,
        reason: e.to_string(),
    })?;
    files.insert(GOLDEN_FILE, bytes);
    for (name, bytes) in &files {
        let sum = FileSum {
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
        };
        manifest.files.insert((*name).to_owned(), sum);
    }
    // The manifest last: an interrupted export leaves sums that do not fit, which the loader refuses.
    std::fs::create_dir_all(dir).map_err(|source| ExportError::Write {
        path: dir.to_path_buf(),
        source,
    })?;
    for (name, bytes) in &files {
        write(&dir.join(name), bytes)?;
    }
    write_manifest(dir, &manifest).map_err(|source| ExportError::Write {
        path: dir.join(MANIFEST_FILE),
        source,
    })?;
    Ok(manifest)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    std::fs::write(path, bytes).map_err(|source| ExportError::Write {
        path: path.to_path_buf(),
        source,
    })
}
