//! `latco bench solver --sweep`: the growth of an iteration's time with horizon and state size.

use std::path::PathBuf;

use latco_controller::plan::PlanSizes;
use latco_models::{Bundle, LoadOptions};
use latco_solver::{BlockTridiagonal, LinearSolver, Reduced, Settings};

use super::dense;
use super::dense_run::{DenseRun, MAX_BYTES};
use super::figures::too_large;
use super::growth_report;
use super::machine;
use super::progress::Progress;
use super::run::Run;
use super::sizes::Sizes;
use super::statistics::median;
use super::table::{Row, Table, optional, parse_optional};
use crate::commands::failure::Failure;
use crate::middleware::Stop;

/// Iterations of one point at most; slow ones get fewer.
const ITERATIONS: usize = 60;

/// Time for the repetitions of one point, seconds.
const POINT_S: f64 = 1.5;

/// Thread counts that are compared.
pub(super) const THREADS: &[usize] = &[1, 2];

/// What is swept over.
pub(super) struct Sweep {
    pub(super) horizons: Vec<usize>,
    pub(super) states: Vec<usize>,
    pub(super) seed: u64,
    /// Where the model is computed.
    pub(super) load: LoadOptions,
    /// Longest iteration that is measured, seconds.
    pub(super) limit_s: f64,
    /// Folder of `sweep.csv`, `sweep.md` and `sweep.png`.
    pub(super) out: PathBuf,
}

/// Name of a linear solver.
pub(super) const SOLVERS: [&str; 3] = ["reduced", "block_tridiagonal", "dense"];

/// One point of the sweep.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) solver: String,
    pub(super) threads: usize,
    pub(super) horizon: usize,
    pub(super) state: usize,
    /// Median, ms; none if it was left out.
    pub(super) iteration_ms: Option<f64>,
    /// Iterations timed.
    pub(super) repetitions: usize,
    /// Why it was left out.
    pub(super) skipped: String,
}

impl Row for Point {
    const COLUMNS: &'static [&'static str] = &[
        "solver",
        "threads",
        "horizon",
        "state",
        "iteration_ms_median",
        "repetitions",
        "skipped",
    ];

    fn values(&self) -> Vec<String> {
        vec![
            self.solver.clone(),
            self.threads.to_string(),
            self.horizon.to_string(),
            self.state.to_string(),
            optional(self.iteration_ms),
            self.repetitions.to_string(),
            self.skipped.clone(),
        ]
    }

    fn from_values(values: &[&str]) -> Option<Self> {
        let &[solver, threads, horizon, state, time, repetitions, skipped] = values else {
            return None;
        };
        Some(Self {
            solver: solver.to_owned(),
            threads: threads.parse().ok()?,
            horizon: horizon.parse().ok()?,
            state: state.parse().ok()?,
            iteration_ms: parse_optional(time)?,
            repetitions: repetitions.parse().ok()?,
            skipped: skipped.to_owned(),
        })
    }
}

impl Point {
    fn is_at(&self, solver: &str, threads: usize, sizes: &Sizes) -> bool {
        self.solver == solver
            && self.threads == threads
            && self.horizon == sizes.horizon
            && self.state == sizes.state()
    }
}

/// Measures all points that the table in `out` does not have yet, then writes the report.
pub(super) fn run(sweep: &Sweep, json: bool, stop: &Stop) -> Result<(), Failure> {
    let about = format!(
        "latco bench solver --sweep, version {}, seed {}, limit {} s",
        env!("CARGO_PKG_VERSION"),
        sweep.seed,
        sweep.limit_s
    );
    let path = sweep.out.join("sweep.csv");
    let mut table = Table::<Point>::open(Some(&path), &about).map_err(Failure::usage)?;
    let wanted = wanted(sweep);
    let mut progress = Progress::new("points", wanted.len());
    let mut rates: Vec<(usize, f64)> = Vec::new();
    let mut bundle: Option<(usize, Bundle)> = None;
    for (done, (sizes, solver, threads)) in wanted.iter().enumerate() {
        if (table.rows.iter()).any(|point| point.is_at(solver, *threads, sizes)) {
            continue;
        }
        if stop.is_requested() {
            break;
        }
        let note = format!(
            "{solver}, H {}, n {}, {threads} threads",
            sizes.horizon,
            sizes.state()
        );
        progress.show(done, &note);
        let rate = match rates.iter().find(|(of, _)| of == threads) {
            Some(&(_, rate)) => rate,
            None => {
                let rate = machine::gmac_per_s(*threads);
                rates.push((*threads, rate));
                rate
            }
        };
        let (_, bundle) = match &mut bundle {
            Some(kept) if kept.0 == sizes.state() => kept,
            other => {
                // the horizon of the bundle only matters to its rollout graph
                let small = Sizes {
                    horizon: 4,
                    ..*sizes
                };
                other.insert((sizes.state(), small.bundle(sweep.seed, &sweep.load)?))
            }
        };
        let point = measure(bundle, sizes, solver, *threads, rate, sweep, stop)?;
        // a point that an interrupt cut short is measured again
        if !stop.is_requested() {
            table.push(point)?;
        }
    }
    let points: Vec<Point> = wanted
        .iter()
        .filter_map(|(sizes, solver, threads)| {
            let mut rows = table.rows.iter();
            rows.find(|p| p.is_at(solver, *threads, sizes)).cloned()
        })
        .collect();
    growth_report::write(&points, wanted.len(), &sweep.out, json)
}

