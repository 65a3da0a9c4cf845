//! The table of `latco plan`.

use std::path::PathBuf;

use latco_controller::plan::PlanReport;
use serde::Serialize;

/// The table, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    /// Folder of the bundle.
    pub(super) bundle: PathBuf,
    pub(super) task: Option<String>,
    pub(super) bag: Option<PathBuf>,
    pub(super) planner: &'static str,
    /// Number of images that the belief was made from.
    pub(super) images: usize,
    pub(super) plan_ms: f64,
    #[serde(flatten)]
    pub(super) report: PlanReport,
    /// Whether the executed actions are those of a start, by its kind, or of an iterate.
    pub(super) executed_candidate: &'static str,
    /// Largest squared dynamics violation over the steps of the executed plan's last iterate; `None` for a planner that plans
    /// no states.
    pub(super) violation_max: Option<f32>,
    /// Mean of that violation over the steps.
    pub(super) violation_mean: Option<f32>,
    /// Best predicted return of the iterates, their actions clipped and rolled out.
    pub(super) iterates_best_return: Option<f32>,
    /// Best predicted return of the sampled sequences that plans start from.
    pub(super) sampled_best_return: Option<f32>,
    /// Where the goal picture is; `None` without one.
    pub(super) goal: Option<GoalRow>,
    /// Rewards after each step as the model predicts them.
    pub(super) predicted_rewards: Vec<f32>,
    /// Sum of the rewards of the simulated robot under the plan's actions, open loop.
    pub(super) true_return: Option<f64>,
    /// Rewards of the simulated robot after each step.
    pub(super) true_rewards: Option<Vec<f64>>,
    /// First step after which the simulated robot's task was solved.
    pub(super) solved_at_step: Option<usize>,
    /// Folder of the pictures; `None` where this build draws none.
    pub(super) output_dir: Option<PathBuf>,
}

/// The goal of a plan.
#[derive(Debug, Serialize)]
pub(super) struct GoalRow {
    /// Distance of the belief that the plan begins with from the goal's, see `Goal::distance`.
    pub(super) distance: f32,
    /// Distance of the state that the model says the plan's actions lead to.
    pub(super) distance_at_end: f32,
    /// Positions of the joints at the goal in rad, given or seen by the model.
    pub(super) joints: Vec<f32>,
    /// Mean difference of the picture from what the decoder draws of its belief, in units of full brightness.
    pub(super) picture_error: f32,
}

impl Table {
    /// The table for a terminal.
    pub(super) fn text(&self) -> String {
        let report = &self.report;
        let mut rows = vec![
            ("planner", self.planner.to_owned()),
            ("images in the belief", self.images.to_string()),
            ("stopped by", report.stop.name().to_owned()),
            (
                "iterations",
                format!("{} of {} plans", report.iterations, report.plans),
            ),
            ("executed", report.executed()),
            ("time", format!("{:.1} ms", self.plan_ms)),
            (
                "predicted return",
                format!("{:.3}", report.predicted_return),
            ),
        ];
        if let Some(goal) = &self.goal {
            let (now, end) = (goal.distance, goal.distance_at_end);
            let joints: Vec<String> = goal.joints.iter().map(|q| format!("{q:.3}")).collect();
            rows.extend([
                (
                    "distance to the goal",
                    format!("{now:.3}, at the end {end:.3}"),
                ),
                ("joints at the goal", joints.join(", ")),
            ]);
        }
        if let Some(value) = self.true_return {
            rows.push(("true return, open loop", format!("{value:.3}")));
            let solved = self
                .solved_at_step
                .map_or("no".to_owned(), |step| format!("after step {step}"));
            rows.push(("solved", solved));
        }
        rows.push((
            "dynamics violation",
            format!("{:.2e}", report.dynamics_violation),
        ));
        rows.push((
            "action violation",
            format!("{:.2e}", report.action_violation),
        ));
        if let Some(folder) = &self.output_dir {
            rows.push(("pictures", folder.display().to_string()));
        }
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = rows
            .iter()
            .map(|(name, value)| format!("{name:width$}  {value}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}
