//! The heartbeat: `~/status`, and the figures of a run.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use latco_bag::messages::{DiagnosticStatus, KeyValue};
use latco_controller::execute::StopReason;
use latco_models::Declined;
use serde::Serialize;

use super::intake::Counters;
use super::sink::MotionStatus;
use super::trace::PlanFigures;
use crate::managed::lifecycle::State;

/// Figures of a run of the controller node, as `latco run --json` prints them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunSummary {
    /// Name of the planner.
    pub planner: String,
    /// Execution provider of the model.
    pub provider: String,
    /// Providers that were preferred to it and cannot be used, with the reasons.
    pub providers_declined: Vec<Declined>,
    /// Number of images that were taken.
    pub images: u64,
    /// Number of images that were refused: wrong step or encoding, damaged, truncated, or not decodable.
    pub images_refused: u64,
    /// Number of images that a newer one overtook before they were converted.
    pub images_overtaken: u64,
    /// Number of images that arrived whole and that the belief refused, by their stamps or for want of joint states.
    pub images_unused: u64,
    /// The last reason for which an image was refused; empty without.
    pub last_image_error: String,
    /// Number of joint states that were taken.
    pub joint_states: u64,
    /// Number of joint states that were refused: not finite, joints missing or doubled, or not decodable.
    pub joint_states_refused: u64,
    /// The last reason for which a joint state was refused; empty without.
    pub last_joints_error: String,
    /// Number of episodes begun by the topic or the reset service.
    pub resets: u64,
    /// Number of plans that were made.
    pub plans: u64,
    /// Number of solves that failed; the plan before, shifted, was followed.
    pub failed_plans: u64,
    /// How often the planner stopped for each reason.
    pub stop_causes: BTreeMap<&'static str, u64>,
    /// Times and iterations over all plans.
    #[serde(flatten)]
    pub figures: PlanFigures,
    /// Number of plans that were ready later than their first new action should have begun.
    pub deadline_misses: u64,
    /// Number of messages on the command topic.
    pub commands_sent: u64,
    /// Number of commands that found the queue full, or that the middleware refused.
    pub commands_lost: u64,
    /// Number of set-points that a limit of the robot changed.
    pub limited: u64,
    /// Number of ticks of the executor that began more than a period late.
    pub late_ticks: u64,
    /// Number of times that the clock jumped and belief and plan began anew.
    pub clock_jumps: u64,
    /// Number of joint samples that the executor refused.
    pub executor_refused: u64,
    /// Number of inferences made only to keep a GPU awake.
    pub keep_alive_runs: u64,
    /// What was asked of the system and refused: priority, memory in place, processors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system_refused: Vec<String>,
    /// How often each fault was injected that the node was told to inject.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub injected: BTreeMap<&'static str, u64>,
}

/// State of the node, from which the heartbeat is made.
pub(super) struct Now<'a> {
    pub(super) name: &'a str,
    /// The bundle's task; empty while there is none.
    pub(super) hardware: &'a str,
    pub(super) state: State,
    /// The reason why the last transition that was tried failed, or what broke; empty without.
    pub(super) failure: &'a str,
    pub(super) estopped: bool,
    pub(super) final_word: Option<&'a str>,
    pub(super) motion: Option<&'a MotionStatus>,
    pub(super) summary: &'a RunSummary,
}

impl Now<'_> {
    /// The level of the status, and a line that says how the node is.
    pub(super) fn verdict(&self) -> (u8, String) {
        if let Some(word) = self.final_word {
            return (DiagnosticStatus::STALE, word.to_owned());
        }
        if self.state == State::Active {
            let stop = self
                .motion
                .map_or(Some(StopReason::NoPlan), MotionStatus::stop_reason);
            return match stop {
                None => (DiagnosticStatus::OK, "following the plan".to_owned()),
                Some(reason) => (level(reason), format!("stopped: {}", reason.name())),
            };
        }
        let mut message = self.state.to_string();
        if self.estopped {
            message += ", emergency stop latched";
        }
        if !self.failure.is_empty() {
            message = format!("{message}: {}", self.failure);
        }
        let level = if self.estopped || !self.failure.is_empty() {
            DiagnosticStatus::ERROR
        } else {
            DiagnosticStatus::OK
        };
        (level, message)
    }
}

