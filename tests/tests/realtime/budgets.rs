//! Every planner keeps to its time budget, on a small trained model and on one of PlaNet's size.
//!
//! The clock is the processor time of the planning thread, so that what other programs take of the
//! machine does not count; of the plans of a case a few may be late, as a cache that others have
//! emptied makes any step longer than the last.

use std::path::{Path, PathBuf};
use std::time::Duration;

use latco_controller::config::PlannerKind;
use latco_controller::plan::{self, PlanReport, PlanRequest, PlanSizes, Planner, Solution};
use latco_controller::trace::PlanTrace;
use latco_controller::{Clock, Config};
use latco_evaluate::ThreadClock;
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

/// By how much a plan may be late, or by one of its steps where those take longer.
const SLACK: Duration = Duration::from_millis(2);
const BUDGETS_MS: [u64; 3] = [5, 20, 50];
/// Plans of a case, and how many of them are on time.
const PLANS: usize = 12;
const ON_TIME: usize = 10;

/// A planner that no number of iterations stops.
fn config(kind: PlannerKind, budget_ms: u64) -> Config {
    const MANY: u32 = 1_000_000;
    let mut config = Config::default();
    let planner = &mut config.planner;
    planner.kind = kind;
    planner.budget_ms = Some(budget_ms as f64);
    // The clock is of one thread.
    planner.threads = 1;
    let latco = &mut planner.latco;
    (latco.iterations_cold, latco.iterations_warm) = (MANY, MANY);
    latco.reward_tolerance = 0.0;
    // The paper's on Meta-World.
    let cem = &mut planner.cem;
    (cem.iterations, cem.elites) = (MANY, 100);
    cem.samples = match kind {
        PlannerKind::Mppi => 1000,
        _ => 10_000,
    };
    config
}

struct Case {
    planner: Box<dyn Planner>,
    solution: Solution,
    trace: PlanTrace,
    state: Vec<f32>,
    budget: Duration,
}

impl Case {
    /// How long it took, and what was done.
    fn plan(&mut self, elapsed_periods: Option<f64>) -> (Duration, PlanReport) {
        let began = ThreadClock.now();
        let request = PlanRequest {
            state: &self.state,
            elapsed_periods,
            constraints: None,
            goal: None,
            deadline: Some(began + self.budget),
            replay: None,
        };
        self.trace.clear(1, began);
        let report = self
            .planner
            .plan(&request, &ThreadClock, &mut self.solution, &mut self.trace);
        assert!(self.solution.is_finite());
        (ThreadClock.now().saturating_since(began), report)
    }
}

fn every_planner_is_on_time(name: &str, folder: &Path) {
    latco_baselines::add();
    let bundle = Bundle::load(folder, &Default::default()).unwrap();
    let mut late = Vec::new();
    for kind in PlannerKind::ALL {
        for budget_ms in BUDGETS_MS {
            let config = config(kind, budget_ms);
            let sizes = PlanSizes::new(&config, bundle.manifest());
            let mut case = Case {
                planner: plan::make(&config, &bundle, &sizes).unwrap(),
                solution: Solution::new(&sizes),
                trace: PlanTrace::with_capacity(64),
                state: vec![0.1; sizes.state],
                budget: Duration::from_millis(budget_ms),
            };
            let mut times = Vec::new();
            let mut iterations = Vec::new();
            for number in 0..PLANS {
                // One in four is made from nothing, the first among them.
                let elapsed = (number % 4 != 0).then_some(1.0);
                let (time, report) = case.plan(elapsed);
                times.push(time);
                iterations.push(report.iterations);
            }
            times.sort();
            iterations.sort_unstable();
            let ms = |time: Duration| 1e3 * time.as_secs_f64();
            let line = format!(
                "{name}, {kind}, budget {budget_ms} ms: median {:.2} ms, {ON_TIME} of {PLANS} within {:.2} ms, \
                 worst {:.2} ms, median {} iterations",
                ms(times[PLANS / 2]),
                ms(times[ON_TIME - 1]),
                ms(times[PLANS - 1]),
                iterations[PLANS / 2]
            );
            eprintln!("{line}");
            // Even a plan without an iteration is valued by rollouts of 50 samples, which take longer than the small budgets.
            let is_possible = kind != PlannerKind::GaussianLatco || budget_ms >= 50;
            // The deadline is foreseen to a step: where all is slow, and steps with it, so is what is late.
            let step = match iterations[PLANS / 2] {
                0 => Duration::ZERO,
                many => times[PLANS / 2] / many,
            };
            if is_possible && times[ON_TIME - 1] > case.budget + SLACK.max(step) {
                late.push(line);
            }
        }
    }
    assert!(late.is_empty(), "late: {late:#?}");
}

#[test]
#[ignore = "measures time, and so runs alone: make test-realtime"]
fn budgets_are_kept_on_the_reach_bundle() {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bundles/reach");
    every_planner_is_on_time("reach", &folder);
}

#[test]
#[ignore = "measures time, and so runs alone: make test-realtime"]
fn budgets_are_kept_on_a_model_of_planets_size() {
    let folder = tempfile::tempdir().unwrap();
    write_random_bundle(folder.path(), &RandomSpec::planet(), 1).unwrap();
    every_planner_is_on_time("PlaNet's size", folder.path());
}
