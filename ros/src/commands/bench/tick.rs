//! `latco bench tick`: whole ticks of a controller, with pauses between them.

use std::collections::BTreeMap;
use std::time::Instant;

use clap::Args;
use latco_controller::Config;
use latco_controller::time::MonotonicClock;
use latco_models::Bundle;
use serde::Serialize;

use super::bundle::BundleArgs;
use super::scene::Camera;
use crate::allocations;
use crate::commands::failure::Failure;
use crate::commands::output::print_figures;
use crate::commands::provider::ProviderArgs;
use crate::middleware::Stop;
use crate::quantile::quantile;

/// Number of ticks before anything is counted: the first plan is cold, the next ones warm up.
const WARM_UP: usize = 10;

/// Time of a controller's tick: frame in, belief, plan out
///
/// A tick is what a robot's planner thread does with a camera frame: checks, belief filter,
/// prediction to the start of the plan, warm-started plan. The configuration is the default one with
/// `planner.budget_ms` set, so that the planner stops when the next iteration would overrun. Between
/// ticks the process sleeps, so that other programs take the caches, as on a robot. Frames come
/// from the simulated robot of the bundle's task, which follows the plans; for other bundles they
/// are noise. Without --bundle: a bundle with random weights and a 64x64 camera.
///
/// Allocations are those of Rust in all threads of the process; ONNX Runtime's own are not counted.
#[derive(Debug, Args)]
pub(super) struct TickBench {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Sleep between ticks, ms
    #[arg(long, value_name = "MS", default_value_t = 10.0)]
    sleep_ms: f64,
    /// Ticks to time
    #[arg(long, value_name = "N", default_value_t = 300)]
    ticks: usize,
    /// Time for one tick from the frame's arrival to the plan, ms
    #[arg(long, value_name = "MS", default_value_t = 20.0)]
    budget_ms: f64,
    /// Planning threads [default: two, or one on a machine with one core or for small states]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: u32,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The figures; the field names are those of `latco bench tick --json`.
#[derive(Debug, Serialize)]
struct Figures {
    bundle: String,
    stoch: usize,
    deter: usize,
    action: usize,
    horizon: usize,
    frames: &'static str,
    ticks: usize,
    sleep_ms: f64,
    budget_ms: f64,
    threads: usize,
    tick_ms_p50: Option<f64>,
    tick_ms_p99: Option<f64>,
    tick_ms_max: Option<f64>,
    over_budget: usize,
    belief_ms_p50: Option<f64>,
    plan_ms_p50: Option<f64>,
    iterations_median: Option<f64>,
    iterations_min: Option<f64>,
    iterations_max: Option<f64>,
    allocations_per_tick: Option<f64>,
    warm_plans: usize,
    stop_causes: BTreeMap<&'static str, usize>,
}

impl TickBench {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        self.check()?;
        let load = self.provider.load_options();
        let bundle = self.bundle.load(&load)?;
        let mut config = Config::default();
        config.planner.budget_ms = Some(self.budget_ms);
        config.planner.seed = self.bundle.seed;
        config.planner.threads = self.threads;
        let mut camera = Camera::new(&bundle, &config, self.bundle.seed)?;
        print_figures(&self.measure(&bundle, &mut camera, stop)?, self.json)
    }

    fn check(&self) -> Result<(), Failure> {
        let wrong = |text: String| Err(Failure::usage(anyhow::anyhow!(text)));
        if self.ticks == 0 {
            return wrong("--ticks: expected 1 or more, found 0".to_owned());
        }
        if !(0.0..=60_000.0).contains(&self.sleep_ms) {
            return wrong(format!(
                "--sleep-ms: expected 0 to 60000, found {}",
                self.sleep_ms
            ));
        }
        if !(self.budget_ms > 0.0 && self.budget_ms <= 60_000.0) {
            return wrong(format!(
                "--budget-ms: expected more than 0 and at most 60000, found {}",
                self.budget_ms
            ));
        }
        Ok(())
    }

    fn measure(
        &self,
        bundle: &Bundle,
        camera: &mut Camera,
        stop: &Stop,
    ) -> Result<Figures, Failure> {
        let clock = MonotonicClock::system();
        let sleep = latco_controller::time::span(self.sleep_ms * 1e-3);
        let mut ticks_ms = Vec::with_capacity(self.ticks);
        let (mut belief_ms, mut plan_ms, mut iterations) = (Vec::new(), Vec::new(), Vec::new());
        let mut stop_causes = BTreeMap::new();
        let mut allocated = Some(0);
        let mut warm_plans = 0;
        camera.begin(self.bundle.seed);
        for number in 0..WARM_UP + self.ticks {
            if stop.wait(sleep) {
                return Err(Failure::failed(anyhow::anyhow!("interrupted")));
            }
            camera.capture();
            let before = allocations::count();
            let began = Instant::now();
            let tick = camera.tick(&clock);
            let took = began.elapsed();
            let after = allocations::count();
            camera.advance();
            let Some(plan) = tick.plan else {
                return Err(Failure::failed(anyhow::anyhow!(
                    "tick {number} made no plan; the frame was {:?}",
                    tick.image
                )));
            };
            if number < WARM_UP {
                continue;
            }
            allocated = allocated.and_then(|sum| Some(sum + (after? - before?)));
            ticks_ms.push(took.as_secs_f64() * 1e3);
            belief_ms.push(tick.belief_time.as_secs_f64() * 1e3);
            plan_ms.push(tick.plan_time.as_secs_f64() * 1e3);
            iterations.push(f64::from(plan.iterations));
            warm_plans += usize::from(plan.warm);
            *stop_causes.entry(plan.stop.name()).or_insert(0) += 1;
        }
        let dims = bundle.manifest().dims;
        Ok(Figures {
            bundle: self.bundle.name(),
            stoch: dims.stoch,
            deter: dims.deter,
            action: dims.action,
            horizon: dims.horizon,
            frames: camera.frames(),
            ticks: ticks_ms.len(),
            sleep_ms: self.sleep_ms,
            budget_ms: self.budget_ms,
            threads: latco_controller::plan::threads(self.threads, dims.state()),
            tick_ms_p50: quantile(&ticks_ms, 0.5),
            tick_ms_p99: quantile(&ticks_ms, 0.99),
            tick_ms_max: quantile(&ticks_ms, 1.0),
            over_budget: ticks_ms.iter().filter(|&&ms| ms > self.budget_ms).count(),
            belief_ms_p50: quantile(&belief_ms, 0.5),
            plan_ms_p50: quantile(&plan_ms, 0.5),
            iterations_median: quantile(&iterations, 0.5),
            iterations_min: quantile(&iterations, 0.0),
            iterations_max: quantile(&iterations, 1.0),
            allocations_per_tick: allocated.map(|sum| sum as f64 / ticks_ms.len() as f64),
            warm_plans,
            stop_causes,
        })
    }
}
