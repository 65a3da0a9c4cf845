//! The heartbeat: `~/status`, and the figures of a run.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use latco_bag::messages::{DiagnosticStatus, KeyValue};
use latco_controller::Config;
use latco_controller::config::{PlannerKind, SurpriseAction};
use latco_controller::execute::{Action, Decision, StopReason};
use latco_controller::plan::GOAL_REACHED;
use latco_controller::safety::Surprise;
use latco_controller::safety::monitors::EXECUTOR_LIMIT;
use latco_models::{Declined, Manifest};
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
    /// Number of messages on `~/keep_out` that moved the regions to keep out of.
    pub regions_moved: u64,
    /// Number of messages on `~/keep_out` that were refused.
    pub regions_refused: u64,
    /// The last reason for which a message on `~/keep_out` was refused; empty without.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_keep_out_error: String,
    /// Number of pictures on `~/goal_image` that were taken.
    pub goals_taken: u64,
    /// Number of pictures on `~/goal_image` that were refused.
    pub goals_refused: u64,
    /// The last reason for which a goal picture was refused; empty without.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_goal_error: String,
    /// How far the newest belief is from the goal; `None` without one.
    pub goal: Option<GoalFigures>,
    /// Number of episodes begun by the topic or the reset service.
    pub resets: u64,
    /// Number of plans that were made.
    pub plans: u64,
    /// Number of solves that failed; the plan before, shifted, was followed.
    pub failed_plans: u64,
    /// Number of plans without a completed iteration.
    pub plans_without_iteration: u64,
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
    /// Number of plans that were refused as a whole before they were followed.
    pub plans_refused: u64,
    /// Number of plans with velocities beyond the limits, which were saturated.
    pub plans_saturated: u64,
    /// Number of plans that began more than the highest speed away from the velocity at that moment.
    pub plan_jumps: u64,
    /// Number of inferences made only to keep a GPU awake.
    pub keep_alive_runs: u64,
    /// How far images were from what the model predicted; `None` for a bundle without calibration.
    pub surprise: Option<SurpriseFigures>,
    /// What was asked of the system and refused: priority, memory in place, processors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system_refused: Vec<String>,
    /// How often each fault was injected that the node was told to inject.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub injected: BTreeMap<&'static str, u64>,
}

/// How far the belief is from that of the goal picture.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GoalFigures {
    /// Root of the mean squared difference of the two states.
    pub distance: f32,
    /// Whether that is as little as between pictures of one scene.
    pub reached: bool,
    /// Number of images whose belief was that near.
    pub images_at_goal: u64,
}

impl GoalFigures {
    /// The figures after an image; `before` are those until then.
    pub(super) fn after(before: Option<Self>, distance: f32) -> Self {
        let reached = distance < GOAL_REACHED;
        Self {
            distance,
            reached,
            images_at_goal: before.map_or(0, |b| b.images_at_goal) + u64::from(reached),
        }
    }
}

/// How far images were from what the model predicted.
#[derive(Clone, Debug, Serialize)]
pub struct SurpriseFigures {
    /// Score above which the robot is slowed.
    pub slow_above: f32,
    /// Score above which it is stopped.
    pub stop_above: f32,
    /// Whether it is slowed and stopped; it is only reported otherwise.
    pub acts: bool,
    /// Score of the newest image; `None` where the belief began anew or images were missing.
    pub score: Option<f32>,
    /// What the newest images ask for.
    pub level: Surprise,
    /// Number of images with a score above the lower threshold.
    pub surprising_images: u64,
}

impl SurpriseFigures {
    /// The figures after an image with this score, which asks for `level`; `None` for a bundle without calibration. `before` are
    /// those until then. Says so where more is asked for than before.
    pub(super) fn after(
        before: Option<&Self>,
        (config, manifest): (&Config, &Manifest),
        score: Option<f32>,
        level: Surprise,
    ) -> Option<Self> {
        let expected = manifest.surprise.as_ref()?;
        // A score that is no number is surprising.
        let surprising = score.is_some_and(|score| score.is_nan() || score > expected.slow);
        let figures = Self {
            slow_above: expected.slow,
            stop_above: expected.stop,
            acts: config.control.surprise == SurpriseAction::Stop && expected.may_stop(),
            score,
            level,
            surprising_images: before.map_or(0, |b| b.surprising_images) + u64::from(surprising),
        };
        if level > before.map_or(Surprise::Expected, |before| before.level) {
            tracing::warn!("{}", figures.text());
        }
        Some(figures)
    }

    /// What the camera shows, in a line.
    pub(super) fn text(&self) -> String {
        let (score, acts) = (self.score.unwrap_or(f32::NAN), self.acts);
        match self.level {
            Surprise::Slow => format!(
                "what the camera shows is hardly what the model predicted: score {score:.2}, {} above {:.2}",
                if acts {
                    "the robot is slow"
                } else {
                    "only reported"
                },
                self.slow_above
            ),
            Surprise::Stop => format!(
                "what the camera shows is not what the model predicted: {} above {:.2}, newest score {score:.2}; ~/reset goes on",
                if acts {
                    "the robot is stopped"
                } else {
                    "only reported"
                },
                self.stop_above
            ),
            Surprise::Expected => "what the camera shows is what the model predicted".to_owned(),
        }
    }
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
    /// Time since the executor's last set-point, where it should make some.
    pub(super) executor_silence: Option<Duration>,
    pub(super) summary: &'a RunSummary,
}

