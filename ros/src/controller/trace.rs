//! What a controller node did, image by image, kept in bounded memory and written to a file at its end: the material
//! of `latco demo`'s table and pictures.

use std::path::Path;

use anyhow::Context as _;
use latco_controller::plan::PlanReport;
use latco_controller::trace::IterationTrace;
use serde::{Deserialize, Serialize};

/// Images of which the figures are kept; later ones are only counted.
const MAX_TICKS: usize = 100_000;
/// Numbers of imagined states that are kept (64 MiB); later plans are kept without.
const MAX_STATE_VALUES: usize = 16 << 20;

/// Everything kept of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunTrace {
    /// Folder of the bundle.
    pub bundle: String,
    /// Name of the planner.
    pub planner: String,
    /// Control period, ns.
    pub period_ns: i64,
    /// Size of a state.
    pub state_size: usize,
    /// One per image that was taken, oldest first.
    pub ticks: Vec<TickTrace>,
    /// Images for which there was no room.
    pub dropped: u64,
    #[serde(skip)]
    state_values: usize,
}

/// One image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TickTrace {
    /// The episode that ran, as announced on the topic.
    pub episode: Option<i64>,
    /// Stamp of the image, ns.
    pub stamp_ns: i64,
    /// When the image was in the controller's hands, ns.
    pub received_ns: i64,
    /// Time of the belief's step, ms.
    pub belief_ms: f64,
    /// The plan, if one was made.
    pub plan: Option<PlanTraced>,
}

/// One plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanTraced {
    /// Its number.
    pub number: u64,
    /// Time of planning, ms.
    pub plan_ms: f64,
    /// When it was handed over, ns.
    pub ready_ns: i64,
    /// Whether it was ready after its first new action should have begun.
    pub missed: bool,
    /// The planner's report.
    pub report: PlanReport,
    /// Figures of its iterations.
    pub iterations: Vec<IterationTrace>,
    /// Imagined states, `[steps + 1, n]`, row 0 at the image's stamp, one control period apart; empty if not kept.
    pub states: Vec<f32>,
    /// When the middleware had taken the first command that follows it, ns.
    pub command_sent_ns: Option<i64>,
}

impl RunTrace {
    /// Of a run that begins.
    pub fn new(bundle: &str, planner: &str, period_ns: i64, state_size: usize) -> Self {
        Self {
            bundle: bundle.into(),
            planner: planner.into(),
            period_ns,
            state_size,
            ..Self::default()
        }
    }

    /// Keeps one image.
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
    /// The system's, with the name of the file.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let bytes = postcard::to_stdvec(self).context("the trace cannot be encoded")?;
        std::fs::write(file, bytes).with_context(|| format!("writing the trace {}", file.display()))
    }

    /// Reads a file that was written by the same version of the program.
    ///
    /// # Errors
    /// When it cannot be read or is not such a file.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let bytes =
            std::fs::read(file).with_context(|| format!("reading the trace {}", file.display()))?;
        postcard::from_bytes(&bytes)
            .with_context(|| format!("{} is not a trace of this version", file.display()))
    }
}
