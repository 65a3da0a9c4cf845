//! The times of every plan, and their figures.

use serde::Serialize;

use super::heard::Heard;
use super::seen::Seen;
use crate::quantile::quantile;

/// The times of one plan, in ms from the stamp of its image.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Times {
    /// Number of the image.
    pub(super) at: usize,
    /// The controller looked at the image.
    pub(super) taken_ms: f64,
    /// The plan was in the journal; `None` where the recording lacks the step.
    pub(super) ready_ms: Option<f64>,
    /// The first command after that was recorded.
    pub(super) command_ms: Option<f64>,
    /// The plan's first new action was due.
    pub(super) due_ms: f64,
}

impl Times {
    /// Whether the plan was ready when its first new action was due; `None` where that is not known.
    pub(super) fn was_kept(&self) -> Option<bool> {
        self.ready_ms.map(|ready| ready <= self.due_ms)
    }
}

/// The times of all plans.
pub(super) fn times(seen: &[Seen], heard: &Heard) -> Vec<Times> {
    let plans = seen.iter().enumerate();
    plans
        .filter_map(|(at, seen)| {
            let plan = seen.plan.as_ref()?;
            let ms = |time: i64| (time - seen.stamp_ns) as f64 * 1e-6;
            let ready = heard.steps.get(&seen.stamp_ns).copied();
            let due = plan.start_ns + plan.period_ns * i64::try_from(plan.lead).unwrap_or(0);
            Some(Times {
                at,
                taken_ms: ms(seen.taken_ns),
                ready_ms: ready.map(ms),
                command_ms: ready.and_then(|ready| heard.command_after(ready)).map(ms),
                due_ms: ms(due),
            })
        })
        .collect()
}

/// The quantile `q` of some of the times, as text.
pub(super) fn ms_at(times: &[Times], value: fn(&Times) -> Option<f64>, q: f64) -> String {
    let values: Vec<f64> = times.iter().filter_map(value).collect();
    quantile(&values, q).map_or("not known".to_owned(), |ms| format!("{ms:.1} ms"))
}
