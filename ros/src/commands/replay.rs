//! `latco replay`: hardware-in-the-loop replay of a bag, without middleware.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use latco_controller::journal::{Difference, Replay as Core};
use latco_controller::{Config, SetupError};
use latco_models::Bundle;
use serde::Serialize;

use super::failure::Failure;
use super::output::{print_json, print_line};
use super::provider::ProviderArgs;
use crate::replay::{Journal, outcomes};

/// Largest number of workers.
const MOST_WORKERS: usize = 8;

/// Put a recording through the controller again, without middleware, and compare the decisions
///
/// The bag needs the camera's topic and the controller's journal (~/journal), as `latco record` and `latco demo` record
/// them. Every input is given at the recorded time, and plans end after the recorded iterations, so on the CPU provider of
/// the same machine all decisions are the same bit for bit. Exit status 1 when one differs, 2 when the bag has no journal or
/// the bundle is another one.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The bag
    #[arg(value_name = "BAG")]
    bag: PathBuf,
    /// Folder of the bundle [default: where it was then]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Compare with the decisions in this bag, of the same images, instead of those in BAG
    #[arg(long, value_name = "BAG")]
    reference: Option<PathBuf>,
    /// Largest difference of a number of a belief or action that counts as equal, for another provider or processor
    /// [default: every bit counts]
    #[arg(long, value_name = "X")]
    tolerance: Option<f32>,
    /// The journal's topic, if there are several in the bag
    #[arg(long, value_name = "NAME")]
    journal: Option<String>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary {
    bag: PathBuf,
    bundle: String,
    planner: String,
    provider: String,
    ticks: u64,
    skipped: u64,
    equal: bool,
    first_difference: Option<Difference>,
    /// Damaged parts of the bag.
    missing_parts: u64,
    /// Where the journal is not as it was written.
    journal_break: Option<String>,
    /// The last sum of the journal's chain.
    journal_sha256: Option<String>,
    largest_difference: f32,
    tolerance: Option<f32>,
    decisions_sha256: String,
    replayed_s: f64,
    took_s: f64,
    realtime_factor: f64,
}

impl Replay {
    pub(super) fn run(self) -> Result<(), Failure> {
        if let Some(tolerance) = self.tolerance.filter(|t| !t.is_finite() || *t < 0.0) {
            return Err(Failure::usage(anyhow::anyhow!(
                "--tolerance: expected a number of 0 or more, found {tolerance}"
            )));
        }
        let journal = Journal::open(&self.bag, self.journal.as_deref()).map_err(Failure::usage)?;
        let reference = match &self.reference {
            Some(bag) => Some(outcomes(bag).map_err(Failure::usage)?),
            None => None,
        };
        let (config, bundle) = journal
            .setting(self.bundle.as_deref(), |config| {
                self.provider.apply(&mut config.bundle);
            })
            .map_err(Failure::usage)?;
        let cores = self.cores(&config, &bundle).map_err(Failure::usage)?;
        let began = Instant::now();
        let (report, wholeness) = journal
            .replay(cores, reference.as_ref())
            .map_err(Failure::failed)?;
        let took = began.elapsed();
        if report.ticks == 0 {
            let found = match &report.first_difference {
                Some(difference) => difference.detail.clone(),
                None => format!("{} without", report.skipped),
            };
            return Err(Failure::usage(anyhow::anyhow!(
                "{}: expected images (raw or compressed) after a reset of the controller (its start, an episode mark or \
                 ~/reset), found none: {found}",
                self.bag.display(),
            )));
        }
        let replayed_s = report.span.as_secs_f64();
        let summary = Summary {
            bag: self.bag,
            bundle: config.bundle.path.clone(),
            planner: config.planner.kind.name().to_owned(),
            provider: bundle.provider().to_string(),
            ticks: report.ticks,
            skipped: report.skipped,
            equal: report.first_difference.is_none() && wholeness.missing().is_none(),
            missing_parts: wholeness.holes,
            journal_break: wholeness.chain.first_break().map(ToString::to_string),
            journal_sha256: wholeness.chain.last_sum(),
            decisions_sha256: report.decisions_sha256(),
            first_difference: report.first_difference,
            largest_difference: report.largest_difference,
            tolerance: self.tolerance,
            replayed_s,
            took_s: took.as_secs_f64(),
            realtime_factor: replayed_s / took.as_secs_f64().max(1e-9),
        };
        if self.json {
            print_json(&summary)?;
        } else {
            print_line(&format!(
                "{} images ({} skipped) of {:.1} s replayed in {:.1} s ({:.1} times real time), decisions {}",
                summary.ticks,
                summary.skipped,
                summary.replayed_s,
                summary.took_s,
                summary.realtime_factor,
                summary.decisions_sha256
            ))?;
        }
        match (summary.first_difference, wholeness.missing()) {
            (None, Some(missing)) => Err(Failure::failed(anyhow::anyhow!(
                "what is left of the recording decides the same, but it is not whole: {missing}"
            ))),
            (None, None) => {
                if !self.json {
                    print_line(&match self.tolerance {
                        None => "all decisions are equal, bit for bit".to_owned(),
                        Some(t) => format!(
                            "all decisions are equal within {t:e}; largest difference {:e}",
                            summary.largest_difference
                        ),
                    })?;
                }
                Ok(())
            }
            (Some(difference), missing) => Err(Failure::failed(anyhow::anyhow!(
                "decisions differ, first at tick {} (image of {:.9} s) in the {}: {}{}",
                difference.tick,
                difference.stamp_ns as f64 * 1e-9,
                difference.stage.name(),
                difference.detail,
                missing.map_or(String::new(), |missing| format!("; {missing}"))
            ))),
        }
    }

    /// Makes a core for every processor, each planning on one thread: the decisions are the same with any
    /// number.
    fn cores(&self, config: &Config, bundle: &Bundle) -> Result<Vec<Core>, SetupError> {
        let count = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut config = config.clone();
        if count > 1 {
            config.planner.threads = 1;
        }
        (0..count.min(MOST_WORKERS))
            .map(|_| Core::new(&config, bundle, self.tolerance))
            .collect()
    }
}
