//! What the controller saw and planned, from its journal.

use std::sync::{Arc, Mutex, PoisonError};

use latco_controller::Config;
use latco_controller::journal::{Repeated, Replay as Core};
use latco_controller::plan::{CandidateReturns, PlanReport, Problem};
use latco_controller::trace::IterationTrace;
use latco_models::Bundle;

use crate::replay::Journal;

/// One image of the run.
pub(super) struct Seen {
    /// Stamp of the image, ns.
    pub(super) stamp_ns: i64,
    /// Time at which the controller looked at it, ns.
    pub(super) taken_ns: i64,
    /// Pixels, `[height, width, 3]`.
    pub(super) pixels: Vec<u8>,
    /// The reason why the belief refused it.
    pub(super) refused: Option<String>,
    /// Posterior mean after it, `[n]`.
    pub(super) belief: Vec<f32>,
    /// The plan that was made from it.
    pub(super) plan: Option<Planned>,
}

/// One plan of the run.
pub(super) struct Planned {
    pub(super) number: u64,
    /// Time at which its first action applies, ns.
    pub(super) start_ns: i64,
    pub(super) period_ns: i64,
    /// Number of committed steps before the planned ones.
    pub(super) lead: usize,
    pub(super) report: PlanReport,
    /// Whether it was handed over; otherwise the plan before was followed.
    pub(super) is_new: bool,
    /// Actions in normalised units, `[L, na]`.
    pub(super) actions: Vec<f32>,
    /// Imagined states, `[L + 1, n]`.
    pub(super) states: Vec<f32>,
    /// Predicted rewards of the planned steps, `[H]`.
    pub(super) rewards: Vec<f32>,
    pub(super) iterations: Vec<IterationTrace>,
    /// The best returns of the candidates that it was chosen from.
    pub(super) candidates: CandidateReturns,
    /// The problem, from a planner that keeps it.
    pub(super) problem: Option<Problem>,
}

/// Repeats the journal and keeps what passes; returns it in the order of time, with the number of images that could not
/// be repeated.
///
/// # Errors
/// An error when the bag cannot be read, or the core not be made.
pub(super) fn look(
    journal: &Journal,
    config: &Config,
    bundle: &Bundle,
) -> anyhow::Result<(Vec<Seen>, u64)> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let sink = kept.clone();
    let core = Core::new(config, bundle, None)?.watched_by(Box::new(move |repeated| {
        let seen = keep(repeated);
        sink.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(seen);
    }));
    let (report, _) = journal.replay(vec![core], None)?;
    let mut kept = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    kept.sort_by_key(|seen| seen.stamp_ns);
    Ok((kept, report.skipped))
}

fn keep(repeated: &Repeated<'_>) -> Seen {
    let controller = repeated.controller;
    let refused = match &repeated.tick.image {
        Some(Err(reason)) => Some(reason.to_string()),
        _ => None,
    };
    let plan = repeated.tick.plan.map(|report| {
        let plan = controller.plan();
        Planned {
            number: plan.number,
            start_ns: plan.start.0,
            period_ns: i64::try_from(plan.period.as_nanos()).unwrap_or(i64::MAX),
            lead: plan.lead(),
            report,
            is_new: repeated.tick.new_plan,
            actions: plan.actions.clone(),
            states: plan.states.clone(),
            rewards: plan.rewards.clone(),
            iterations: controller.trace().iterations().to_vec(),
            candidates: controller.candidates(),
            problem: controller.problem().cloned(),
        }
    });
    Seen {
        stamp_ns: repeated.mark.stamp.0,
        taken_ns: repeated.mark.now.0,
        pixels: repeated.pixels.to_vec(),
        refused,
        belief: controller.belief().to_vec(),
        plan,
    }
}
