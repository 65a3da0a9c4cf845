//! What a reader asks first, answered in a sentence each, with the place on the page where more is to be seen.

use std::collections::BTreeMap;

use latco_envs::statistics::wilson_interval;
use latco_pictures::page::Answer;

use super::episodes::Episode;
use super::heard::Heard;
use super::rows::{Times, ms_at};
use super::seen::Seen;

/// All questions.
pub(super) fn all(
    seen: &[Seen],
    heard: &Heard,
    episodes: &[Episode],
    times: &[Times],
) -> Vec<Answer> {
    vec![
        Answer {
            question: "Did it do its task?",
            answer: solved(episodes),
            place: "episodes",
        },
        Answer {
            question: "Why this plan?",
            answer: why(seen),
            place: "tick",
        },
        Answer {
            question: "Was the deadline kept?",
            answer: deadline(times),
            place: "times",
        },
        Answer {
            question: "When did it stop, and why?",
            answer: stops(heard),
            place: "states",
        },
        Answer {
            question: "Does the model know what it sees, and what it will be paid?",
            answer: knows(seen, episodes),
            place: "tick",
        },
    ]
}

fn solved(episodes: &[Episode]) -> String {
    let paid: Vec<f64> = episodes.iter().filter_map(|e| e.paid).collect();
    if paid.is_empty() {
        return "The recording has no rewards, so it does not say.".into();
    }
    let solved = paid.iter().filter(|&&paid| paid > 0.0).count();
    let (low, high) = wilson_interval(solved, paid.len());
    format!(
        "A reward was paid in {solved} of {} episodes ({:.0} %, 95 % interval {:.0} to {:.0} %).",
        paid.len(),
        100.0 * solved as f64 / paid.len() as f64,
        100.0 * low,
        100.0 * high
    )
}

fn why(seen: &[Seen]) -> String {
    let mut sources: BTreeMap<String, usize> = BTreeMap::new();
    let mut plans = 0;
    for report in seen
        .iter()
        .filter_map(|s| s.plan.as_ref())
        .map(|p| p.report)
    {
        plans += 1;
        *sources.entry(source(&report)).or_default() += 1;
    }
    let mut sorted: Vec<_> = sources.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parts: Vec<String> = (sorted.iter())
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    format!(
        "Of all candidates the one with the largest predicted return is followed. Of {plans} plans: {}.",
        parts.join(", ")
    )
}

/// Where a plan is from, in words.
pub(super) fn source(report: &latco_controller::plan::PlanReport) -> String {
    let start = match report.best_start.name() {
        "standing_still" => return "stand still, as nothing promised more".into(),
        "shifted" => "the plan before",
        "sampled" => "sampled actions",
        "gaussian" => "noise",
        other => other,
    };
    if report.best_iteration == 0 {
        format!("are {start}, not changed")
    } else {
        format!("are {start}, improved by iterations")
    }
}

fn deadline(times: &[Times]) -> String {
    let known: Vec<bool> = times.iter().filter_map(Times::was_kept).collect();
    if known.is_empty() {
        return "The recording does not say when plans were ready.".into();
    }
    let missed = known.iter().filter(|kept| !**kept).count();
    format!(
        "{} of {} plans were ready before their first new action was due, {missed} were not. From the stamp of an image to \
         its plan in the journal: median {}, p99 {}; to the next command: median {}, p99 {}.",
        known.len() - missed,
        known.len(),
        ms_at(times, |t| t.ready_ms, 0.5),
        ms_at(times, |t| t.ready_ms, 0.99),
        ms_at(times, |t| t.command_ms, 0.5),
        ms_at(times, |t| t.command_ms, 0.99),
    )
}

fn stops(heard: &Heard) -> String {
    let stops: Vec<&str> = (heard.states.iter())
        .filter(|(_, level, text)| *level > 0 || text.starts_with("stopped"))
        .map(|(_, _, text)| text.as_str())
        .collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for stop in &stops {
        *counts.entry(stop).or_default() += 1;
    }
    if heard.states.is_empty() {
        return "The recording has no states of the node.".into();
    }
    if stops.is_empty() {
        return "It never said so.".into();
    }
    let parts: Vec<String> = (counts.iter())
        .map(|(text, count)| format!("{text} ({count} times)"))
        .collect();
    format!("{}.", parts.join("; "))
}

fn knows(seen: &[Seen], episodes: &[Episode]) -> String {
    let promised: Vec<f64> = (seen.iter())
        .filter_map(|s| s.plan.as_ref())
        .map(|p| f64::from(p.report.predicted_return))
        .collect();
    let mean = promised.iter().sum::<f64>() / promised.len().max(1) as f64;
    let paid: Vec<f64> = episodes.iter().filter_map(|e| e.paid).collect();
    let mut text = format!(
        "Each image stands beside what the belief makes of it: where the decoded one lacks an object, the model does not know \
         of it. The mean return that a plan predicts is {mean:.2}"
    );
    if paid.is_empty() {
        text += ".";
    } else {
        let really = paid.iter().sum::<f64>() / paid.len() as f64;
        text += &format!("; an episode paid {really:.2} in the mean.");
    }
    text
}
