//! What `latco model info | check | bench` print, as values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::bundle::{Bundle, LoadOptions, read_manifest};
use crate::error::{BundleError, RunError};
use crate::graph::Graph;
use crate::manifest::Manifest;
use crate::provider::Provider;
use crate::runtime;
use crate::verify::Verification;

/// Contents of a bundle, without checking its files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Info {
    /// Folder.
    pub bundle: PathBuf,
    /// Size n of a state.
    pub state: usize,
    /// Size of all files together as the manifest lists them, bytes.
    pub total_bytes: u64,
    /// The manifest.
    pub manifest: Manifest,
}

/// Reads the manifest of the bundle in `dir`. Works without ONNX Runtime.
///
/// # Errors
/// [`BundleError::Manifest`].
pub fn info(dir: &Path) -> Result<Info, BundleError> {
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

/// Result of the checks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Folder.
    pub bundle: PathBuf,
    /// Execution provider the vectors were run on.
    pub provider: Provider,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Whether everything is right.
    pub passed: bool,
    /// Everything that is wrong.
    pub mismatches: Vec<String>,
    /// Differences measured; empty if the checks did not get that far.
    pub verification: Verification,
}

/// Runs every check of [`Bundle::load`].
///
/// # Errors
/// Those that leave nothing to check: ONNX Runtime or the manifest missing. Mismatches are part of the result.
pub fn check(dir: &Path, options: &LoadOptions) -> Result<Check, BundleError> {
    let (mismatches, verification) = match Bundle::load(dir, options) {
        Ok(bundle) => (Vec::new(), bundle.verification().clone()),
        Err(BundleError::Refused { mismatches, .. }) => (mismatches, Verification::default()),
        Err(other) => return Err(other),
    };
    Ok(Check {
        bundle: dir.to_path_buf(),
        provider: options.provider,
        onnxruntime: runtime::build_info()?,
        passed: mismatches.is_empty(),
        mismatches,
        verification,
    })
}

/// Latency of every graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bench {
    /// Folder.
    pub bundle: PathBuf,
    /// Execution provider.
    pub provider: Provider,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Runs per graph.
    pub runs: usize,
    /// Latency by graph.
    pub graphs: BTreeMap<Graph, Latency>,
}

/// Latency of one graph in a hot loop on one thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Batch size: 1 for `observe`, `rollout` and `decode`, the trained horizon for `dynamics` and `reward`.
    pub batch: usize,
    /// Median, microseconds.
    pub median_us: f64,
    /// 99th percentile, microseconds.
    pub p99_us: f64,
}

/// A [`bench()`] failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BenchError {
    /// The bundle cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A graph failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Times `runs` runs of every graph, after as many tenths to warm up.
///
/// # Errors
/// A graph fails.
pub fn bench(bundle: &Bundle, runs: usize) -> Result<Bench, BenchError> {
    let runs = runs.max(1);
    let horizon = bundle.manifest().dims.horizon;
    let mut graphs = BTreeMap::new();
    for graph in Graph::ALL {
        let batch = match graph {
            Graph::Dynamics | Graph::Reward => horizon,
            Graph::Observe | Graph::Rollout | Graph::Decode => 1,
        };
        let mut bound = bundle.bound(graph, batch)?;
        for _ in 0..runs.div_ceil(10) {
            bound.run()?;
        }
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs {
            let start = Instant::now();
            bound.run()?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((runs - 1) as f64 * share).round() as usize];
        graphs.insert(
            graph,
            Latency {
                batch,
                median_us: at(0.5),
                p99_us: at(0.99),
            },
        );
    }
    Ok(Bench {
        bundle: bundle.dir().to_path_buf(),
        provider: bundle.provider(),
        onnxruntime: runtime::build_info().map_err(BundleError::from)?,
        runs,
        graphs,
    })
}
