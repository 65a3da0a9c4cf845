//! `report.md` and `report.json` of a training run.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context as _;
use latco_models::ExpectedSurprise;
use serde::{Deserialize, Serialize};

use crate::fit::checkpoint::Checkpoint;
use crate::gates::Gate;
use crate::source::Source;

/// Name of the report for programs in the folder of a run.
pub const REPORT_FILE: &str = "report.json";

/// What a training run came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Name of the task.
    pub task: String,
    /// Recipe of the configuration.
    pub recipe: crate::fit::config::Recipe,
    /// Seed of the run.
    pub seed: u64,
    /// Number of episodes that were trained on.
    pub train_episodes: usize,
    /// Number of frames that were trained on.
    pub train_frames: usize,
    /// Number of episodes that were kept for the gates.
    pub held_out_episodes: usize,
    /// Number of scalars in the model.
    pub parameters: usize,
    /// Time spent training, s.
    pub training_s: f64,
    /// SHA-256 of the training frames.
    pub data_hash: String,
    /// What was wrong with single bags, each with the bag's name.
    #[serde(default)]
    pub problems: Vec<String>,
    /// The last held-out loss, of the weights in use; none without held-out episodes.
    #[serde(default)]
    pub held_out_loss: Option<f32>,
    /// Steps of the world model after which these weights were measured.
    #[serde(default)]
    pub held_out_step: Option<usize>,
    /// The gates, in the order in which they are measured.
    pub gates: Vec<Gate>,
    /// Whether all gates were measured and none failed.
    pub gates_passed: bool,
    /// How far posteriors are expected to be from their priors; none if that could not be calibrated.
    #[serde(default)]
    pub surprise: Option<ExpectedSurprise>,
    /// Largest difference between burn and ONNX Runtime; none before the export.
    #[serde(default)]
    pub export_worst_difference: Option<f64>,
}

impl Report {
    /// The report of a finished run.
    pub fn new(checkpoint: &Checkpoint, source: &Source, gates: Vec<Gate>) -> Self {
        let frozen = checkpoint.autoencoder.as_ref().map_or(0, |p| p.count());
        Self {
            task: checkpoint.facts.task.clone(),
            recipe: checkpoint.config.recipe,
            seed: checkpoint.seed,
            train_episodes: source.train.recorded_episodes(),
            train_frames: source.train.recorded_frames(),
            held_out_episodes: source.held_out.episodes(),
            parameters: checkpoint.params.count() + frozen,
            training_s: checkpoint.seconds,
            data_hash: checkpoint.facts.data_hash.clone(),
            problems: source.problems.clone(),
            held_out_loss: checkpoint.held_out.map(|h| h.loss),
            held_out_step: checkpoint.held_out.map(|h| h.step),
            gates_passed: !gates.is_empty() && gates.iter().all(|gate| gate.passed() == Some(true)),
            gates,
            surprise: None,
            export_worst_difference: None,
        }
    }

    /// Reads the `report.json` in the folder of a run, of this version or an earlier one.
    ///
    /// # Errors
    /// Those of the file system, and a file that is no report.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join(REPORT_FILE);
        let text = std::fs::read_to_string(&file).with_context(|| {
            format!(
                "expected the folder of a training, cannot read {}",
                file.display()
            )
        })?;
        serde_json::from_str(&text)
            .with_context(|| format!("{}: expected the report of a training", file.display()))
    }

    /// Writes `report.md` and `report.json` into a folder.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let json = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        std::fs::write(folder.join(REPORT_FILE), json + "\n")?;
        std::fs::write(folder.join("report.md"), self.markdown())
    }

    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!("# Training report: {}\n\n", self.task);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{} episodes ({} frames) trained on, {} held out; {} parameters; {:.0} s of training; seed {}.\n",
            self.train_episodes,
            self.train_frames,
            self.held_out_episodes,
            self.parameters,
            self.training_s,
            self.seed
        );
        out.push_str("| gate | measured | needed | passed | over |\n|---|---|---|---|---|\n");
        for gate in &self.gates {
            let value = gate
                .value
                .map_or("not measured".to_owned(), |v| format!("{v:.4}"));
            let sign = if gate.higher_is_better { ">=" } else { "<=" };
            let passed = match gate.passed() {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "-",
            };
            let _ = writeln!(
                out,
                "| {} | {value} | {sign} {} | {passed} | {} |",
                gate.name, gate.threshold, gate.note
            );
        }
        if let Some(worst) = self.export_worst_difference {
            let _ = writeln!(
                out,
                "\nLargest difference between burn and ONNX Runtime over all graphs: {worst:.1e}."
            );
        }
        if let (Some(loss), Some(step)) = (self.held_out_loss, self.held_out_step) {
            let _ = writeln!(out, "\nHeld-out loss after {step} steps: {loss:.4}.");
        }
        let _ = writeln!(out, "\nData: sha256 {}.", self.data_hash);
        if !self.problems.is_empty() {
            out.push_str("\nWhat was wrong with the bags:\n\n");
        }
        for problem in &self.problems {
            let _ = writeln!(out, "- {}", problem.replace('\n', " "));
        }
        out
    }
}
