//! `latco bench soak`: the controller for minutes or days, and what shows only after that.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use latco_controller::Config;
use latco_controller::safety::Limits;
use latco_controller::time::MonotonicClock;
use serde::Serialize;

use super::bundle::BundleArgs;
use super::scene::Camera;
use crate::allocations;
use crate::commands::failure::Failure;
use crate::commands::output::print_figures;
use crate::commands::provider::ProviderArgs;
use crate::middleware::Stop;

/// Number of ticks before anything is counted.
const WARM_UP: u64 = 50;
/// Number of ticks of an episode, after which the robot starts anew.
const EPISODE: u64 = 150;
/// Time between two lines of progress.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// The controller for so many minutes: late ticks, numbers that are not finite, allocations, jitter, memory, peaks of the commands
///
/// Ticks are those of `latco bench tick`: frames of the simulated robot (or noise), belief, plan, at
/// --rate-hz, or one after the other with --rate-hz 0. A tick is late when it ends after its period (with
/// --rate-hz 0: when it takes longer than the control period). Jitter is how far the time between the
/// starts of two ticks is from the period; with --rate-hz 0, how far the time of a tick is from the one
/// before. Allocations are those of Rust during the ticks. Memory is the resident set at the end against
/// that after the warm-up.
#[derive(Debug, Args)]
pub(super) struct SoakBench {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Duration in minutes
    #[arg(long, value_name = "M", default_value_t = 10.0)]
    minutes: f64,
    /// Ticks a second; 0: as fast as possible
    #[arg(long, value_name = "HZ", default_value_t = 10.0)]
    rate_hz: f64,
    /// Time for one tick, ms
    #[arg(long, value_name = "MS", default_value_t = 60.0)]
    budget_ms: f64,
    /// Configuration with the limits of the robot [default: those of the bundle]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The figures; the field names are those of `latco bench soak --json`.
#[derive(Debug, Serialize)]
struct Figures {
    minutes: f64,
    rate_hz: f64,
    ticks: u64,
    late: u64,
    /// Number of ticks whose plan or command had a number that is not finite.
    non_finite: u64,
    /// Number of solves that failed.
    failed_plans: u64,
    allocations: Option<u64>,
    jitter_ms_p50: f64,
    jitter_ms_p999: f64,
    tick_ms_p999: f64,
    rss_bytes: u64,
    rss_growth_bytes: i64,
    /// Highest velocity, acceleration and jerk of a command.
    max_velocity_rad_s: f64,
    max_acceleration_rad_s2: f64,
    max_jerk_rad_s3: f64,
    /// The highest share of a joint's limit of each; 1 is at the limit, 0 without one.
    max_velocity_share: f64,
    max_acceleration_share: f64,
    max_jerk_share: f64,
}

impl SoakBench {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        for (name, value, most) in [
            ("--minutes", self.minutes, 1e6),
            ("--budget-ms", self.budget_ms, 60_000.0),
        ] {
            if !(value > 0.0 && value <= most) {
                return Err(Failure::usage(anyhow::anyhow!(
                    "{name}: expected more than 0 and at most {most}, found {value}"
                )));
            }
        }
        if !(0.0..=10_000.0).contains(&self.rate_hz) {
            return Err(Failure::usage(anyhow::anyhow!(
                "--rate-hz: expected 0 to 10000, found {}",
                self.rate_hz
            )));
        }
        let load = self.provider.load_options();
        let bundle = self.bundle.load(&load)?;
        let mut config = match &self.config {
            Some(file) => Config::load(file).map_err(Failure::usage)?,
            None => Config::default(),
        };
        config.planner.budget_ms = Some(self.budget_ms);
        config.planner.seed = self.bundle.seed;
        let mut camera = Camera::new(&bundle, &config, self.bundle.seed)?;
        print_figures(&self.measure(&mut camera, stop)?, self.json)
    }

