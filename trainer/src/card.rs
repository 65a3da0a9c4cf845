//! Model cards: what a bundle is for, what it was made from, what it can and cannot do, on one page of Markdown.

use std::fmt::Write as _;

use latco_models::Manifest;
use latco_models::gates::{RULES, needed, shortcomings};
use serde_json::Value;

use crate::report::Report;

/// Name of the card in the folder of a bundle.
pub const CARD_FILE: &str = "README.md";

/// The card of a bundle. `run` is the report of its training; `evaluations` are what `latco-train eval --json` printed of it, or
/// the records of it in `docs/figures`.
pub fn markdown(
    name: &str,
    manifest: &Manifest,
    run: Option<&Report>,
    evaluations: &[Value],
) -> String {
    let m = manifest;
    let mut out =
        format!("# Model card: {name}\n\nWritten by `latco-train card`.\n\n| | |\n|---|---|\n");
    let mut fact = |what: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| {what} | {value} |");
    };
    let kilobytes = m.files.values().map(|file| file.bytes).sum::<u64>() / 1000;
    fact("task", m.task.clone());
    fact(
        "what it sees",
        format!(
            "{}x{} pixels{}",
            m.image.width,
            m.image.height,
            if m.joints.observed {
                ", joint positions and velocities"
            } else {
                ""
            }
        ),
    );
    fact("joints", m.joints.names.join(", "));
    fact("an action of 1, rad/s", listed(&m.action.scale));
    fact(
        "control period, horizon",
        format!(
            "{:.0} ms, {} steps ({:.1} s)",
            m.control_period_s * 1e3,
            m.dims.horizon,
            m.control_period_s * m.dims.horizon as f64
        ),
    );
    fact(
        "state",
        format!(
            "{} stochastic, {} deterministic; layers of {}",
            m.dims.stoch, m.dims.deter, m.dims.hidden
        ),
    );
    fact("reward head", reward(m));
    fact(
        "size",
        format!(
            "{:.1} MB in {} files",
            kilobytes as f64 / 1000.0,
            m.files.len()
        ),
    );
    fact("sum of the files (SHA-256)", m.sum());
    fact("data (SHA-256)", m.data_hash.clone());
    fact("trainer", m.trainer_version.clone());
    if let Some(run) = run {
        fact(
            "learned from",
            format!(
                "{} episodes, {} frames; {} episodes held out",
                run.train_episodes, run.train_frames, run.held_out_episodes
            ),
        );
        fact(
            "training",
            format!(
                "{} parameters, {:.0} s, seed {}, recipe {}",
                run.parameters, run.training_s, run.seed, run.recipe
            ),
        );
        if let (Some(loss), Some(step)) = (run.held_out_loss, run.held_out_step) {
            fact("held-out loss", format!("{loss:.4} after {step} steps"));
        }
    }
    out.push_str("\n## Gates\n| gate | measured | needed | passed | a model that fails | over |\n|---|---|---|---|---|---|\n");
    for rule in RULES {
        let gate = m.gates.get(rule.name);
        let value = gate
            .and_then(|gate| gate.value)
            .map_or("-".into(), |value| format!("{value:.3}"));
        let passed = match gate.and_then(|gate| gate.passed) {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        let note = gate.map_or("", |gate| gate.note.as_str());
        let _ = writeln!(
            out,
            "| {} | {value} | {} | {passed} | {} | {note} |",
            rule.name,
            needed(rule.name, gate),
            rule.failing_means
        );
    }
    out.push_str("\n## Success in closed loop\n");
    if evaluations.is_empty() {
        out.push_str("No evaluation was given with this card.\n");
    } else {
        out.push_str("| planner | episodes | solved, 95 % interval | scripted expert | time of a plan, p50 / p99 | when, where |\n|---|---|---|---|---|---|\n");
    }
    for evaluation in evaluations {
        out.push_str(&row(evaluation));
    }
    out.push_str("\n## Limits\n");
    let mut limit = |text: &str| {
        let _ = writeln!(out, "- {text}");
    };
    for shortcoming in shortcomings(m) {
        limit(&format!("{}.", shortcoming.trim_end_matches('.')));
    }
    match &m.surprise {
        Some(s) => limit(&format!(
            "What it does not know slows the robot above a score of {:.2} and stops it above {:.2}: at most {} false stops an hour of driving like \
             that of the calibration ({}, {:.1} h).",
            s.slow, s.stop, s.false_stops_per_hour, s.source, s.hours
        )),
        None => limit(
            "Surprise is not calibrated: the robot does not stop for a scene that the model does not know.",
        ),
    }
    limit(
        "It knows the camera, the scene, the light and the robot of its recordings, and nothing else.",
    );
    limit(
        "It is no safety function: limits and stops are the controller's, and your robot needs its own.",
    );
    out
}

fn listed(values: &[f32]) -> String {
    let texts: Vec<String> = values.iter().map(f32::to_string).collect();
    texts.join(", ")
}

fn reward(m: &Manifest) -> String {
    let kind = serde_json::to_value(m.reward.kind).unwrap_or_default();
    let mut text = format!(
        "{}, rewards from {} to {}",
        kind.as_str().unwrap_or_default(),
        m.reward.range.low,
        m.reward.range.high
    );
    if let Some(discount) = m.reward.discount {
        let _ = write!(text, ", foresees by {discount} a step");
    }
    if let Some(penalty) = &m.reward.penalty {
        let _ = write!(
            text,
            ", less up to {} where {} heads disagree",
            penalty.weight, penalty.heads
        );
    }
    text
}

/// One evaluation as a row of a table.
fn row(evaluation: &Value) -> String {
    let result = evaluation.get("result").unwrap_or(evaluation);
    let number = |field: &str| result[field].as_f64();
    let text =
        |value: Option<f64>, digits: usize| value.map_or("-".into(), |v| format!("{v:.digits$}"));
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let place: Vec<&str> = [
        &evaluation["date"],
        &evaluation["machine"],
        &evaluation["commit"],
    ]
    .into_iter()
    .filter_map(Value::as_str)
    .collect();
    format!(
        "| {} | {} | {} ({} to {}) | {} | {} / {} ms | {} |\n",
        word(&result["planner"]),
        text(number("episodes"), 0),
        text(number("success"), 2),
        text(number("success_low"), 2),
        text(number("success_high"), 2),
        text(number("expert_success"), 2),
        text(number("plan_ms_p50"), 1),
        text(number("plan_ms_p99"), 1),
        if place.is_empty() {
            "-".into()
        } else {
            place.join("; ")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use latco_models::read_manifest;
    use latco_testkit::paths::workspace;

    #[test]
    fn the_cards_of_the_shipped_bundles_are_what_is_written_now() {
        let figures = workspace().join("docs/figures");
        let mut checked = 0;
        for entry in std::fs::read_dir(workspace().join("models/bundles"))
            .unwrap()
            .flatten()
        {
            let folder = entry.path();
            let Ok(manifest) = read_manifest(&folder) else {
                continue;
            };
            let name = entry.file_name().to_string_lossy().into_owned();
            let figure = std::fs::read_to_string(figures.join(format!("eval-{name}.json"))).ok();
            let figure = figure.map(|text| serde_json::from_str(&text).unwrap());
            let written = std::fs::read_to_string(folder.join(CARD_FILE)).unwrap_or_default();
            assert_eq!(
                written,
                markdown(&name, &manifest, None, figure.as_slice()),
                "latco-train card models/bundles/{name} --eval docs/figures/eval-{name}.json writes it again"
            );
            checked += 1;
        }
        assert!(checked >= 5, "{checked}");
    }
}
