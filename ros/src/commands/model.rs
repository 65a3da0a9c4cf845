//! `latco model`: contents, verification and latency of a model bundle.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use latco_controller::Config;
use latco_controller::plan::{MemoryBudget, memory};
use latco_models::{Bundle, BundleError, LoadOptions, Provider, report};

use serde::Serialize;

use super::{Failure, print_json, print_line};

/// Model bundles
#[derive(Debug, Args)]
pub(super) struct Model {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// What a bundle holds (its files are not checked)
    Info(Common),
    /// Every check that is done when a controller loads the bundle
    Check(Common),
    /// Latency of every graph, on one thread, in a hot loop
    Bench {
        #[command(flatten)]
        common: Common,
        /// Runs of each graph
        #[arg(long, default_value_t = 200)]
        runs: usize,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Folder of the bundle
    bundle: PathBuf,
    /// Execution provider
    #[arg(long, default_value_t = Provider::Cpu)]
    provider: Provider,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Common {
    fn options(&self) -> LoadOptions {
        LoadOptions {
            provider: self.provider,
            ..LoadOptions::default()
        }
    }
}

impl Model {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Info(common) => info(&common),
            Action::Check(common) => check(&common),
            Action::Bench { common, runs } => bench(&common, runs),
        }
    }
}

/// `latco model info --json`.
#[derive(Serialize)]
struct Info {
    #[serde(flatten)]
    bundle: report::Info,
    /// Of a LatCo planner with the default configuration.
    memory: MemoryBudget,
}

fn info(common: &Common) -> Result<(), Failure> {
    let info = report::info(&common.bundle).map_err(Failure::usage)?;
    let memory = memory(&info.manifest, &Config::default());
    if common.json {
        return print_json(&Info {
            bundle: info,
            memory,
        });
    }
    let text = toml::to_string_pretty(&info.manifest).map_err(Failure::failed)?;
    print_line(&format!(
        "# bundle {}, {} bytes, states of {}\n# memory of a LatCo planner: {} bytes (solver arena {}, Jacobian arena {})\n{text}",
        info.bundle.display(),
        info.total_bytes,
        info.state,
        memory.arena_bytes(),
        memory.solver_arena_bytes,
        memory.jacobian_arena_bytes
    ))
}

fn check(common: &Common) -> Result<(), Failure> {
    let check = report::check(&common.bundle, &common.options()).map_err(Failure::usage)?;
    if common.json {
        print_json(&check)?;
    } else if check.passed {
        print_line(&format!(
            "{}: every check passed on {} with ONNX Runtime {}",
            check.bundle.display(),
            check.provider,
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

fn bench(common: &Common, runs: usize) -> Result<(), Failure> {
    let bundle = Bundle::load(&common.bundle, &common.options()).map_err(Failure::usage)?;
    let bench = report::bench(&bundle, runs).map_err(Failure::failed)?;
    if common.json {
        return print_json(&bench);
    }
    print_line(&format!(
        "{:12} {:>6} {:>12} {:>12}",
        "graph", "batch", "median us", "p99 us"
    ))?;
    for (graph, latency) in &bench.graphs {
        let name = graph.to_string();
        print_line(&format!(
            "{name:12} {:6} {:12.1} {:12.1}",
            latency.batch, latency.median_us, latency.p99_us
        ))?;
    }
    Ok(())
}
