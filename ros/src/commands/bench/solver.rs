//! `latco bench solver`: arguments, and which of its three measurements they ask for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use latco_solver::{Instructions, MAX_PARTS, MAX_PLANS, limit_instructions};

use super::figures::{self, Request};
use super::growth::{self, Sweep};
use super::quality::{self, Quality};
use super::sizes::Sizes;
use crate::commands::failure::Failure;
use crate::commands::output::print_json;
use crate::commands::provider::ProviderArgs;
use crate::middleware::Stop;

/// Time of one LatCo iteration, with the parts a robot uses
///
/// A bundle with random weights is written to a temporary folder, loaded and verified as on a
/// robot, and iterated by the reduced solver through ONNX Runtime. After a warm-up, blocks of 50
/// iterations that each start from noise (so that neither a converged plan nor one with run-away
/// multipliers is timed) are timed whole; blocks between them, with a clock in the model, give the
/// parts. The start's own evaluation is not timed. `cold_plan_200_iterations_ms` includes it.
///
/// `machine_gmac_per_s` is the best rate of a 1536 x 1536 f32 matrix product by gemm-f32 on the same
/// number of threads, `least_multiply_adds` the products an iteration cannot do without (formula:
/// ros/src/commands/bench/arithmetic.rs), and `arithmetic_limit_ratio` the iteration's time over
/// the time of these products at that rate. Run it on an idle machine.
///
/// With --sweep: the growth over horizons and state sizes, for the reduced, the block-tridiagonal
/// and a dense solve. With --quality: what the plans are worth, reduced against block-tridiagonal.
#[derive(Debug, Args)]
pub(super) struct SolverBench {
    #[command(flatten)]
    sizes: Sizes,
    /// Plans that are iterated together, sharing every reading of the weights
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["sweep", "quality"])]
    plans: usize,
    /// Threads; the solver's stages have two parts, so more than 2 change nothing
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Widest vector instructions that the solver may use on x86-64 [default: the widest found]
    #[arg(long, value_enum, value_name = "SET")]
    instructions: Option<InstructionSet>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Iterations to time [default: 400; with --quality, of each plan: 100]
    #[arg(long, value_name = "K")]
    iterations: Option<usize>,
    /// Seed of weights, states and plans
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Measure the growth over horizons and state sizes
    #[arg(long, conflicts_with = "quality", requires = "out")]
    sweep: bool,
    /// Horizons of the sweep
    #[arg(long, value_delimiter = ',', value_name = "H,..", default_values_t = [10, 20, 30, 50, 70, 100], requires = "sweep")]
    horizons: Vec<usize>,
    /// State sizes of the sweep; an eighth is stochastic
    #[arg(long, value_delimiter = ',', value_name = "N,..", default_values_t = [64, 128, 256, 512], requires = "sweep")]
    states: Vec<usize>,
    /// A sweep leaves out what would take longer for one iteration, seconds
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    limit_s: f64,
    /// Compare what the plans of the two solvers are worth
    #[arg(long)]
    quality: bool,
    /// Random models of the comparison
    #[arg(long, value_name = "M", default_value_t = 20, requires = "quality")]
    models: usize,
    /// Start states on each learned bundle of the comparison
    #[arg(long, value_name = "N", default_value_t = 4, requires = "quality")]
    starts: usize,
    /// Folder of learned bundles for the comparison
    #[arg(long, value_name = "DIR", default_value = "models/bundles")]
    bundles: PathBuf,
    /// Folder for tables and pictures; what it holds already is not measured again
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Values of `--instructions`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum InstructionSet {
    Sse2,
    Avx2,
    Avx512,
}

impl SolverBench {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        self.check()?;
        if let Some(set) = self.instructions {
            limit_instructions(match set {
                InstructionSet::Sse2 => Instructions::Sse2,
                InstructionSet::Avx2 => Instructions::Avx2,
                InstructionSet::Avx512 => Instructions::Avx512,
            });
        }
        let load = self.provider.load_options();
        if self.sweep {
            let sweep = Sweep {
                horizons: self.horizons,
                states: self.states,
                seed: self.seed,
                load,
                limit_s: self.limit_s,
                out: self.out.unwrap_or_default(),
            };
            return growth::run(&sweep, self.json, stop);
        }
        if self.quality {
            let comparison = Quality {
                models: self.models,
                starts: self.starts,
                bundles: self.bundles,
                iterations: self.iterations.unwrap_or(100),
                seed: self.seed,
                load,
                out: self.out,
            };
            return quality::run(&comparison, self.json, stop);
        }
        let figures = figures::measure(
            &Request {
                sizes: self.sizes,
                plans: self.plans,
                threads: self.threads,
                iterations: self.iterations.unwrap_or(400),
                seed: self.seed,
                load,
            },
            stop,
        )?;
        if self.json {
            return print_json(&figures);
        }
        figures.print()
    }

    fn check(&self) -> Result<(), Failure> {
        self.sizes.check()?;
        let wrong = |text: String| Err(Failure::usage(anyhow::anyhow!(text)));
        if !(1..=MAX_PARTS).contains(&self.threads) {
            return wrong(format!(
                "--threads: expected 1 to {MAX_PARTS}, found {}",
                self.threads
            ));
        }
        if !(1..=MAX_PLANS).contains(&self.plans) {
            return wrong(format!(
                "--plans: expected 1 to {MAX_PLANS}, found {}",
                self.plans
            ));
        }
        if self.iterations == Some(0) {
            return wrong("--iterations: expected 1 or more, found 0".to_owned());
        }
        if self.limit_s.is_nan() || self.limit_s <= 0.0 {
            return wrong(format!(
                "--limit-s: expected a positive number of seconds, found {}",
                self.limit_s
            ));
        }
        for state in &self.states {
            if !(2..=4096).contains(state) {
                return wrong(format!("--states: expected 2 to 4096, found {state}"));
            }
        }
        for horizon in &self.horizons {
            if !(1..=1000).contains(horizon) {
                return wrong(format!("--horizons: expected 1 to 1000, found {horizon}"));
            }
        }
        Ok(())
    }
}
