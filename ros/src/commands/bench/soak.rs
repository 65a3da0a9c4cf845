//! `latco bench soak`: the controller for minutes or days, and what shows only after that.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use latco_controller::inputs::JointVec;
use latco_controller::time::MonotonicClock;
use latco_controller::{Config, priority};
use nix::time::ClockId;
use serde::Serialize;

use super::bundle::BundleArgs;
use super::busy::Busy;
use super::commands::Commands;
use super::histogram::Histogram;
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
/// before. Beside it a thread makes set-points of the plans at --command-rate-hz, as the executor of a node does; its
/// jitter is how far the time between two of them is from their period. Allocations are those of Rust during the ticks. Memory is the resident set at the end against
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
    /// End after this many ticks, if that is sooner
    #[arg(long, value_name = "N")]
    ticks: Option<u64>,
    /// Set-points a second
    #[arg(long, value_name = "HZ", default_value_t = 200.0)]
    command_rate_hz: f64,
    /// Processes beside it that do nothing but keep a processor busy
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=64))]
    busy: u8,
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
#[derive(Debug, Default, Serialize)]
struct Figures {
    minutes: f64,
    rate_hz: f64,
    ticks: u64,
    late: u64,
    /// The longest time of a tick, in ms.
    tick_ms_max: f64,
    /// Processor time in ms that the host of a virtual machine took away, summed over the processors.
    stolen_ms: u64,
    /// Number of ticks whose plan or command had a number that is not finite.
    non_finite: u64,
    /// Number of solves that failed.
    failed_plans: u64,
    allocations: Option<u64>,
    jitter_ms_p50: f64,
    jitter_ms_p999: f64,
    tick_ms_p999: f64,
    /// Number of processes that keep processors busy.
    busy: u8,
    /// Real-time priority of the threads; 0 for none.
    realtime_priority: u8,
    command_rate_hz: f64,
    commands: u64,
    command_jitter_ms_p50: f64,
    command_jitter_ms_p999: f64,
    command_jitter_ms_max: f64,
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
        for (name, value, least) in [
            ("--rate-hz", self.rate_hz, 0.0),
            ("--command-rate-hz", self.command_rate_hz, 1.0),
        ] {
            if !(least..=10_000.0).contains(&value) {
                return Err(Failure::usage(anyhow::anyhow!(
                    "{name}: expected {least} to 10000, found {value}"
                )));
            }
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
        print_figures(&self.measure(&config, &mut camera, stop)?, self.json)
    }

    fn measure(
        &self,
        config: &Config,
        camera: &mut Camera,
        stop: &Stop,
    ) -> Result<Figures, Failure> {
        let realtime_priority = match NonZeroU8::new(priority::USUAL).map(priority::permit) {
            Some(Ok(())) => priority::USUAL,
            _ => 0,
        };
        // Before the priority is taken: they would have it too, and leave nothing to anybody.
        let _busy = Busy::start(self.busy)?;
        priority::raise();
        let mut commands = Commands::start(self.command_rate_hz, config, camera.controller())?;
        let clock = MonotonicClock::system();
        let paced = (self.rate_hz > 0.0).then(|| latco_controller::time::span(1.0 / self.rate_hz));
        let period = paced.unwrap_or(camera.controller().period());
        let length = latco_controller::time::span(self.minutes * 60.0);
        let (mut jitter, mut times) = (Histogram::new(), Histogram::new());
        let mut figures = Figures {
            rate_hz: self.rate_hz,
            allocations: Some(0),
            busy: self.busy,
            realtime_priority,
            command_rate_hz: self.command_rate_hz,
            ..Figures::default()
        };
        let (mut began, mut said) = (Instant::now(), Instant::now());
        let (mut next, mut before, mut rss) = (Instant::now(), None, 0);
        let (mut stolen_before, mut stolen_at_begin) = (stolen_ms(), 0);
        for number in 0_u64.. {
            if number.is_multiple_of(EPISODE) {
                camera.begin(self.bundle.seed.wrapping_add(number / EPISODE));
            }
            camera.capture();
            if number == WARM_UP {
                (began, before, rss) = (Instant::now(), None, resident_bytes()?);
                commands.count_from_now();
                stolen_at_begin = stolen_before;
                next = began;
            }
            let done = began.elapsed() >= length || self.ticks == Some(figures.ticks);
            if (number >= WARM_UP && done) || stop.is_requested() {
                break;
            }
            if paced.is_some() && stop.wait_until(next) {
                break;
            }
            let (start, ran) = (Instant::now(), thread_time());
            let allocated = allocations::count();
            let tick = camera.tick(&clock);
            commands.follow(camera.controller().plan());
            let (end, now_allocated) = (Instant::now(), allocations::count());
            let (ran, stolen) = (thread_time() - ran, stolen_ms());
            let began_late = start.saturating_duration_since(next);
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
                let is_late = match paced {
                    Some(_) => end > due,
                    None => took > period,
                };
                if is_late {
                    figures.late += 1;
                    let ms = |time: Duration| time.as_secs_f64() * 1e3;
                    tracing::warn!(
                        of_episode = number % EPISODE,
                        took_ms = ms(took),
                        ran_ms = ms(ran),
                        began_late_ms = ms(began_late),
                        stolen_ms = stolen - stolen_before,
                        belief_ms = ms(tick.belief_time),
                        plan_ms = ms(tick.plan_time),
                        "a late tick"
                    );
                }
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
            stolen_before = stolen;
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
        let commanded = commands.end();
        figures.commands = commanded.count;
        figures.non_finite += commanded.non_finite;
        figures.command_jitter_ms_p50 = commanded.jitter.percentile_ms(0.5);
        figures.command_jitter_ms_p999 = commanded.jitter.percentile_ms(0.999);
        figures.command_jitter_ms_max = commanded.jitter.percentile_ms(1.0);
        figures.minutes = began.elapsed().as_secs_f64() / 60.0;
        figures.rss_bytes = resident_bytes()?;
        figures.rss_growth_bytes = figures.rss_bytes.cast_signed() - rss.cast_signed();
        let most = |values: &JointVec| values.iter().copied().fold(0.0, f64::max);
        let came_out = camera.peaks();
        figures.max_velocity_rad_s = most(&came_out.velocity);
        figures.max_acceleration_rad_s2 = most(&came_out.acceleration);
        figures.max_jerk_rad_s3 = most(&came_out.jerk);
        [
            figures.max_velocity_share,
            figures.max_acceleration_share,
            figures.max_jerk_share,
        ] = came_out.shares(camera.controller().robot().limits());
        figures.jitter_ms_p50 = jitter.percentile_ms(0.5);
        figures.jitter_ms_p999 = jitter.percentile_ms(0.999);
        figures.tick_ms_p999 = times.percentile_ms(0.999);
        figures.tick_ms_max = times.percentile_ms(1.0);
        figures.stolen_ms = stolen_before - stolen_at_begin;
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

/// Processor time that the calling thread has used.
fn thread_time() -> Duration {
    let time = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    time.map_or(Duration::ZERO, Duration::from)
}

/// Processor time in ms that the host took away from all processors since the start of the machine, by `/proc/stat`, which counts
/// in hundredths of a second; 0 where it does not say.
fn stolen_ms() -> u64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let hundredths = text
        .split_whitespace()
        .nth(8)
        .and_then(|ticks| ticks.parse::<u64>().ok());
    10 * hundredths.unwrap_or(0)
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
