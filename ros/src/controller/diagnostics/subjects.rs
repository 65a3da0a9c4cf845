//! The subjects of `/diagnostics` beside the inputs.

use latco_bag::messages::DiagnosticStatus;
use latco_controller::execute::StopReason;
use latco_controller::safety::Surprise;

use super::facts::{Facts, Fresh};
use crate::controller::status::RunSummary;
use crate::managed::diagnostics::Part;
use crate::managed::lifecycle::State;
use crate::middleware::Services;

pub(super) fn lifecycle(facts: &Facts<'_>) -> Part {
    let now = facts.now;
    let level = if now.failure.is_empty() && now.final_word.is_none() {
        DiagnosticStatus::OK
    } else {
        DiagnosticStatus::ERROR
    };
    let mut message = now.state.to_string();
    if !now.failure.is_empty() {
        message = format!("{message}: {}", now.failure);
    }
    let mut part = Part::new("lifecycle", level, message);
    part.add("state", now.state);
    part.add("emergency_stop", now.estopped);
    part.add("bundle", &facts.config.bundle.path);
    if !facts.pending.is_empty() {
        part.add("parameters_at_next_configure", facts.pending.join(" "));
    }
    part
}

pub(super) fn planner(facts: &Facts<'_>, fresh: &Fresh) -> Part {
    let summary = facts.now.summary;
    let reason = facts.now.decision().reason;
    let (level, message) = if facts.now.state != State::Active {
        (
            DiagnosticStatus::OK,
            format!("does not plan while {}", facts.now.state),
        )
    } else if reason == Some(StopReason::PlannerStalled) {
        let text =
            "the planner thread leaves images waiting: it is held up, or a plan does not end";
        (DiagnosticStatus::ERROR, text.to_owned())
    } else if reason == Some(StopReason::PlannerFailed) {
        let text = "gave up after repeated failures; ~/reset lets it try again";
        (DiagnosticStatus::ERROR, text.to_owned())
    } else if fresh.failed > 0 {
        let text = format!("{} solves failed in the last second", fresh.failed);
        (DiagnosticStatus::WARN, text)
    } else if fresh.misses > 0 {
        let text = format!("{} plans were late in the last second", fresh.misses);
        (DiagnosticStatus::WARN, text)
    } else if let Some(text) = summary.no_iteration() {
        (DiagnosticStatus::WARN, text)
    } else if fresh.plan_rate == 0.0 {
        (
            DiagnosticStatus::WARN,
            "no plan in the last second".to_owned(),
        )
    } else {
        (DiagnosticStatus::OK, "plans".to_owned())
    };
    let mut part = Part::new("planner", level, message);
    part.add("planner", &summary.planner);
    part.add("provider", &summary.provider);
    part.add("rate_hz", format!("{:.1}", fresh.plan_rate));
    let times = facts.recent.map(|recent| &recent.plan_ms);
    part.add_ms("plan_ms_p50", times, 0.5);
    part.add_ms("plan_ms_p99", times, 0.99);
    let budget = facts.config.planner.budget_ms;
    part.add(
        "budget_ms",
        budget.map_or("-".to_owned(), |ms| ms.to_string()),
    );
    part.add("plans", summary.plans);
    part.add("failed_plans", summary.failed_plans);
    part.add("plans_without_iteration", summary.plans_without_iteration);
    part.add("deadline_misses", summary.deadline_misses);
    for (cause, count) in &summary.stop_causes {
        part.add(&format!("stopped_by_{cause}"), count);
    }
    part
}

