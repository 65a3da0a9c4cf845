//! The page of a race.

use latco_models::Bundle;
use latco_pictures::page::{Answer, PICTURES_BUDGET, Page, context, jpeg, spread};
use serde::Serialize;

use super::lane::{Lane, Run};
use crate::ExperimentError;
use crate::figures::film::decoded;

const SECTIONS: [(&str, &str); 3] = [
    ("lanes", "who won"),
    ("race", "the race"),
    ("curves", "promises and times"),
];

/// The data for the script.
#[derive(Serialize)]
struct Data<'a> {
    width: usize,
    height: usize,
    period_s: f64,
    lanes: Vec<Shown<'a>>,
}

/// One lane: entries stand for the steps of the episode.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    /// The camera's image before each step, a JPEG in base64.
    frames: Vec<String>,
    strips: Vec<Option<Strip>>,
    promised: Vec<Option<f64>>,
    ms: Vec<Option<f64>>,
    rewards: &'a [f64],
    /// The first step after which the task was solved.
    solved: Option<usize>,
}

/// A strip of decoded states.
#[derive(Clone, Serialize)]
struct Strip {
    /// Step of each column, from that of the image on.
    steps: Vec<usize>,
    jpeg: String,
}

/// The HTML.
///
/// # Errors
/// The decoder's reason, the encoder's, or the template's.
pub(super) fn render(
    bundle: &Bundle,
    lanes: &[Lane],
    runs: &[Run],
    facts: &[(&str, String)],
) -> Result<String, ExperimentError> {
    let manifest = bundle.manifest();
    let shown = (lanes.iter().zip(runs))
        .map(|(lane, run)| shown(lane, run, bundle, PICTURES_BUDGET / lanes.len().max(1)));
    let data = Data {
        width: manifest.image.width,
        height: manifest.image.height,
        period_s: manifest.control_period_s,
        lanes: shown.collect::<Result<_, _>>()?,
    };
    let missing: usize = (data.lanes.iter().zip(runs))
        .map(|(shown, run)| {
            run.plans.iter().flatten().count() - shown.strips.iter().flatten().count()
        })
        .sum();
    let data = serde_json::to_string(&data)
        .map_err(|error| ExperimentError::Program(format!("the data of the page: {error}")))?;
    let page = Page {
        title: &format!("race: {}", manifest.task),
        answers: &answers(lanes),
        sections: &SECTIONS,
        body: include_str!("page.html"),
        script: include_str!("page.js"),
        data: &data,
        facts,
        configuration: None,
    };
    Ok(page.render(context! { lanes, missing })?)
}

/// One lane with as many strips as fit into the bytes that it may take.
fn shown<'a>(
    lane: &'a Lane,
    run: &'a Run,
    bundle: &Bundle,
    most: usize,
) -> Result<Shown<'a>, ExperimentError> {
    let frames = (run.frames.iter())
        .map(|frame| jpeg(std::slice::from_ref(frame)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut spent: usize = frames.iter().map(String::len).sum();
    let n = bundle.manifest().dims.state();
    let mut strips = vec![None; frames.len()];
    for step in spread(frames.len()) {
        if let Some(plan) = run.plans[step].as_ref().filter(|_| spent < most) {
            let steps = latco_pictures::columns(plan.states.len() / n - 1);
            let jpeg = jpeg(&decoded(bundle, &plan.states, &steps)?)?;
            spent += jpeg.len();
            strips[step] = Some(Strip { steps, jpeg });
        }
    }
    let plans = || run.plans.iter().map(Option::as_ref);
    Ok(Shown {
        name: lane.planner,
        frames,
        strips,
        promised: plans().map(|plan| plan.map(|p| p.promised)).collect(),
        ms: plans().map(|plan| plan.map(|p| p.ms)).collect(),
        rewards: &run.rewards,
        solved: run.solved.iter().position(|solved| *solved),
    })
}

fn answers(lanes: &[Lane]) -> Vec<Answer> {
    let answer = |question, answer, place| Answer {
        question,
        answer,
        place,
    };
    vec![
        answer("Which planner is better here?", better(lanes), "lanes"),
        answer("Do plans get what they promise?", kept(lanes), "curves"),
        answer("How long did they think?", times(lanes), "curves"),
        answer(
            "Is it always so?",
            "One start does not say. latco-train experiment table1 runs the same planners from many, latco-train eval --pair tells \
             whether two differ."
                .into(),
            "facts",
        ),
    ]
}

fn better(lanes: &[Lane]) -> String {
    let mut solved: Vec<(&str, f64)> = (lanes.iter())
        .filter_map(|lane| Some((lane.planner, lane.solved_after_s?)))
        .collect();
    solved.sort_by(|a, b| a.1.total_cmp(&b.1));
    let Some((first, after)) = solved.first() else {
        return format!("None of the {} solved it.", lanes.len());
    };
    let others: Vec<String> = (solved.iter().skip(1))
        .map(|(name, after)| format!("{name} after {after:.1} s"))
        .collect();
    let failed: Vec<&str> = (lanes.iter().filter(|lane| !lane.solved))
        .map(|lane| lane.planner)
        .collect();
    let mut text = format!(
        "{} of {} solved it: first {first} after {after:.1} s",
        solved.len(),
        lanes.len()
    );
    if !others.is_empty() {
        text += &format!(", then {}", others.join(", "));
    }
    if !failed.is_empty() {
        text += &format!("; not solved by {}", failed.join(", "));
    }
    text + "."
}

fn kept(lanes: &[Lane]) -> String {
    let parts: Vec<String> = (lanes.iter())
        .filter_map(|lane| {
            let (promised, got) = (lane.promised?, lane.got?);
            Some(format!("{} {promised:.1} and {got:.1}", lane.planner))
        })
        .collect();
    if parts.is_empty() {
        return "No plan's horizon lies within the episode, so it does not say.".into();
    }
    format!(
        "Mean return that plans predict, and what came in the steps that they were about, under replanning: {}.",
        parts.join("; ")
    )
}

fn times(lanes: &[Lane]) -> String {
    let parts: Vec<String> = (lanes.iter())
        .map(|lane| format!("{} {:.0} ms", lane.planner, lane.plan_ms_p99))
        .collect();
    format!(
        "99th percentile of the CPU time of a plan: {}.",
        parts.join(", ")
    )
}