impl Now<'_> {
    /// What is done about the faults that hold.
    pub(super) fn decision(&self) -> Decision {
        (self.motion).map_or_else(
            || MotionStatus::default().decision(),
            MotionStatus::decision,
        )
    }

    /// The level of the status, and a line that says how the node is.
    pub(super) fn verdict(&self) -> (u8, String) {
        if let Some(word) = self.final_word {
            return (DiagnosticStatus::STALE, word.to_owned());
        }
        if self.state == State::Active {
            if let Some(silence) = self.executor_silence.filter(|time| *time > EXECUTOR_LIMIT) {
                let message = format!(
                    "executor_stalled: no set-point for {:.1} s; the robot's own controllers have to stop it",
                    silence.as_secs_f64()
                );
                return (DiagnosticStatus::ERROR, message);
            }
            return words(self.decision());
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

/// Number of plans after which a planner that has not completed an iteration is told of.
pub(super) const FEW_PLANS: u64 = 20;

impl RunSummary {
    /// What to do where the first plans have no iteration: nothing was planned then but the plan before, shifted.
    pub(super) fn no_iteration(&self) -> Option<String> {
        let none = self.plans >= FEW_PLANS && self.plans_without_iteration == self.plans;
        let iterates = self.planner != PlannerKind::SamplingOnly.name();
        (none && iterates).then(|| {
            format!(
                "none of {} plans completed an iteration of {}: the time that planner.budget_ms gives is too short for one; raise it, \
                 or make iterations smaller (planner.cem.samples for cem and mppi, horizon in training)",
                self.plans, self.planner
            )
        })
    }

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
        self.regions_moved = Counters::get(&counters.regions_moved);
        self.regions_refused = Counters::get(&counters.regions_refused);
        self.goals_taken = Counters::get(&counters.goals_taken);
        self.goals_refused = Counters::get(&counters.goals_refused);
        self.last_goal_error = text(&counters.last_goal_error);
        self.last_keep_out_error = text(&counters.last_keep_out_error);
    }
}

/// Makes the heartbeat message.
pub(super) fn status(now: &Now<'_>) -> DiagnosticStatus {
    let summary = now.summary;
    let (level, message) = now.verdict();
    let decision = now.decision();
    let moving = now.motion.is_some_and(MotionStatus::is_moving);
    let mut values = vec![
        ("provider", summary.provider.clone()),
        ("state", now.state.to_string()),
        ("moving", moving.to_string()),
        ("action", decision.action.name().to_owned()),
        (
            "reason",
            decision.reason.map_or("-", StopReason::name).to_owned(),
        ),
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
        ("plans_refused", summary.plans_refused.to_string()),
        ("plans_saturated", summary.plans_saturated.to_string()),
        ("plan_jumps", summary.plan_jumps.to_string()),
        ("regions_moved", summary.regions_moved.to_string()),
        ("regions_refused", summary.regions_refused.to_string()),
        ("resets", summary.resets.to_string()),
        ("keep_alive_runs", summary.keep_alive_runs.to_string()),
    ];
    if let Some(surprise) = &summary.surprise {
        let score = surprise
            .score
            .map_or("-".to_owned(), |score| format!("{score:.2}"));
        values.extend([
            ("surprise", surprise.level.name().to_owned()),
            ("surprise_score", score),
            ("surprising_images", surprise.surprising_images.to_string()),
        ]);
    }
    if let Some(goal) = summary.goal {
        values.extend([
            ("goal_distance", format!("{:.3}", goal.distance)),
            ("goal_reached", goal.reached.to_string()),
            ("goals_taken", summary.goals_taken.to_string()),
        ]);
    }
    if summary.goals_refused > 0 {
        values.push(("goals_refused", summary.goals_refused.to_string()));
    }
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
        ("last_keep_out_error", &summary.last_keep_out_error),
        ("last_goal_error", &summary.last_goal_error),
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

/// The level of a decision, and a line that says it.
fn words(decision: Decision) -> (u8, String) {
    let Some(reason) = decision.reason else {
        return (DiagnosticStatus::OK, "following the plan".to_owned());
    };
    let name = reason.name();
    let message = match decision.action {
        Action::Nothing | Action::Warn => format!("following the plan: {name}"),
        Action::Slow => format!("following the plan slowly: {name}"),
        Action::HoldPlan => format!("following an older plan to its end, slowly: {name}"),
        Action::LatchedStop if reason != StopReason::EmergencyStop => {
            format!("stopped: {name}, again and again: latched until ~/reset")
        }
        Action::Stop | Action::LatchedStop => format!("stopped: {name}"),
    };
    let level = match reason {
        _ if decision.action == Action::LatchedStop => DiagnosticStatus::ERROR,
        StopReason::ImagesUnused
        | StopReason::CameraSilent
        | StopReason::JointsSilent
        | StopReason::ClockSilent
        | StopReason::ImageFrozen => DiagnosticStatus::STALE,
        StopReason::NotFollowing | StopReason::PlannerStalled | StopReason::PlannerFailed => {
            DiagnosticStatus::ERROR
        }
        _ => DiagnosticStatus::WARN,
    };
    (level, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planner_that_completes_no_iteration_is_told_of_after_a_few_plans() {
        let told = |plans, plans_without_iteration, planner: &str| {
            let summary = RunSummary {
                plans,
                plans_without_iteration,
                planner: planner.to_owned(),
                ..RunSummary::default()
            };
            summary.no_iteration().is_some()
        };
        assert!(told(FEW_PLANS, FEW_PLANS, "cem"));
        assert!(!told(FEW_PLANS - 1, FEW_PLANS - 1, "cem"));
        assert!(!told(FEW_PLANS, FEW_PLANS - 1, "mppi"));
        assert!(!told(FEW_PLANS, FEW_PLANS, "sampling_only"));
    }
}
