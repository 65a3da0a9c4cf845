//! What a controller node did, image by image, kept in bounded memory and written to a file at its end: the material
//! of `latco demo`'s table and pictures.

use std::path::Path;

use anyhow::Context as _;
use latco_controller::plan::PlanReport;
use latco_controller::trace::IterationTrace;
use serde::{Deserialize, Serialize};

use crate::quantile::quantile;

/// Number of images of which the figures are kept; later ones are only counted.
const MAX_TICKS: usize = 100_000;
/// Number of values of imagined states that are kept (64 MiB); later plans are kept without.
const MAX_STATE_VALUES: usize = 16 << 20;

/// The trace of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunTrace {
    /// Folder of the bundle.
    pub bundle: String,
    /// Name of the planner.
    pub planner: String,
    /// Control period in ns.
    pub period_ns: i64,
    /// Length of a state.
    pub state_size: usize,
    /// A record of each image that was taken, the oldest first.
    pub ticks: Vec<TickTrace>,
    /// Number of images for which there was no room.
    pub dropped: u64,
    #[serde(skip)]
    state_values: usize,
}

/// The record of one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TickTrace {
    /// Number of the episode that ran, as announced on the topic.
    pub episode: Option<i64>,
    /// Stamp of the image in ns.
    pub stamp_ns: i64,
    /// Time at which the controller had the image, in ns.
    pub received_ns: i64,
    /// Time that the belief's step took, in ms.
    pub belief_ms: f64,
    /// The plan that was made from it, if any.
    pub plan: Option<PlanTraced>,
}

/// The record of one plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanTraced {
    /// Number of the plan.
    pub number: u64,
    /// Time of planning in ms.
    pub plan_ms: f64,
    /// Time at which the plan was handed over, in ns.
    pub ready_ns: i64,
    /// Whether the plan was ready after its first new action should have begun.
    pub missed: bool,
    /// The planner's report.
    pub report: PlanReport,
    /// Figures of the plan's iterations.
    pub iterations: Vec<IterationTrace>,
    /// Imagined states, `[steps + 1, n]`, row 0 at the image's stamp, one control period apart; empty if they
    /// were not kept.
    pub states: Vec<f32>,
    /// Time at which the middleware had taken the first command that follows the plan, in ns.
    pub command_sent_ns: Option<i64>,
}

impl RunTrace {
    /// Makes the trace of a run that begins.
    pub fn new(bundle: &str, planner: &str, period_ns: i64, state_size: usize) -> Self {
        Self {
            bundle: bundle.into(),
            planner: planner.into(),
            period_ns,
            state_size,
            ..Self::default()
        }
    }

    /// Keeps the record of one image.
    pub fn push(&mut self, mut tick: TickTrace) {
        if self.ticks.len() >= MAX_TICKS {
            self.dropped += 1;
            return;
        }
        if let Some(plan) = &mut tick.plan {
            if self.state_values + plan.states.len() > MAX_STATE_VALUES {
                plan.states = Vec::new();
            }
            self.state_values += plan.states.len();
        }
        self.ticks.push(tick);
    }

    /// Notes when the first command of a plan had left.
    pub fn command_sent(&mut self, number: u64, at_ns: i64) {
        let plans = self.ticks.iter_mut().rev().filter_map(|t| t.plan.as_mut());
        if let Some(plan) = plans.take(64).find(|p| p.number == number) {
            plan.command_sent_ns.get_or_insert(at_ns);
        }
    }

    /// All plans with their images.
    pub fn plans(&self) -> impl Iterator<Item = (&TickTrace, &PlanTraced)> {
        self.ticks
            .iter()
            .filter_map(|t| t.plan.as_ref().map(|p| (t, p)))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// The system's error, with the name of the file.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let bytes = postcard::to_stdvec(self).context("the trace cannot be encoded")?;
        std::fs::write(file, bytes).with_context(|| format!("writing the trace {}", file.display()))
    }

    /// Reads a file that was written by the same version of the program.
    ///
    /// # Errors
    /// An error when the file cannot be read or is no such file.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let bytes =
            std::fs::read(file).with_context(|| format!("reading the trace {}", file.display()))?;
        postcard::from_bytes(&bytes)
            .with_context(|| format!("{} is not a trace of this version", file.display()))
    }
}

/// Times and iterations over all plans of a run; `None` without plans.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanFigures {
    /// Median time of planning in ms.
    pub plan_ms_p50: Option<f64>,
    /// 99th percentile of the time of planning in ms.
    pub plan_ms_p99: Option<f64>,
    /// Median number of iterations of a plan.
    pub iterations_p50: Option<f64>,
    /// Largest number of iterations of a plan.
    pub iterations_max: Option<f64>,
    /// Median time from the stamp of an image to the first command that follows the plan made from it, in ms.
    pub stamp_to_command_ms_p50: Option<f64>,
    /// 99th percentile of the time from stamp to command in ms.
    pub stamp_to_command_ms_p99: Option<f64>,
}

impl PlanFigures {
    /// The figures of a run.
    pub fn new(trace: &RunTrace) -> Self {
        let all = |value: fn(&TickTrace, &PlanTraced) -> Option<f64>| -> Vec<f64> {
            trace.plans().filter_map(|(t, p)| value(t, p)).collect()
        };
        let plan_ms = all(|_, plan| Some(plan.plan_ms));
        let iterations = all(|_, plan| Some(f64::from(plan.report.iterations)));
        let latency = all(stamp_to_command_ms);
        Self {
            plan_ms_p50: quantile(&plan_ms, 0.5),
            plan_ms_p99: quantile(&plan_ms, 0.99),
            iterations_p50: quantile(&iterations, 0.5),
            iterations_max: quantile(&iterations, 1.0),
            stamp_to_command_ms_p50: quantile(&latency, 0.5),
            stamp_to_command_ms_p99: quantile(&latency, 0.99),
        }
    }
}

/// Time from the stamp of an image to the first command that follows its plan, in ms.
pub fn stamp_to_command_ms(tick: &TickTrace, plan: &PlanTraced) -> Option<f64> {
    plan.command_sent_ns
        .map(|sent| (sent - tick.stamp_ns) as f64 * 1e-6)
}
