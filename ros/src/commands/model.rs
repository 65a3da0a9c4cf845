//! `latco model`: contents, verification, signatures and latency of a model bundle.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use latco_controller::Config;
use latco_controller::plan::{MemoryBudget, memory};
use latco_models::{
    BenchOptions, Bundle, BundleError, Declined, Provider, PublicKey, SecretKey, TrustedKeys,
    bench, gates, report,
};
use serde::Serialize;

use super::failure::Failure;
use super::output::{print_json, print_line};
use super::provider::ProviderArgs;
use crate::allocations;
use crate::middleware::Stop;

/// Look at model bundles
#[derive(Debug, Args)]
pub(super) struct Model {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what a bundle holds; its files are checked and ONNX Runtime is needed only with --provider
    Info(Common),
    /// Do every check that is done when a controller loads the bundle
    Check(Common),
    /// Write a bundle of an earlier format in the format of today; all its numbers stay as they are
    Convert {
        /// Folder of the bundle
        bundle: PathBuf,
        /// Folder of the new bundle; may be the same
        #[arg(long)]
        out: PathBuf,
    },
    /// Seal the manifest of a bundle after it was changed deliberately; a signature of the earlier one is removed
    Seal {
        /// Folder of the bundle
        bundle: PathBuf,
    },
    /// Make a key for signatures (ed25519): the secret one into a file, the public one on standard output
    Keygen {
        /// File of the secret key, which only its owner may read
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign a bundle: its manifest, and with it the sums of all its files
    Sign {
        /// Folder of the bundle
        bundle: PathBuf,
        /// File of the secret key, as `latco model keygen` writes it
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Check seal, signature, sums and graphs of a bundle without running it; ONNX Runtime is not needed
    Verify {
        /// Folder of the bundle
        bundle: PathBuf,
        /// Public key of whom the bundle has to be signed by (repeatable) [default: it need not be signed]
        #[arg(long = "key", value_name = "PUBLIC-KEY")]
        keys: Vec<PublicKey>,
    },
    /// Measure the latency of every graph at the batch sizes in use, on one thread, in a hot loop
    Bench {
        #[command(flatten)]
        common: Common,
        /// Runs of each graph and batch size
        #[arg(long, default_value_t = 200)]
        runs: usize,
        /// Plans iterated at once, N: the batch sizes of N plans are measured too
        #[arg(long, default_value_t = 1, value_parser = starts)]
        starts: usize,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Folder of the bundle
    bundle: PathBuf,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn starts(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1024) => Ok(number),
        _ => Err(format!("expected 1 to 1024, found {text:?}")),
    }
}

/// The output of `info`.
#[derive(Serialize)]
struct Info {
    #[serde(flatten)]
    bundle: report::Info,
    /// Memory that a LatCo planner at its defaults takes for the bundle.
    memory: MemoryBudget,
    /// The provider that is used for the list that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Provider>,
    /// Providers before it in the list, which cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    declined: Vec<Declined>,
}

impl Model {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        match self.action {
            Action::Info(common) => info(&common),
            Action::Check(common) => check(&common, stop),
            Action::Seal { bundle } => seal(&bundle),
            Action::Keygen { out } => keygen(&out),
            Action::Sign { bundle, key } => sign(&bundle, &key),
            Action::Verify { bundle, keys } => verify(&bundle, keys),
            Action::Convert { bundle, out } => convert(&bundle, &out),
            Action::Bench {
                common,
                runs,
                starts,
            } => measure(&common, runs, starts),
        }
    }
}

fn info(common: &Common) -> Result<(), Failure> {
    let info = report::info(&common.bundle).map_err(Failure::usage)?;
    let mut info = Info {
        memory: memory(&info.manifest, &Config::default()),
        bundle: info,
        provider: None,
        declined: Vec::new(),
    };
    if common.provider.providers.is_some() {
        let bundle = load(common)?;
        info.provider = Some(bundle.provider());
        info.declined = bundle.declined().to_vec();
    }
    if common.json {
        return print_json(&info);
    }
    if let Some(provider) = info.provider {
        print_line(&format!("# provider {provider}"))?;
    }
    let (info, memory) = (info.bundle, info.memory);
    let gates: String = (gates::lines(&info.manifest).iter())
        .map(|line| format!("# gate {line}\n"))
        .collect();
    let text = toml::to_string_pretty(&info.manifest).map_err(Failure::failed)?;
    print_line(&format!(
        "# bundle {}, {} bytes, states of {}\n# memory of a LatCo planner: {} bytes (solver arena {}, Jacobian arena {})\n{gates}{text}",
        info.bundle.display(),
        info.total_bytes,
        info.state,
        memory.arena_bytes(),
        memory.solver_arena_bytes,
        memory.jacobian_arena_bytes
    ))
}

fn check(common: &Common, stop: &Stop) -> Result<(), Failure> {
    let mut options = common.provider.load_options();
    options.limit.given_up = stop.flag();
    let check = report::check(&common.bundle, &options).map_err(Failure::usage)?;
    if common.json {
        print_json(&check)?;
    } else if let Some(provider) = check.provider {
        print_line(&format!(
            "{}: every check passed on {provider} with ONNX Runtime {}",
            check.bundle.display(),
            check.onnxruntime
        ))?;
    }
    if check.passed {
        return Ok(());
    }
    Err(Failure::usage(BundleError::Refused {
        dir: check.bundle,
        mismatches: check.mismatches,
    }))
}

fn convert(bundle: &Path, out: &Path) -> Result<(), Failure> {
    let manifest = latco_models::convert(bundle, out).map_err(Failure::usage)?;
    print_line(&format!(
        "{}: bundle of format {}",
        out.display(),
        manifest.format_version
    ))
}

fn seal(bundle: &Path) -> Result<(), Failure> {
    latco_models::seal(bundle).map_err(Failure::usage)?;
    print_line(&format!("{}: sealed", bundle.display()))
}

fn keygen(out: &Path) -> Result<(), Failure> {
    let key = SecretKey::generate(out).map_err(|e| of_file(out, e))?;
    print_line(&key.public().to_string())
}

fn sign(bundle: &Path, key: &Path) -> Result<(), Failure> {
    let key = SecretKey::read(key).map_err(|e| of_file(key, e))?;
    latco_models::sign(bundle, &key).map_err(Failure::usage)?;
    print_line(&format!("{}: signed by {}", bundle.display(), key.public()))
}

fn verify(bundle: &Path, keys: Vec<PublicKey>) -> Result<(), Failure> {
    let signer = report::verify(bundle, TrustedKeys(keys)).map_err(Failure::usage)?;
    let by = signer.map_or("not signed".to_owned(), |key| format!("signed by {key}"));
    print_line(&format!("{}: unchanged, {by}", bundle.display()))
}

fn of_file(file: &Path, error: std::io::Error) -> Failure {
    Failure::usage(anyhow::anyhow!("{}: {error}", file.display()))
}

fn load(common: &Common) -> Result<Bundle, Failure> {
    Bundle::load(&common.bundle, &common.provider.load_options()).map_err(Failure::usage)
}

/// Number of Rust allocations of this process; 0 where they are not counted.
fn counted() -> u64 {
    allocations::count().unwrap_or(0)
}

fn measure(common: &Common, runs: usize, starts: usize) -> Result<(), Failure> {
    let bundle = load(common)?;
    let options = BenchOptions {
        runs,
        starts,
        allocations: allocations::count().map(|_| counted as fn() -> u64),
    };
    let figures = bench(&bundle, &options).map_err(Failure::failed)?;
    if common.json {
        return print_json(&figures);
    }
    print_line(&format!(
        "provider {}, loaded and checked in {:.0} ms, sessions made in {:.0} ms ({:.0} ms of it first runs)",
        figures.provider, figures.load_ms, figures.sessions_ms, figures.warm_up_ms
    ))?;
    print_line(&format!(
        "{:12} {:>6} {:>12} {:>12} {:>10} {:>12}",
        "graph", "batch", "median us", "p99 us", "load ms", "warm-up ms"
    ))?;
    for (graph, latencies) in &figures.graphs {
        let name = graph.to_string();
        for latency in latencies {
            print_line(&format!(
                "{name:12} {:6} {:12.1} {:12.1} {:10.1} {:12.1}",
                latency.batch,
                latency.median_us,
                latency.p99_us,
                latency.load_ms,
                latency.warm_up_ms
            ))?;
        }
    }
    Ok(())
}
