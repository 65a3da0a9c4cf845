//! Pictures of `latco plan`: curves and film strip.

use std::path::Path;

use anyhow::Context as _;
use latco_controller::plan::{PlanReport, Solution};
use latco_controller::trace::IterationTrace;
use latco_models::Bundle;
use latco_pictures::{Frame, PictureError};

use super::situation::{Picture, Situation};
use super::source::Executed;
use crate::pictures::{self, Film};

/// Name of the film strip in the output folder; the curves lie beside it.
const FILM: &str = "film_strip.png";
const CURVES: &str = "plan_curves.png";

/// The plan that is drawn, with what it was made from.
pub(super) struct Drawn<'a> {
    pub(super) situation: &'a Situation,
    pub(super) solution: &'a Solution,
    pub(super) iterations: &'a [IterationTrace],
    pub(super) report: &'a PlanReport,
    pub(super) plan_ms: f64,
    pub(super) executed: Option<&'a Executed>,
    /// The bag that the situation is from.
    pub(super) bag: Option<&'a Path>,
}

/// Writes the pictures into a folder.
///
/// # Errors
/// An error when a picture cannot be drawn or written, or the bag cannot be read.
pub(super) fn draw(folder: &Path, bundle: &Bundle, drawn: &Drawn<'_>) -> anyhow::Result<()> {
    let (report, solution) = (drawn.report, drawn.solution);
    std::fs::create_dir_all(folder)
        .with_context(|| format!("output folder {}", folder.display()))?;
    let title = format!(
        "one plan: {} iterations in {:.0} ms, predicted return {:.2}; executed is {}",
        report.iterations,
        drawn.plan_ms,
        report.predicted_return,
        report.executed()
    );
    let curves = folder.join(CURVES);
    if drawn.iterations.is_empty() {
        remove(&curves)?;
    } else {
        pictures::curves(&curves, &title, drawn.iterations, report.best_plan)?;
    }
    let steps = latco_pictures::columns(solution.rewards.len());
    let period_s = bundle.manifest().control_period_s;
    let executed = match (drawn.executed, drawn.bag) {
        (Some(executed), _) => {
            let frames = steps.iter().map(|&step| frame(&executed.pictures[step]));
            frames.collect::<Result<_, _>>()?
        }
        (None, Some(bag)) => {
            let period_ns = period_s * 1e9;
            let stamp_ns = drawn.situation.stamp.0;
            let due: Vec<i64> = (steps.iter())
                .map(|&step| stamp_ns + (step as f64 * period_ns) as i64)
                .collect();
            let (camera, tolerance_ns) = (&drawn.situation.camera, (period_ns / 2.0) as i64);
            let frames = pictures::recorded_frames(bundle, bag, camera, &due, tolerance_ns)?;
            frames.into_iter().map_while(|frame| frame).collect()
        }
        (None, None) => Vec::new(),
    };
    Film {
        title: &title,
        camera: vec![frame(&drawn.situation.picture)?],
        imagined: pictures::imagine(bundle, &solution.states, &steps)?,
        executed,
        steps: &steps,
        period_s,
    }
    .save(&folder.join(FILM))
}

fn frame(picture: &Picture) -> Result<Frame, PictureError> {
    Frame::new(picture.width, picture.height, picture.pixels.clone())
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("removing {}", file.display()))
        }
        _ => Ok(()),
    }
}
