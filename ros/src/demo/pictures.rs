//! Film strip, curves and histogram of a demonstration, from the bag and the controller's trace.

use std::path::Path;

use anyhow::Context as _;
use latco_models::Bundle;
use latco_pictures::Histogram;

use super::options::{BAG, CURVES, FILM, HISTOGRAM};
use super::report::Report;
use crate::controller::trace::{PlanTraced, RunTrace, TickTrace, stamp_to_command_ms};
use crate::pictures::{self, Film};

/// The plan that is shown.
struct Shown<'a> {
    tick: &'a TickTrace,
    plan: &'a PlanTraced,
    /// Number of control periods from the episode's first image to the plan's.
    step: usize,
    /// Number of control periods of the plan that are shown.
    length: usize,
    /// The step at which the episode was solved, if the plan reaches that far.
    solved_at: Option<usize>,
}

/// Draws all three pictures; returns remarks for the report.
pub(super) fn draw(
    folder: &Path,
    bundle: &Bundle,
    trace: &RunTrace,
    report: &Report,
) -> anyhow::Result<Vec<String>> {
    let mut remarks = Vec::new();
    let shown = choose(trace, report).context("there is no plan to show: no image led to one")?;
    let episode = shown.tick.episode.map_or("?".to_owned(), |e| e.to_string());
    let step = shown.step;
    let title = match shown.solved_at {
        Some(at) => format!("episode {episode}: the plan made at step {step}; solved at step {at}"),
        None => format!("episode {episode}: the plan made at step {step}"),
    };
    remarks.push(film(folder, bundle, trace, &shown, &title)?);
    curves(folder, cold(trace, &shown), &episode)?;
    histogram(folder, trace, report)?;
    Ok(remarks)
}

/// The reasons that make a plan worth showing, the most important first.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Worth {
    /// Whether the episode was solved within the plan's horizon, and the plan foresaw that.
    foreseen: bool,
    solved: bool,
    /// Whether the plan was made before the robot moved.
    early: bool,
    /// Amount of motion that is left to be seen.
    ahead: usize,
}

/// The plan that is most worth showing.
fn choose<'a>(trace: &'a RunTrace, report: &Report) -> Option<Shown<'a>> {
    let solved_at = |episode: i64| {
        let result = report
            .results
            .iter()
            .find(|r| r["episode"].as_i64() == Some(episode))?;
        usize::try_from(result["solved_at_step"].as_u64()?).ok()
    };
    let mut best: Option<(Worth, Shown<'a>)> = None;
    for (tick, plan) in trace.plans() {
        let Some(episode) = tick.episode else {
            continue;
        };
        let steps = (plan.states.len() / trace.state_size.max(1)).saturating_sub(1);
        if steps == 0 || plan.iterations.is_empty() {
            continue;
        }
        let mut of_episode = trace.ticks.iter().filter(|t| t.episode == Some(episode));
        let first_ns = of_episode.next().map_or(tick.stamp_ns, |t| t.stamp_ns);
        let step = ((tick.stamp_ns - first_ns) as f64 / trace.period_ns as f64)
            .round()
            .max(0.0) as usize;
        let ahead = solved_at(episode).and_then(|at| at.checked_sub(step));
        let ahead = ahead.filter(|ahead| (1..=steps).contains(ahead));
        let worth = Worth {
            foreseen: ahead.is_some() && plan.report.predicted_return > 0.5,
            solved: ahead.is_some(),
            early: step == 0,
            ahead: ahead.unwrap_or(0),
        };
        if best.as_ref().is_none_or(|(best, _)| worth > *best) {
            let length = ahead.map_or(steps, |ahead| (ahead + 3).min(steps));
            let solved_at = ahead.map(|ahead| step + ahead);
            best = Some((
                worth,
                Shown {
                    tick,
                    plan,
                    step,
                    length,
                    solved_at,
                },
            ));
        }
    }
    best.map(|(_, shown)| shown)
}

/// The first plan of the same episode, made from nothing: the curves of a warm-started one say little.
fn cold<'a>(trace: &'a RunTrace, shown: &Shown<'a>) -> &'a PlanTraced {
    let mut of_episode = trace
        .plans()
        .filter(|(tick, _)| tick.episode == shown.tick.episode);
    let cold = of_episode.find(|(_, plan)| !plan.report.warm && plan.iterations.len() > 1);
    cold.map_or(shown.plan, |(_, plan)| plan)
}

fn film(
    folder: &Path,
    bundle: &Bundle,
    trace: &RunTrace,
    shown: &Shown<'_>,
    title: &str,
) -> anyhow::Result<String> {
    let steps = latco_pictures::columns(shown.length);
    let due: Vec<i64> = steps
        .iter()
        .map(|&step| shown.tick.stamp_ns + step as i64 * trace.period_ns)
        .collect();
    let recorded =
        pictures::recorded_frames(bundle, &folder.join(BAG), "", &due, trace.period_ns / 2)?;
    let film = Film {
        title,
        camera: recorded.first().cloned().flatten().into_iter().collect(),
        imagined: pictures::imagine(bundle, &shown.plan.states, &steps)?,
        // An episode may end before the plan does.
        executed: recorded.into_iter().map_while(|frame| frame).collect(),
        steps: &steps,
        period_s: trace.period_ns as f64 * 1e-9,
    };
    film.save(&folder.join(FILM))?;
    Ok(format!(
        "Film strip: the camera image that the plan was made from, the plan as the model imagines it (decoded states), \
         and what the camera saw while the robot moved ({} of {} frames).",
        film.executed.len(),
        steps.len()
    ))
}

fn curves(folder: &Path, plan: &PlanTraced, episode: &str) -> anyhow::Result<()> {
    let start = if plan.report.warm {
        "from the plan before"
    } else {
        "from nothing"
    };
    let title = format!(
        "one plan of episode {episode}, made {start}: {} iterations in {:.0} ms; executed is {}",
        plan.report.iterations,
        plan.plan_ms,
        plan.report.executed()
    );
    let file = folder.join(CURVES);
    pictures::curves(&file, &title, &plan.iterations, plan.report.best_plan)
}

fn histogram(folder: &Path, trace: &RunTrace, report: &Report) -> anyhow::Result<()> {
    let planning: Vec<f64> = trace.plans().map(|(_, p)| p.plan_ms).collect();
    let command: Vec<f64> = trace
        .plans()
        .filter_map(|(t, p)| stamp_to_command_ms(t, p))
        .collect();
    let mut histogram = Histogram::new("latency", "ms").samples("planning", &planning);
    if !command.is_empty() {
        histogram = histogram.samples("image stamp to command", &command);
    }
    histogram
        .limit("control period", report.control_period_ms)
        .save(&folder.join(HISTOGRAM))?;
    Ok(())
}
