//! `latco bench solver`: the time of one LatCo iteration and of its parts.

use clap::{Args, ValueEnum};
use latco_models::runtime;
use latco_solver::{
    BlockTridiagonal, Instructions, MAX_PARTS, MAX_PLANS, Reduced, Settings, Solver, instructions,
    limit_instructions,
};
use serde::Serialize;

use super::arithmetic::least_multiply_adds;
use super::machine::{self, Cpu};
use super::run::{RESTART_EVERY, Run};
use super::sizes::Sizes;
use super::timed::Parts;
use crate::commands::failure::Failure;
use crate::commands::output::print_figures;
use crate::commands::provider::ProviderArgs;
use crate::middleware::Stop;
use crate::quantile::quantile;

/// Number of plans of which the median is `cold_plan_200_iterations_ms`.
const COLD_PLANS: usize = 3;

/// Time of one LatCo iteration, with the parts a robot uses
///
/// A bundle with random weights is written to a temporary folder, loaded and verified as on a
/// robot, and iterated by the reduced solver through ONNX Runtime. After a warm-up, blocks of 50
/// iterations that each start from noise (so that neither a converged plan nor one with run-away
/// multipliers is timed) are timed whole; blocks between them, with a clock in the model, give the
/// parts. The start's own evaluation is not timed. `cold_plan_200_iterations_ms` includes it.
/// `block_tridiagonal_ms_median` is the time of the same iteration by the block-tridiagonal solver.
///
/// `machine_gmac_per_s` is the best rate of a 1536 x 1536 f32 matrix product by gemm-f32 on the same
/// number of threads, `least_multiply_adds` the products an iteration cannot do without (formula:
/// ros/src/commands/bench/arithmetic.rs), and `arithmetic_limit_ratio` the iteration's time over
/// the time of these products at that rate. Run it on an idle machine.
#[derive(Debug, Args)]
pub(super) struct SolverBench {
    #[command(flatten)]
    sizes: Sizes,
    /// Plans that are iterated together, sharing every reading of the weights
    #[arg(long, value_name = "N", default_value_t = 1)]
    plans: usize,
    /// Threads; the solver's stages have two parts, so more than 2 change nothing
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Widest vector instructions that the solver may use on x86-64 [default: the widest found]
    #[arg(long, value_enum, value_name = "SET")]
    instructions: Option<InstructionSet>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Iterations to time
    #[arg(long, value_name = "K", default_value_t = 400)]
    iterations: usize,
    /// Seed of weights, states and plans
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The values of `--instructions`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum InstructionSet {
    Sse2,
    Avx2,
    Avx512,
}

/// The figures; the field names are those of `latco bench solver --json`.
#[derive(Debug, Serialize)]
struct Figures {
    #[serde(flatten)]
    sizes: Sizes,
    plans: usize,
    threads: usize,
    provider: String,
    seed: u64,
    iterations: usize,
    restart_every: usize,
    failed_iterations: usize,
    iteration_ms_median: Option<f64>,
    iteration_ms_p99: Option<f64>,
    model_ms: Option<f64>,
    linearise_ms: Option<f64>,
    solve_ms: Option<f64>,
    multipliers_ms: Option<f64>,
    /// Number of Rust allocations per iteration, in all threads of the process.
    allocations_per_iteration: Option<f64>,
    arena_bytes: usize,
    solver_arena_bytes: usize,
    jacobian_arena_bytes: usize,
    cold_plan_200_iterations_ms: Option<f64>,
    block_tridiagonal_ms_median: Option<f64>,
    machine_gmac_per_s: f64,
    machine_kernel: &'static str,
    least_multiply_adds: u64,
    arithmetic_limit_ratio: Option<f64>,
    cpu: Cpu,
    /// The widest vector instructions that the solver used.
    instructions: &'static str,
    onnxruntime: String,
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
        print_figures(&self.measure(stop)?, self.json)
    }

    fn check(&self) -> Result<(), Failure> {
        self.sizes.check()?;
        for (name, found, most) in [
            ("--threads", self.threads, MAX_PARTS),
            ("--plans", self.plans, MAX_PLANS),
            ("--iterations", self.iterations, usize::MAX),
        ] {
            if !(1..=most).contains(&found) {
                return Err(Failure::usage(anyhow::anyhow!(
                    "{name}: expected 1 to {most}, found {found}"
                )));
            }
        }
        Ok(())
    }

    fn measure(&self, stop: &Stop) -> Result<Figures, Failure> {
        let &Self {
            sizes,
            plans,
            threads,
            seed,
            ..
        } = self;
        let bundle = sizes.bundle(seed, &self.provider.load_options())?;
        let (settings, plan) = (Settings::default(), sizes.plan());
        let mut run = Run::<Reduced>::new(&bundle, &plan, settings, plans, threads, seed)?;
        let times = run.times(self.iterations, stop)?;
        let mut cold = Vec::new();
        for _ in 0..COLD_PLANS {
            if !stop.is_requested() {
                cold.extend(run.cold_plan_ms(200)?);
            }
        }
        let machine_gmac_per_s = machine::gmac_per_s(threads);
        let mut reference =
            Run::<BlockTridiagonal>::new(&bundle, &plan, settings, plans, threads, seed)?;
        let block_tridiagonal = reference.whole_times(self.iterations.min(20), 3.0, stop)?;
        if stop.is_requested() {
            return Err(Failure::failed(anyhow::anyhow!("interrupted")));
        }
        let part =
            |of: fn(&Parts) -> f64| quantile(&times.parts.iter().map(of).collect::<Vec<_>>(), 0.5);
        let iteration_ms_median = quantile(&times.whole_ms, 0.5);
        let count = times.whole_ms.len().max(1) as f64;
        let least = plans as u64 * least_multiply_adds(&sizes);
        let solver_arena_bytes = Solver::<f32, Reduced, Vec<f32>>::bytes(run.solver.shape());
        Ok(Figures {
            sizes,
            plans,
            threads,
            provider: bundle.provider().to_string(),
            seed,
            iterations: times.whole_ms.len(),
            restart_every: RESTART_EVERY,
            failed_iterations: times.faults,
            iteration_ms_median,
            iteration_ms_p99: quantile(&times.whole_ms, 0.99),
            model_ms: part(|p| p.model_ms),
            linearise_ms: part(|p| p.linearise_ms),
            solve_ms: part(|p| p.solve_ms),
            multipliers_ms: part(|p| p.multipliers_ms),
            allocations_per_iteration: times.allocations.map(|sum| sum as f64 / count),
            arena_bytes: solver_arena_bytes + run.jacobian_bytes,
            solver_arena_bytes,
            jacobian_arena_bytes: run.jacobian_bytes,
            cold_plan_200_iterations_ms: quantile(&cold, 0.5),
            block_tridiagonal_ms_median: quantile(&block_tridiagonal.whole_ms, 0.5),
            machine_gmac_per_s,
            machine_kernel: machine::KERNEL,
            least_multiply_adds: least,
            arithmetic_limit_ratio: iteration_ms_median
                .map(|ms| ms * 1e-3 * machine_gmac_per_s * 1e9 / least as f64),
            cpu: machine::cpu(),
            instructions: instructions::<f32>(),
            onnxruntime: runtime::build_info().map_err(Failure::usage)?,
        })
    }
}
