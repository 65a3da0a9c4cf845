//! `latco bench solver`: the figures of one size.

use latco_models::{LoadOptions, runtime};
use latco_solver::{BlockTridiagonal, Reduced, Settings, Solver, instructions};
use serde::Serialize;

use super::arithmetic::least_multiply_adds;
use super::dense_run::{DenseRun, MAX_BYTES};
use super::machine::{self, Cpu};
use super::run::{RESTART_EVERY, Run};
use super::sizes::Sizes;
use super::statistics::{median, percentile};
use crate::commands::failure::Failure;
use crate::commands::output::print_line;
use crate::middleware::Stop;

/// Plans of which the median is `cold_plan_200_iterations_ms`.
const COLD_PLANS: usize = 3;

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) sizes: Sizes,
    pub(super) plans: usize,
    pub(super) threads: usize,
    pub(super) iterations: usize,
    pub(super) seed: u64,
    /// Where the model is computed.
    pub(super) load: LoadOptions,
}

/// The figures; the field names are those of `latco bench solver --json`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    #[serde(flatten)]
    sizes: Sizes,
    plans: usize,
    threads: usize,
    provider: String,
    seed: u64,
    iterations: usize,
    restart_every: usize,
    failed_iterations: usize,
    iteration_ms_median: f64,
    iteration_ms_p99: f64,
    model_ms: f64,
    linearise_ms: f64,
    solve_ms: f64,
    multipliers_ms: f64,
    /// Rust's, in all threads of the process.
    allocations_per_iteration: Option<f64>,
    arena_bytes: usize,
    solver_arena_bytes: usize,
    jacobian_arena_bytes: usize,
    cold_plan_200_iterations_ms: Option<f64>,
    block_tridiagonal_ms_median: f64,
    dense_ms_median: Option<f64>,
    /// Why there is no dense figure.
    dense_skipped: Option<String>,
    machine_gmac_per_s: f64,
    machine_kernel: &'static str,
    least_multiply_adds: u64,
    arithmetic_limit_ratio: f64,
    cpu: Cpu,
    /// The widest vector instructions that the solver used.
    instructions: &'static str,
    onnxruntime: String,
}

/// Measures them.
pub(super) fn measure(request: &Request, stop: &Stop) -> Result<Figures, Failure> {
    let &Request {
        sizes,
        plans,
        threads,
        iterations,
        seed,
        ref load,
    } = request;
    let bundle = sizes.bundle(seed, load)?;
    let (settings, plan) = (Settings::default(), sizes.plan());
    let mut run = Run::<Reduced>::with_plans(&bundle, &plan, settings, plans, threads, seed)?;
    let times = run.times(iterations, stop)?;
    let mut cold = Vec::new();
    for _ in 0..COLD_PLANS {
        if !stop.is_requested() {
            cold.extend(run.cold_plan_ms(200)?);
        }
    }
    let machine_gmac_per_s = machine::gmac_per_s(threads);

    let mut reference =
        Run::<BlockTridiagonal>::with_plans(&bundle, &plan, settings, plans, threads, seed)?;
    let block_tridiagonal = reference.whole_times(iterations.min(20), 3.0, stop)?;
    let dense = (plans == 1).then(|| DenseRun::new(&mut reference, threads));
    let (dense, dense_skipped) = match dense.flatten() {
        Some(mut dense) => (dense.times(3, 6.0, stop)?, None),
        None if plans > 1 => (Vec::new(), Some("measured for one plan only".to_owned())),
        None => (Vec::new(), Some(too_large())),
    };
    if stop.is_requested() {
        return Err(Failure::failed(anyhow::anyhow!("interrupted")));
    }

    let part = |of: fn(&super::timed::Parts) -> f64| {
        median(&times.parts.iter().map(of).collect::<Vec<_>>())
    };
    let iteration_ms_median = median(&times.whole_ms);
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
        iteration_ms_p99: percentile(&times.whole_ms, 0.99),
        model_ms: part(|p| p.model_ms),
        linearise_ms: part(|p| p.linearise_ms),
        solve_ms: part(|p| p.solve_ms),
        multipliers_ms: part(|p| p.multipliers_ms),
        allocations_per_iteration: times.allocations.map(|sum| sum as f64 / count),
        arena_bytes: solver_arena_bytes + run.jacobian_bytes,
        solver_arena_bytes,
        jacobian_arena_bytes: run.jacobian_bytes,
        cold_plan_200_iterations_ms: (!cold.is_empty()).then(|| median(&cold)),
        block_tridiagonal_ms_median: median(&block_tridiagonal.whole_ms),
        dense_ms_median: (!dense.is_empty()).then(|| median(&dense)),
        dense_skipped,
        machine_gmac_per_s,
        machine_kernel: machine::KERNEL,
        least_multiply_adds: least,
        arithmetic_limit_ratio: iteration_ms_median * 1e-3 * machine_gmac_per_s * 1e9
            / least as f64,
        cpu: machine::cpu(),
        instructions: instructions::<f32>(),
        onnxruntime: runtime::build_info().map_err(Failure::usage)?,
    })
}

