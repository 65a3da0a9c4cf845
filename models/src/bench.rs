//! Latency of the graphs of a bundle, as `latco model bench` prints it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::bundle::Bundle;
use crate::error::{BundleError, RunError};
use crate::graph::Graph;
use crate::provider::{Declined, Provider};
use crate::runtime;
use crate::session::BoundSession;

/// Options of the measurement.
#[derive(Clone, Copy, Debug)]
pub struct BenchOptions {
    /// Number of runs of each graph and batch size.
    pub runs: usize,
    /// Number of plans that are iterated at once, N.
    pub starts: usize,
    /// Function that counts the Rust allocations of this thread, if the program has one.
    pub allocations: Option<fn() -> u64>,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self {
            runs: 200,
            starts: 1,
            allocations: None,
        }
    }
}

/// Latency of every graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bench {
    /// Folder of the bundle.
    pub bundle: PathBuf,
    /// The execution provider that was used.
    pub provider: Provider,
    /// Providers that were preferred to it and cannot be used.
    pub declined: Vec<Declined>,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Path of ONNX Runtime's library.
    pub library: Option<PathBuf>,
    /// Number of runs per graph and batch size.
    pub runs: usize,
    /// Time in ms to load the bundle with all its checks.
    pub load_ms: f64,
    /// Time in ms to make all sessions below.
    pub sessions_ms: f64,
    /// Part of `sessions_ms` that the runs before the first use took, in ms.
    pub warm_up_ms: f64,
    /// Latency by graph, one entry for each batch size.
    pub graphs: BTreeMap<Graph, Vec<Latency>>,
}

/// Latency of one graph in a hot loop on one thread, copies from and to the caller's memory included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Batch size.
    pub batch: usize,
    /// Median latency in microseconds.
    pub median_us: f64,
    /// 99th percentile of the latency in microseconds.
    pub p99_us: f64,
    /// Time in ms to make the session without its first runs.
    pub load_ms: f64,
    /// Time in ms of the session's first runs.
    pub warm_up_ms: f64,
    /// Number of Rust allocations per timed run; `None` if the program does not count them.
    pub allocations_per_run: Option<f64>,
}

/// The reason why [`bench()`] failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BenchError {
    /// The bundle cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A graph failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Times every graph at the batch sizes that a controller uses, after a tenth of the runs to warm up: one
/// image, one state, the H states of a plan, and the N H states and N action sequences of N plans.
///
/// # Errors
/// [`BenchError`] when a graph fails or the bundle cannot be used.
pub fn bench(bundle: &Bundle, options: &BenchOptions) -> Result<Bench, BenchError> {
    let runs = options.runs.max(1);
    let horizon = bundle.manifest().dims.horizon;
    let starts = options.starts.max(1);
    let mut graphs = BTreeMap::new();
    let (mut sessions_ms, mut warm_up_ms) = (0.0, 0.0);
    for graph in Graph::ALL {
        let mut batches = match graph {
            Graph::Dynamics => vec![1, horizon, starts * horizon],
            Graph::Reward => vec![horizon, starts * horizon],
            Graph::Rollout => vec![1, starts],
            Graph::Observe | Graph::Decode => vec![1],
        };
        batches.dedup();
        let mut latencies = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut bound = bundle.bound(graph, batch)?;
            let latency = time(&mut bound, batch, runs, options.allocations)?;
            sessions_ms += latency.load_ms + latency.warm_up_ms;
            warm_up_ms += latency.warm_up_ms;
            latencies.push(latency);
        }
        graphs.insert(graph, latencies);
    }
    Ok(Bench {
        bundle: bundle.dir().to_path_buf(),
        provider: bundle.provider(),
        declined: bundle.declined().to_vec(),
        onnxruntime: runtime::build_info().map_err(BundleError::from)?,
        library: runtime::library_path().map(Into::into),
        runs,
        load_ms: bundle.load_time().as_secs_f64() * 1e3,
        sessions_ms,
        warm_up_ms,
        graphs,
    })
}

fn time(
    bound: &mut BoundSession,
    batch: usize,
    runs: usize,
    allocations: Option<fn() -> u64>,
) -> Result<Latency, RunError> {
    for _ in 0..runs.div_ceil(10) {
        bound.run()?;
    }
    let mut times = Vec::with_capacity(runs);
    let before = allocations.map(|count| count());
    for _ in 0..runs {
        let start = Instant::now();
        bound.run()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let after = allocations.map(|count| count());
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((runs - 1) as f64 * share).round() as usize];
    let setup = bound.setup_times();
    Ok(Latency {
        batch,
        median_us: at(0.5),
        p99_us: at(0.99),
        load_ms: setup.load.as_secs_f64() * 1e3,
        warm_up_ms: setup.warm_up.as_secs_f64() * 1e3,
        allocations_per_run: after
            .zip(before)
            .map(|(after, before)| (after - before) as f64 / runs as f64),
    })
}