pub(super) fn executor(facts: &Facts<'_>, fresh: &Fresh) -> Part {
    let (now, summary) = (facts.now, facts.now.summary);
    let (mut level, mut message) = now.verdict();
    let mut fault = None;
    if facts.peers.is_none() || now.state != State::Active {
        (level, message) = (DiagnosticStatus::OK, format!("holds while {}", now.state));
        if now.estopped {
            (level, message) = (DiagnosticStatus::ERROR, "emergency stop latched".to_owned());
        }
    } else if let Some(rivals) = facts.peers.map(|peers| peers[3].known).filter(|n| *n > 0) {
        level = DiagnosticStatus::ERROR;
        fault = Some("other publishers of commands");
        message = format!(
            "{rivals} other publishers are on the command topic: the robot obeys whoever spoke last; end them, or remap one"
        );
    } else if let Some(mismatch) = facts.peers.and_then(|peers| peers[2].mismatches.first()) {
        let all = facts.peers.is_some_and(|peers| peers[2].all_mismatch());
        level = level.max(if all {
            DiagnosticStatus::ERROR
        } else {
            DiagnosticStatus::WARN
        });
        message = format!("a subscriber of the commands does not hear them: {mismatch}");
    } else if fresh.lost > 0 && level == DiagnosticStatus::OK {
        level = DiagnosticStatus::WARN;
        message = format!("{} commands were lost in the last second", fresh.lost);
    }
    let mut part = Part::new("executor", level, message);
    part.fault = fault;
    part.add(
        "moving",
        now.motion.is_some_and(|motion| motion.is_moving()),
    );
    let decision = now.decision();
    part.add("action", decision.action.name());
    part.add("reason", decision.reason.map_or("-", StopReason::name));
    part.add("plans_refused", summary.plans_refused);
    part.add("plans_saturated", summary.plans_saturated);
    part.add("plan_jumps", summary.plan_jumps);
    part.add("commands_sent", summary.commands_sent);
    part.add("commands_lost", summary.commands_lost);
    part.add("limited", summary.limited);
    part.add("late_ticks", summary.late_ticks);
    let latency = facts.recent.map(|recent| &recent.latency_ms);
    part.add_ms("stamp_to_command_ms_p50", latency, 0.5);
    part.add_ms("stamp_to_command_ms_p99", latency, 0.99);
    if let Some(peers) = facts.peers {
        part.add("subscribers", peers[2].known);
        part.add("other_publishers", peers[3].known);
    }
    part
}

/// How far the scene is from what the model predicts.
pub(super) fn scene(summary: &RunSummary) -> Part {
    let Some(surprise) = &summary.surprise else {
        // The figures come with the first image that is used.
        return match latco_models::surprise::shortcoming(None) {
            Some(text) if summary.plans > 0 => Part::new("scene", DiagnosticStatus::WARN, text),
            _ => {
                let text = "no image was used yet".to_owned();
                Part::new("scene", DiagnosticStatus::OK, text)
            }
        };
    };
    let level = match surprise.level {
        Surprise::Slow => DiagnosticStatus::WARN,
        Surprise::Stop => DiagnosticStatus::ERROR,
        Surprise::Expected => DiagnosticStatus::OK,
    };
    let mut part = Part::new("scene", level, surprise.text());
    if let Some(score) = surprise.score {
        part.add("score", format!("{score:.2}"));
    }
    part.add("slow_above", surprise.slow_above);
    part.add("stop_above", surprise.stop_above);
    part.add("surprising_images", surprise.surprising_images);
    part
}

/// A warning where the system refused what was asked of it.
pub(super) fn refused(summary: &RunSummary) -> Option<Part> {
    let refused = summary.system_refused.join("; ");
    (!refused.is_empty()).then(|| Part::new("process", DiagnosticStatus::WARN, refused))
}

/// A warning where faults are injected on purpose, so that nobody forgets it.
pub(super) fn injected(summary: &RunSummary) -> Option<Part> {
    if summary.injected.is_empty() {
        return None;
    }
    let text = format!(
        "faults are injected on purpose: {}",
        summary.injected_faults()
    );
    let mut part = Part::new("injected faults", DiagnosticStatus::WARN, text);
    for (name, count) in &summary.injected {
        part.add(name, count);
    }
    Some(part)
}

pub(super) fn middleware(facts: &Facts<'_>) -> Part {
    let (level, message) = if facts.middleware_alive {
        (DiagnosticStatus::OK, "DDS runs")
    } else {
        (DiagnosticStatus::ERROR, "the DDS threads ended")
    };
    let namesakes = facts.peers.map_or(0, |peers| peers[4].known);
    let mut part = match (namesakes, level) {
        (1.., DiagnosticStatus::OK) => {
            let text = format!(
                "{namesakes} other nodes have the name {}: services and parameters reach any of them; rename one (-r __node:=NAME)",
                facts.now.name
            );
            let mut part = Part::new("middleware", DiagnosticStatus::WARN, text);
            part.fault = Some("other nodes of this name");
            part
        }
        _ => Part::new("middleware", level, message),
    };
    part.add("nodes_of_this_name", namesakes + 1);
    if let Some((clock, _)) = facts.clock {
        part.add("clock", clock);
    }
    part.add("clock_jumps", facts.now.summary.clock_jumps);
    part.add("domain", facts.network.domain);
    part.add("loopback_only", facts.network.localhost);
    part.add("services_of", Services::from_environment().name());
    part
}
