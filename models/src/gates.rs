//! The gates: what a model must be able to do before plans on it can be trusted.
//!
//! The trainer measures them and writes them into the manifest; whoever plans with the bundle is told which failed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::error::BundleError;
use crate::manifest::{Gate, Manifest};
use crate::manifest_file::read_manifest;
use crate::seal::write_manifest;

/// One gate: its name in the manifest and the value that is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Name in the manifest, with the unit if there is one.
    pub name: &'static str,
    /// Value that the measured one is compared with.
    pub threshold: f64,
    /// Whether larger values are better.
    pub higher_is_better: bool,
    /// Description of what a model that fails does wrong.
    pub failing_means: &'static str,
}

/// Area under the curve with which the reward of a frame is told from its posterior state.
pub const POSTERIOR_REWARD_AUC: Rule = Rule {
    name: "posterior_reward_auc",
    threshold: 0.99,
    higher_is_better: true,
    failing_means: "it does not see when the task is solved",
};

/// Area under the curve with which the reward is told from states predicted 15 steps ahead without seeing
/// anything.
pub const OPEN_LOOP_REWARD_AUC: Rule = Rule {
    name: "open_loop_reward_auc",
    threshold: 0.95,
    higher_is_better: true,
    failing_means: "it does not foresee when the task is solved",
};

/// Mean absolute error in rad of the joint positions in states predicted 15 steps ahead.
pub const OPEN_LOOP_JOINT_ERROR: Rule = Rule {
    name: "open_loop_joint_error_rad",
    threshold: 0.07,
    higher_is_better: false,
    failing_means: "it does not foresee how the arm moves",
};

/// Mean distance in m between an object and where a small network reads it off the image features, of the
/// worst object.
pub const OBJECT_POSITION_ERROR: Rule = Rule {
    name: "object_position_error",
    threshold: 0.03,
    higher_is_better: false,
    failing_means: "it does not see where things are",
};

/// Mean reward that is predicted to be paid along action sequences that solve the task, where it is paid. They begin as many
/// steps before as plans are long.
pub const EXPERT_PREDICTED_REWARD: Rule = Rule {
    name: "expert_predicted_reward",
    threshold: 0.8,
    higher_is_better: true,
    failing_means: "it does not believe in plans that work",
};

/// True over predicted reward of the planner's own plans, executed to their end without looking. This is what tasks of several
/// stages need; those of one stage need more, which their manifests say.
pub const PLAN_CALIBRATION: Rule = Rule {
    name: "plan_calibration",
    threshold: 0.5,
    higher_is_better: true,
    failing_means: "its plans do not do what they promise",
};

/// All gates, in the order in which they are shown.
pub const RULES: [Rule; 6] = [
    POSTERIOR_REWARD_AUC,
    OPEN_LOOP_REWARD_AUC,
    OPEN_LOOP_JOINT_ERROR,
    OBJECT_POSITION_ERROR,
    EXPERT_PREDICTED_REWARD,
    PLAN_CALIBRATION,
];

impl Rule {
    /// Whether a value is good enough.
    pub fn passes(&self, value: f64) -> bool {
        if self.higher_is_better {
            value >= self.threshold
        } else {
            value <= self.threshold
        }
    }

    /// The value that is needed, as text, for example `>= 0.99`.
    pub fn needed(&self) -> String {
        let sign = if self.higher_is_better { ">=" } else { "<=" };
        format!("{sign} {}", self.threshold)
    }

    /// The rule by which a gate was measured, whose threshold may be that of its task.
    fn of(self, gate: Option<&Gate>) -> Self {
        let threshold = gate.map_or(self.threshold, |gate| gate.threshold);
        Self { threshold, ..self }
    }

    /// The gate for a measured value; it counts as not measured with `None` or a value that is not finite.
    pub fn gate(&self, value: Option<f64>, note: impl Into<String>) -> Gate {
        let value = value.filter(|value| value.is_finite());
        Gate {
            value,
            threshold: self.threshold,
            passed: value.map(|value| self.passes(value)),
            note: note.into(),
        }
    }
}

/// The shortcomings of a bundle's gates, one sentence each: those that failed and those that were not
/// measured. It is empty if plans on the bundle can be trusted as far as gates can tell.
pub fn shortcomings(manifest: &Manifest) -> Vec<String> {
    RULES
        .iter()
        .filter_map(|rule| match manifest.gates.get(rule.name) {
            Some(Gate {
                value: Some(value),
                passed: Some(false),
                ..
            }) => Some(format!(
                "gate {} failed: {value:.3}, needed {}: {}",
                rule.name,
                rule.of(manifest.gates.get(rule.name)).needed(),
                rule.failing_means
            )),
            Some(Gate {
                passed: Some(_), ..
            }) => None,
            Some(gate) => Some(format!(
                "gate {} was not measured ({})",
                rule.name,
                reason(&gate.note)
            )),
            None => Some(format!(
                "gate {} was not measured; `latco-train gates --measure` does it",
                rule.name
            )),
        })
        .collect()
}