/// All points, in the order in which they are measured: small models first, and the cheapest solver
/// of a size first.
fn wanted(sweep: &Sweep) -> Vec<(Sizes, &'static str, usize)> {
    let mut points = Vec::new();
    for &state in &sweep.states {
        for &horizon in &sweep.horizons {
            for solver in SOLVERS {
                // the block-tridiagonal solver works on one
                let threads = THREADS.iter().filter(|&&t| solver != SOLVERS[1] || t == 1);
                for &threads in threads {
                    points.push((Sizes::with_state(state, horizon), solver, threads));
                }
            }
        }
    }
    points
}

fn measure(
    bundle: &Bundle,
    sizes: &Sizes,
    solver: &str,
    threads: usize,
    gmac_per_s: f64,
    sweep: &Sweep,
    stop: &Stop,
) -> Result<Point, Failure> {
    let plan = sizes.plan();
    let mut skipped = String::new();
    let times = match solver {
        "reduced" => iterations::<Reduced>(bundle, &plan, threads, sweep.seed, stop)?,
        "block_tridiagonal" => {
            iterations::<BlockTridiagonal>(bundle, &plan, threads, sweep.seed, stop)?
        }
        _ => {
            skipped = dense_would_not_do(sizes, gmac_per_s, sweep.limit_s).unwrap_or_default();
            if skipped.is_empty() {
                let settings = Settings::default();
                let mut run = Run::<Reduced>::new(bundle, &plan, settings, threads, sweep.seed)?;
                match DenseRun::new(&mut run, threads) {
                    Some(mut dense) => dense.times(5, POINT_S, stop)?,
                    None => Vec::new(),
                }
            } else {
                Vec::new()
            }
        }
    };
    Ok(Point {
        solver: solver.to_owned(),
        threads,
        horizon: sizes.horizon,
        state: sizes.state(),
        iteration_ms: (!times.is_empty()).then(|| median(&times)),
        repetitions: times.len(),
        skipped,
    })
}

fn iterations<L: LinearSolver>(
    bundle: &Bundle,
    sizes: &PlanSizes,
    threads: usize,
    seed: u64,
    stop: &Stop,
) -> Result<Vec<f64>, Failure> {
    let mut run = Run::<L>::new(bundle, sizes, Settings::default(), threads, seed)?;
    Ok(run.whole_times(ITERATIONS, POINT_S, stop)?.whole_ms)
}

/// Why a dense solve of these sizes is left out, if it is.
fn dense_would_not_do(sizes: &Sizes, gmac_per_s: f64, limit_s: f64) -> Option<String> {
    let unknowns = dense::unknowns(sizes.state(), sizes.action, sizes.horizon);
    if dense::matrix_bytes(unknowns) > MAX_BYTES {
        return Some(too_large());
    }
    let least_s = dense::multiply_adds(unknowns) / (gmac_per_s * 1e9);
    (least_s > limit_s)
        .then(|| format!("one iteration would take more than {least_s:.0} s (limit {limit_s} s)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_from_their_row() {
        let point = Point {
            solver: "dense".to_owned(),
            threads: 2,
            horizon: 30,
            state: 256,
            iteration_ms: None,
            repetitions: 0,
            skipped: too_large(),
        };
        let values = point.values();
        assert!(
            values.iter().all(|value| !value.contains(',')),
            "{values:?}"
        );
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        assert_eq!(Point::from_values(&values), Some(point));
        assert_eq!(Point::from_values(&values[1..]), None);
    }

    #[test]
    fn what_takes_too_long_is_left_out_with_its_time() {
        let sizes = Sizes::with_state(64, 100);
        assert_eq!(dense_would_not_do(&sizes, 50.0, 10.0), None);
        let why = dense_would_not_do(&sizes, 1.0, 10.0).unwrap();
        assert!(why.contains("52 s") && why.contains("10 s"), "{why}");
        let why = dense_would_not_do(&Sizes::with_state(512, 100), 1e9, 10.0).unwrap();
        assert!(why.contains("1024 MiB"), "{why}");
    }
}