impl RunSummary {
    /// The injected faults in a line: name and number of each.
    pub(super) fn injected_faults(&self) -> String {
        let all = self.injected.iter().map(|(name, n)| format!("{name} {n}"));
        all.collect::<Vec<_>>().join(", ")
    }

    /// Takes over the counts of what arrived.
    pub(super) fn count(&mut self, counters: &Counters) {
        self.images = Counters::get(&counters.images);
        self.images_refused = Counters::get(&counters.images_refused);
        self.images_overtaken = Counters::get(&counters.images_overtaken);
        self.images_unused = Counters::get(&counters.images_unused);
        self.joint_states = Counters::get(&counters.joint_states);
        self.joint_states_refused = Counters::get(&counters.joint_states_refused);
        let text =
            |m: &std::sync::Mutex<String>| m.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.last_image_error = text(&counters.last_image_error);
        self.last_joints_error = text(&counters.last_joints_error);
    }
}

/// Makes the heartbeat message.
pub(super) fn status(now: &Now<'_>) -> DiagnosticStatus {
    let summary = now.summary;
    let (level, message) = now.verdict();
    let moving = now.motion.is_some_and(MotionStatus::is_moving);
    let mut values = vec![
        ("provider", summary.provider.clone()),
        ("state", now.state.to_string()),
        ("moving", moving.to_string()),
        ("images", summary.images.to_string()),
        ("images_refused", summary.images_refused.to_string()),
        ("images_overtaken", summary.images_overtaken.to_string()),
        ("images_unused", summary.images_unused.to_string()),
        ("joint_states", summary.joint_states.to_string()),
        (
            "joint_states_refused",
            summary.joint_states_refused.to_string(),
        ),
        ("plans", summary.plans.to_string()),
        ("failed_plans", summary.failed_plans.to_string()),
        ("deadline_misses", summary.deadline_misses.to_string()),
        ("commands_sent", summary.commands_sent.to_string()),
        ("commands_lost", summary.commands_lost.to_string()),
        ("limited", summary.limited.to_string()),
        ("late_ticks", summary.late_ticks.to_string()),
        ("clock_jumps", summary.clock_jumps.to_string()),
        ("executor_refused", summary.executor_refused.to_string()),
        ("resets", summary.resets.to_string()),
        ("keep_alive_runs", summary.keep_alive_runs.to_string()),
    ];
    if !summary.providers_declined.is_empty() {
        let names = summary
            .providers_declined
            .iter()
            .map(|d| d.provider.to_string());
        values.push(("providers_declined", names.collect::<Vec<_>>().join(",")));
    }
    if !summary.system_refused.is_empty() {
        values.push(("system_refused", summary.system_refused.join("; ")));
    }
    if !summary.injected.is_empty() {
        values.push(("injected_faults", summary.injected_faults()));
    }
    for (key, error) in [
        ("last_image_error", &summary.last_image_error),
        ("last_joints_error", &summary.last_joints_error),
    ] {
        if !error.is_empty() {
            values.push((key, error.clone()));
        }
    }
    DiagnosticStatus {
        level,
        name: now.name.to_owned(),
        message,
        hardware_id: now.hardware.to_owned(),
        values: values
            .into_iter()
            .map(|(key, value)| KeyValue {
                key: key.to_owned(),
                value,
            })
            .collect(),
    }
}

fn level(reason: StopReason) -> u8 {
    match reason {
        StopReason::NoPlan
        | StopReason::PlanEnded
        | StopReason::Surprised
        | StopReason::Deactivated => DiagnosticStatus::WARN,
        StopReason::CameraSilent | StopReason::JointsSilent | StopReason::ClockSilent => {
            DiagnosticStatus::STALE
        }
        StopReason::PlannerFailed | StopReason::EmergencyStop => DiagnosticStatus::ERROR,
    }
}