/// Why a dense solve was not made.
pub(super) fn too_large() -> String {
    format!("its matrix would be larger than {} MiB", MAX_BYTES >> 20)
}

impl Figures {
    /// A table for people.
    pub(super) fn print(&self) -> Result<(), Failure> {
        let s = &self.sizes;
        print_line(&format!(
            "one LatCo iteration of {} plan{}, states {} + {}, dense layers {} and {}, {} actions, \
             H {}, on {} thread{} with {}",
            self.plans,
            if self.plans == 1 { "" } else { "s" },
            s.stoch,
            s.deter,
            s.hidden,
            s.units,
            s.action,
            s.horizon,
            self.threads,
            if self.threads == 1 { "" } else { "s" },
            self.instructions
        ))?;
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3} ms"));
        let rows: [(&str, String); 14] = [
            ("iteration, median", ms(Some(self.iteration_ms_median))),
            ("iteration, p99", ms(Some(self.iteration_ms_p99))),
            ("  model", ms(Some(self.model_ms))),
            ("  adjoint products", ms(Some(self.linearise_ms))),
            ("  solve", ms(Some(self.solve_ms))),
            ("  multipliers", ms(Some(self.multipliers_ms))),
            (
                "cold plan, 200 iterations",
                ms(self.cold_plan_200_iterations_ms),
            ),
            (
                "block-tridiagonal, median",
                ms(Some(self.block_tridiagonal_ms_median)),
            ),
            (
                "dense, median",
                self.dense_skipped
                    .clone()
                    .unwrap_or_else(|| ms(self.dense_ms_median)),
            ),
            (
                "Rust allocations an iteration",
                self.allocations_per_iteration
                    .map_or("not counted".to_owned(), |v| v.to_string()),
            ),
            (
                "arenas",
                format!(
                    "{} bytes (solver {}, Jacobian {})",
                    self.arena_bytes, self.solver_arena_bytes, self.jacobian_arena_bytes
                ),
            ),
            (
                "least multiply-adds",
                format!("{:.1} million", self.least_multiply_adds as f64 * 1e-6),
            ),
            (
                "machine",
                format!(
                    "{:.1} GMAC/s ({}; {})",
                    self.machine_gmac_per_s,
                    self.machine_kernel,
                    self.cpu.features.join(" ")
                ),
            ),
            (
                "times the arithmetic limit",
                format!("{:.2}", self.arithmetic_limit_ratio),
            ),
        ];
        for (name, value) in rows {
            print_line(&format!("{name:30} {value}"))?;
        }
        print_line(&format!(
            "{} iterations, restarted from noise every {}; {} failed",
            self.iterations, self.restart_every, self.failed_iterations
        ))
    }
}