fn reason(note: &str) -> &str {
    match note.strip_prefix("not measured: ").unwrap_or(note) {
        "" => "no reason is given",
        reason => reason,
    }
}

/// The gates as lines for a terminal: name, value, what is needed, verdict.
pub fn lines(manifest: &Manifest) -> Vec<String> {
    let known = RULES.iter().map(|rule| rule.name);
    let others = (manifest.gates.keys().map(String::as_str))
        .filter(|name| RULES.iter().all(|rule| rule.name != *name));
    known
        .chain(others)
        .map(|name| {
            let gate = manifest.gates.get(name);
            let needed = needed(name, gate);
            match gate {
                Some(Gate {
                    value: Some(value),
                    passed: Some(passed),
                    note,
                    ..
                }) => {
                    let verdict = if *passed { "passed" } else { "FAILED" };
                    let text = format!("{name:28} {value:8.4}  {needed:8} {verdict}  {note}");
                    text.trim_end().to_owned()
                }
                other => {
                    let why = other.map_or("", |gate| gate.note.as_str());
                    let text = format!("{name:28} {:>8}  {needed:8} not measured  {}", "-", {
                        why.strip_prefix("not measured: ").unwrap_or(why)
                    });
                    text.trim_end().to_owned()
                }
            }
        })
        .collect()
}

/// The value that a gate needs, as text; empty for a gate that is neither known nor measured.
pub fn needed(name: &str, gate: Option<&Gate>) -> String {
    match RULES.iter().find(|rule| rule.name == name) {
        Some(rule) => rule.of(gate).needed(),
        None => gate.map_or(String::new(), |gate| gate.threshold.to_string()),
    }
}

/// The gates of several bundles as a Markdown table: a row for every gate, a column for every bundle, failing
/// values in bold, and a line that names the failing ones.
pub fn markdown(bundles: &[(String, Manifest)]) -> String {
    let mut out = "| gate | needed |".to_owned();
    for (name, _) in bundles {
        // Writing to a string cannot fail.
        let _ = write!(out, " {name} |");
    }
    out.push_str("\n|---|---|");
    out.push_str(&"---|".repeat(bundles.len()));
    let mut failed = Vec::new();
    for rule in RULES {
        let mut needed: Vec<String> = (bundles.iter())
            .map(|(_, manifest)| rule.of(manifest.gates.get(rule.name)).needed())
            .collect();
        needed.sort();
        needed.dedup();
        let _ = write!(out, "\n| {} | {} |", rule.name, needed.join(", "));
        for (name, manifest) in bundles {
            let gate = manifest.gates.get(rule.name);
            match gate.and_then(|gate| Some((gate.value?, gate.passed?))) {
                Some((value, true)) => {
                    let _ = write!(out, " {value:.3} |");
                }
                Some((value, false)) => {
                    let _ = write!(out, " **{value:.3}** |");
                    failed.push(format!("{} of {name}", rule.name));
                }
                None => out.push_str(" not measured |"),
            }
        }
    }
    out.push_str("\n\n");
    match failed.as_slice() {
        [] => out.push_str("No measured gate failed.\n"),
        failed => {
            let _ = writeln!(out, "Failing: {}.", failed.join(", "));
        }
    }
    out
}

/// Replaces the gates in the manifest of the bundle in folder `dir`, see [`rewrite`].
///
/// # Errors
/// [`BundleError`] when the manifest cannot be read or written.
pub fn write(dir: &Path, gates: BTreeMap<String, Gate>) -> Result<Manifest, BundleError> {
    rewrite(dir, |manifest| manifest.gates = gates)
}

/// Changes what was measured of the bundle in folder `dir` in its manifest. The other files and their sums stay as they are; an
/// interruption leaves the former manifest.
///
/// # Errors
/// [`BundleError`] when the manifest cannot be read or written.
pub fn rewrite(dir: &Path, change: impl FnOnce(&mut Manifest)) -> Result<Manifest, BundleError> {
    let mut manifest = read_manifest(dir)?;
    change(&mut manifest);
    let error = |reason: String| BundleError::Manifest {
        dir: dir.to_path_buf(),
        reason,
    };
    let contradictions = manifest.contradictions();
    if !contradictions.is_empty() {
        return Err(error(format!(
            "would be contradictory: {}",
            contradictions.join("; ")
        )));
    }
    write_manifest(dir, &manifest).map_err(|e| error(format!("cannot be written: {e}")))?;
    Ok(manifest)
}