    fn measure(&self, camera: &mut Camera, stop: &Stop) -> Result<Figures, Failure> {
        let clock = MonotonicClock::system();
        let paced = (self.rate_hz > 0.0).then(|| latco_controller::time::span(1.0 / self.rate_hz));
        let period = paced.unwrap_or(camera.controller().period());
        let length = latco_controller::time::span(self.minutes * 60.0);
        let (mut jitter, mut times) = (Histogram::new(), Histogram::new());
        let mut figures = Figures {
            minutes: 0.0,
            rate_hz: self.rate_hz,
            ticks: 0,
            late: 0,
            non_finite: 0,
            failed_plans: 0,
            allocations: Some(0),
            jitter_ms_p50: 0.0,
            jitter_ms_p999: 0.0,
            tick_ms_p999: 0.0,
            rss_bytes: 0,
            rss_growth_bytes: 0,
            max_velocity_rad_s: 0.0,
            max_acceleration_rad_s2: 0.0,
            max_jerk_rad_s3: 0.0,
            max_velocity_share: 0.0,
            max_acceleration_share: 0.0,
            max_jerk_share: 0.0,
        };
        let (mut began, mut said) = (Instant::now(), Instant::now());
        let (mut next, mut before, mut rss) = (Instant::now(), None, 0);
        for number in 0_u64.. {
            if number.is_multiple_of(EPISODE) {
                camera.begin(self.bundle.seed.wrapping_add(number / EPISODE));
            }
            camera.capture();
            if number == WARM_UP {
                (began, before, rss) = (Instant::now(), None, resident_bytes()?);
                next = began;
            }
            if (number >= WARM_UP && began.elapsed() >= length) || stop.is_requested() {
                break;
            }
            if paced.is_some() && stop.wait_until(next) {
                break;
            }
            let start = Instant::now();
            let allocated = allocations::count();
            let tick = camera.tick(&clock);
            let (end, now_allocated) = (Instant::now(), allocations::count());
            let due = next + period;
            next = if paced.is_some() && end < due + period {
                due
            } else {
                end
            };
            let took = end - start;
            let mark = if paced.is_some() {
                start - began.min(start)
            } else {
                took
            };
            let deviation = before.map(|last: Duration| match paced {
                Some(period) => (mark - last.min(mark)).abs_diff(period),
                None => mark.abs_diff(last),
            });
            before = Some(mark);
            if number >= WARM_UP {
                figures.ticks += 1;
                figures.late += u64::from(if paced.is_some() {
                    end > due
                } else {
                    took > period
                });
                figures.non_finite += u64::from(!is_finite(camera));
                figures.failed_plans +=
                    u64::from(tick.plan.is_none_or(|p| !p.stop.was_successful()));
                figures.allocations = figures
                    .allocations
                    .and_then(|sum| Some(sum + (now_allocated? - allocated?)));
                times.add(took);
                if let Some(deviation) = deviation {
                    jitter.add(deviation);
                }
            }
            camera.advance();
            if said.elapsed() >= SAY_EVERY {
                said = Instant::now();
                tracing::info!(
                    ticks = figures.ticks,
                    late = figures.late,
                    minutes = began.elapsed().as_secs_f64() / 60.0,
                    "soaking"
                );
            }
        }
        if figures.ticks == 0 {
            return Err(Failure::failed(anyhow::anyhow!(
                "interrupted during the warm-up"
            )));
        }
        figures.minutes = began.elapsed().as_secs_f64() / 60.0;
        figures.rss_bytes = resident_bytes()?;
        figures.rss_growth_bytes = figures.rss_bytes.cast_signed() - rss.cast_signed();
        let (came_out, limits) = (
            camera.meter().figures(),
            camera.controller().robot().limits(),
        );
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let share = |values: &[f64], limit: fn(&Limits, usize) -> f64| {
            let shares = values.iter().enumerate();
            shares.fold(0.0_f64, |most, (joint, value)| {
                most.max(value / limit(limits, joint))
            })
        };
        figures.max_velocity_rad_s = most(&came_out.velocity_max);
        figures.max_acceleration_rad_s2 = most(&came_out.acceleration_max);
        figures.max_jerk_rad_s3 = most(&came_out.jerk_max);
        figures.max_velocity_share = share(&came_out.velocity_max, Limits::max_velocity);
        figures.max_acceleration_share =
            share(&came_out.acceleration_max, Limits::max_acceleration);
        figures.max_jerk_share = share(&came_out.jerk_max, Limits::max_jerk);
        figures.non_finite += came_out.non_finite;
        figures.jitter_ms_p50 = jitter.percentile_ms(0.5);
        figures.jitter_ms_p999 = jitter.percentile_ms(0.999);
        figures.tick_ms_p999 = times.percentile_ms(0.999);
        Ok(figures)
    }
}

/// Whether all numbers of the plan are finite.
fn is_finite(camera: &Camera) -> bool {
    let plan = camera.controller().plan();
    plan.actions
        .iter()
        .chain(&plan.states)
        .all(|value| value.is_finite())
}

/// The size of the resident set in bytes, from `/proc/self/statm`.
fn resident_bytes() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/statm").map_err(Failure::failed)?;
    let pages = text
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    // Pages of 4 KiB, as on x86-64 and most of 64-bit Arm.
    pages.map(|pages| pages * 4096).ok_or_else(|| {
        Failure::failed(anyhow::anyhow!(
            "/proc/self/statm: expected two numbers, found {text:?}"
        ))
    })
}

/// A histogram of times in steps of 10 µs up to a second; its memory does not grow with their number.
struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    const STEP_MS: f64 = 0.01;
    const STEPS: usize = 100_000;

    fn new() -> Self {
        // Written once, so that it is resident from the start.
        let mut counts = vec![1; Self::STEPS];
        counts.fill(0);
        Self { counts, total: 0 }
    }

    fn add(&mut self, time: Duration) {
        let step = (time.as_secs_f64() * 1e3 / Self::STEP_MS) as usize;
        self.counts[step.min(Self::STEPS - 1)] += 1;
        self.total += 1;
    }

    /// The upper end of the step below which a share of the times lies; 0 without times.
    fn percentile_ms(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (step, count) in self.counts.iter().enumerate() {
            sum += count;
            if sum >= rank.max(1) {
                return (step + 1) as f64 * Self::STEP_MS;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_histogram_are_within_its_step() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.percentile_ms(0.999), 0.0);
        for us in 1..=1000 {
            histogram.add(Duration::from_micros(us * 10 - 5));
        }
        assert!((histogram.percentile_ms(0.5) - 5.0).abs() < 0.011);
        assert!((histogram.percentile_ms(0.999) - 9.99).abs() < 0.011);
        histogram.add(Duration::from_secs(100));
        assert!(histogram.percentile_ms(1.0) >= 999.0);
    }
}
