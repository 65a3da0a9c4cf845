//! The table of a demonstration.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use super::options::{
    BAG, CONTROLLER_LOG, CURVES, DemoOptions, FILM, HISTOGRAM, PAGE, REPORT, REPORT_JSON, ROBOT_LOG,
};
use crate::controller::trace::{PlanFigures, RunTrace};
use crate::recorder::Recorded;

/// Figures of a demonstration, as `latco demo --json` prints them.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Number of episodes that came to their end.
    pub episodes: u64,
    /// Number of episodes that were solved.
    pub successes: u64,
    /// Number of plans that were made.
    pub plans: u64,
    /// Times and iterations over all plans.
    #[serde(flatten)]
    pub figures: PlanFigures,
    /// How often the planner stopped for each reason.
    pub stop_causes: Value,
    /// Number of plans that were ready later than their first new action should have begun.
    pub deadline_misses: u64,
    /// Number of messages on the command topic.
    pub commands_sent: u64,
    /// Number of commands that the robot followed.
    pub commands_received: u64,
    /// Number of camera images that the controller took.
    pub images: u64,
    /// Number of camera images that the controller refused.
    pub images_refused: u64,
    /// Number of solves that failed.
    pub failed_plans: u64,
    /// Number of steps of the simulated robot that began late, because the machine was too busy.
    pub late_robot_steps: u64,
    /// Number of messages in the bag.
    pub bag_messages: u64,
    /// Number of messages that the recorder dropped.
    pub bag_dropped: u64,
    /// Name of the planner.
    pub planner: String,
    /// Folder of the bundle.
    pub bundle: String,
    /// The ROS domain.
    pub domain: u16,
    /// Control period in ms.
    pub control_period_ms: f64,
    /// Folder of all results.
    pub output_dir: PathBuf,
    /// Results of the episodes, as the simulated robot reports them.
    pub results: Vec<Value>,
}

impl Report {
    /// Makes the report from what the robot and the controller printed, the controller's trace, and the
    /// recording.
    pub(super) fn new(
        options: &DemoOptions,
        robot: &str,
        controller: &str,
        trace: &RunTrace,
        recorded: &Recorded,
    ) -> anyhow::Result<Self> {
        let robot: Value =
            serde_json::from_str(robot).context("the summary of the simulated robot")?;
        let controller: Value =
            serde_json::from_str(controller).context("the summary of the controller")?;
        let count = |from: &Value, field: &str| {
            from[field]
                .as_u64()
                .with_context(|| format!("no number {field:?} in the summary of a process"))
        };
        Ok(Self {
            episodes: count(&robot, "episodes")?,
            successes: count(&robot, "successes")?,
            plans: count(&controller, "plans")?,
            figures: PlanFigures::new(trace),
            stop_causes: controller["stop_causes"].clone(),
            deadline_misses: count(&controller, "deadline_misses")?,
            commands_sent: count(&controller, "commands_sent")?,
            commands_received: count(&robot, "commands_received")?,
            images: count(&controller, "images")?,
            images_refused: count(&controller, "images_refused")?,
            failed_plans: count(&controller, "failed_plans")?,
            late_robot_steps: count(&robot, "late_steps")?,
            bag_messages: recorded.summary.messages,
            bag_dropped: recorded.dropped,
            planner: trace.planner.clone(),
            bundle: trace.bundle.clone(),
            domain: options.network.domain,
            control_period_ms: trace.period_ns as f64 * 1e-6,
            output_dir: options.out.clone(),
            results: robot["results"].as_array().cloned().unwrap_or_default(),
        })
    }

    fn stops(&self) -> String {
        let causes = self.stop_causes.as_object().into_iter().flatten();
        causes
            .map(|(cause, count)| format!("{cause} {count}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Rows of the table.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1} ms"));
        let whole = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.0}"));
        vec![
            (
                "episodes solved",
                format!("{} of {}", self.successes, self.episodes),
            ),
            ("plans", format!("{} by {}", self.plans, self.planner)),
            ("the planner stopped by", self.stops()),
            ("planning, median", ms(self.figures.plan_ms_p50)),
            ("planning, p99", ms(self.figures.plan_ms_p99)),
            (
                "iterations per plan, median",
                whole(self.figures.iterations_p50),
            ),
            (
                "iterations per plan, most",
                whole(self.figures.iterations_max),
            ),
            (
                "image stamp to command, median",
                ms(self.figures.stamp_to_command_ms_p50),
            ),
            (
                "image stamp to command, p99",
                ms(self.figures.stamp_to_command_ms_p99),
            ),
            (
                "deadline misses",
                format!("{} of {} plans", self.deadline_misses, self.plans),
            ),
            ("commands sent", self.commands_sent.to_string()),
            (
                "commands followed by the robot",
                self.commands_received.to_string(),
            ),
            (
                "images taken (refused)",
                format!("{} ({})", self.images, self.images_refused),
            ),
            (
                "late steps of the simulated robot",
                self.late_robot_steps.to_string(),
            ),
            (
                "messages in the bag (dropped)",
                format!("{} ({})", self.bag_messages, self.bag_dropped),
            ),
        ]
    }

    /// The table for a terminal.
    pub fn table(&self) -> String {
        let rows = self.rows();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in rows {
            let _ = writeln!(text, "{name:width$}  {value}");
        }
        let _ = write!(
            text,
            "{:width$}  {}",
            "pictures, bag, report",
            self.output_dir.display()
        );
        text
    }

    /// Writes `report.md` and `report.json`. `drawn` are remarks on the pictures.
    pub(super) fn write(&self, folder: &Path, drawn: &[String]) -> anyhow::Result<()> {
        let mut text = String::from("# Demonstration\n\n");
        let _ = writeln!(
            text,
            "Simulated robot and controller as two processes over DDS (domain {}, loopback interface), bundle `{}`, \
             control period {:.0} ms.\n\n| | |\n|---|---|",
            self.domain, self.bundle, self.control_period_ms
        );
        for (name, value) in self.rows() {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let _ = writeln!(
            text,
            "\n| episode | seed | solved | at step | steps |\n|---|---|---|---|---|"
        );
        for result in &self.results {
            let solved = if result["success"].as_bool() == Some(true) {
                "yes"
            } else {
                "no"
            };
            let at = result["solved_at_step"]
                .as_u64()
                .map_or("-".to_owned(), |s| s.to_string());
            let _ = writeln!(
                text,
                "| {} | {} | {solved} | {at} | {} |",
                result["episode"], result["seed"], result["steps"]
            );
        }
        let _ = writeln!(
            text,
            "\n![film strip]({FILM})\n\n![curves of one plan]({CURVES})\n\n![latency]({HISTOGRAM})\n"
        );
        for remark in drawn {
            let _ = writeln!(text, "- {remark}");
        }
        let _ = writeln!(
            text,
            "- The whole run, image by image: open `{PAGE}` in a browser.\n- Recording: `{BAG}` (`latco play {}`). Logs: `{ROBOT_LOG}`, `{CONTROLLER_LOG}`.",
            folder.join(BAG).display()
        );
        let _ = writeln!(
            text,
            "- Image stamp to command: from the stamp of a camera image to the time at which the middleware had taken \
             the first command that follows the plan made from it. A deadline is missed when a plan is ready after its \
             first new action should have begun."
        );
        std::fs::write(folder.join(REPORT), text).with_context(|| format!("writing {REPORT}"))?;
        let json = serde_json::to_string_pretty(self).context("the report as JSON")?;
        std::fs::write(folder.join(REPORT_JSON), json + "\n")
            .with_context(|| format!("writing {REPORT_JSON}"))
    }
}
