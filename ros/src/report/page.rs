//! The page: data, tables and template.

use std::path::Path;

use anyhow::Context as _;
use latco_controller::Config;
use latco_controller::trace::IterationTrace;
use latco_models::Bundle;
use latco_pictures::page::{Page as Html, context};
use serde::Serialize;

use super::answers;
use super::episodes;
use super::heard::Heard;
use super::planners::Compared;
use super::rows;
use super::seen::{Planned, Seen};
use super::strips::{Iterate, Strip, Strips};

const SECTIONS: [(&str, &str); 6] = [
    ("run", "run"),
    ("tick", "one image, one plan"),
    ("times", "times"),
    ("episodes", "episodes"),
    ("states", "stops and faults"),
    ("planners", "other planners"),
];
const BODY: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// Everything that a page is made of.
pub(super) struct Page<'a> {
    pub(super) bag: &'a Path,
    pub(super) config: &'a Config,
    pub(super) bundle: &'a Bundle,
    pub(super) seen: &'a [Seen],
    pub(super) heard: &'a Heard,
    pub(super) strips: &'a Strips,
    pub(super) planners: &'a [Compared],
    pub(super) skipped: u64,
}

/// The data for the script.
#[derive(Serialize)]
struct Data<'a> {
    width: usize,
    height: usize,
    decoded: bool,
    period_s: f64,
    joints: &'a [String],
    ticks: Vec<Tick<'a>>,
    times: Vec<rows::Times>,
    episodes: &'a [episodes::Episode],
    states: Vec<(f64, u8, &'a str)>,
    rewards: Vec<(f64, f64)>,
}

#[derive(Serialize)]
struct Tick<'a> {
    t: f64,
    frame: Option<&'a str>,
    refused: Option<&'a str>,
    plan: Option<PlanData<'a>>,
}

#[derive(Serialize)]
struct PlanData<'a> {
    number: u64,
    source: String,
    /// Name of the start that it goes back to.
    start: &'static str,
    stop: &'static str,
    warm: bool,
    is_new: bool,
    iterations: u32,
    best_iteration: u32,
    best_plan: u32,
    predicted: f32,
    start_s: f64,
    lead: usize,
    actions: Vec<Vec<f32>>,
    rewards: Vec<f32>,
    strip: Option<&'a Strip>,
    iterates: Option<&'a Vec<Iterate>>,
    /// Best returns of the candidates: the plan before, the sampled sequences, the iterates.
    candidates: [Option<f32>; 3],
    /// For each plan that was iterated: `[iteration, largest violation, mean violation, mean lambda, mean nu, planned
    /// reward, return of the rollout]` in rows.
    trace: Vec<Vec<[Option<f32>; 7]>>,
}

impl Page<'_> {
    /// The HTML.
    ///
    /// # Errors
    /// An error when the configuration cannot be written as TOML, or by the template.
    pub(super) fn render(&self) -> anyhow::Result<String> {
        let times = rows::times(self.seen, self.heard);
        let episodes = episodes::find(self.seen, self.heard);
        let manifest = self.bundle.manifest();
        let data = serde_json::to_string(&self.data(&times, &episodes))?;
        let plans = self.seen.iter().filter(|s| s.plan.is_some()).count();
        let facts = [
            ("recording", self.bag.display().to_string()),
            ("bundle", self.config.bundle.path.clone()),
            ("task of the bundle", manifest.task.clone()),
            ("sum of the bundle's files (SHA-256)", manifest.sum()),
            ("planner", self.config.planner.kind.name().to_owned()),
            (
                "control period",
                format!("{:.0} ms", manifest.control_period_s * 1e3),
            ),
            (
                "images (not repeated)",
                format!("{} ({})", self.seen.len(), self.skipped),
            ),
            ("plans", plans.to_string()),
            ("commands", self.heard.commands.len().to_string()),
            (
                "page made by",
                format!("latco {}", env!("CARGO_PKG_VERSION")),
            ),
        ];
        let states: Vec<_> = (self.heard.states.iter())
            .map(|(time, level, text)| {
                let time = format!("{:.2}", self.seconds(*time));
                (time, word(*level), text, answers::meaning(text))
            })
            .collect();
        let shown = self.strips.plans.iter().flatten().count();
        let configuration = toml::to_string(self.config).context("the configuration as TOML")?;
        let page = Html {
            title: &format!("{}: {}", manifest.task, self.config.planner.kind.name()),
            answers: &answers::all(
                (self.seen, self.heard),
                (&episodes, &times, self.planners),
                manifest.reward,
            ),
            sections: &SECTIONS,
            body: BODY,
            script: SCRIPT,
            data: &data,
            facts: &facts,
            configuration: Some(&configuration),
        };
        Ok(page.render(context! {
            episodes,
            states,
            planners => self.planners,
            has_decoder => self.strips.has_decoder,
            not_shown => plans.saturating_sub(shown),
            by_iteration => self.strips.iterates.len(),
        })?)
    }

    fn seconds(&self, time_ns: i64) -> f64 {
        let begin = self.seen.first().map_or(0, |s| s.stamp_ns);
        (time_ns - begin) as f64 * 1e-9
    }

    fn data<'b>(&'b self, times: &[rows::Times], episodes: &'b [episodes::Episode]) -> Data<'b> {
        let ticks = self.seen.iter().enumerate();
        Data {
            width: self.strips.width,
            height: self.strips.height,
            decoded: self.strips.has_decoder,
            period_s: self.bundle.manifest().control_period_s,
            joints: &self.bundle.manifest().joints.names,
            ticks: ticks
                .map(|(at, seen)| Tick {
                    t: self.seconds(seen.stamp_ns),
                    frame: self.strips.frames[at].as_deref(),
                    refused: seen.refused.as_deref(),
                    plan: seen.plan.as_ref().map(|plan| self.plan(at, plan)),
                })
                .collect(),
            times: times.to_vec(),
            episodes,
            states: (self.heard.states.iter())
                .map(|(time, level, text)| (self.seconds(*time), *level, text.as_str()))
                .collect(),
            rewards: (self.heard.rewards.iter())
                .map(|(time, value)| (self.seconds(*time), *value))
                .collect(),
        }
    }

    fn plan(&self, at: usize, plan: &Planned) -> PlanData<'_> {
        let report = &plan.report;
        let steps = plan.rewards.len() + plan.lead;
        let size = plan.actions.len() / steps.max(1);
        let starts = plan.iterations.iter().map(|i| i.start + 1).max();
        let of = |start: u32| {
            let rows = plan.iterations.iter().filter(|i| i.start == start);
            rows.map(row).collect()
        };
        PlanData {
            number: plan.number,
            source: answers::source(report),
            start: report.best_start.name(),
            stop: report.stop.name(),
            warm: report.warm,
            is_new: plan.is_new,
            iterations: report.iterations,
            best_iteration: report.best_iteration,
            best_plan: report.best_plan,
            predicted: report.predicted_return,
            start_s: self.seconds(plan.start_ns),
            lead: plan.lead,
            actions: (plan.actions.chunks(size.max(1)))
                .map(|action| action.iter().map(|a| rounded(*a)).collect())
                .collect(),
            rewards: plan.rewards.iter().map(|r| rounded(*r)).collect(),
            strip: self.strips.plans[at].as_ref(),
            iterates: self.strips.iterates.get(&at),
            candidates: [
                plan.candidates.shifted,
                plan.candidates.sampled,
                plan.candidates.iterates,
            ]
            .map(|value| value.filter(|v| v.is_finite()).map(rounded)),
            trace: (0..starts.unwrap_or(0)).map(of).collect(),
        }
    }
}

/// One row of the trace; what was not measured is `None`.
fn row(figures: &IterationTrace) -> [Option<f32>; 7] {
    [
        figures.iteration as f32,
        figures.dynamics_violation_max,
        figures.dynamics_violation_mean,
        figures.dynamics_multiplier_mean,
        figures.action_multiplier_mean,
        figures.planned_reward,
        figures.rollout_return,
    ]
    .map(|value| value.is_finite().then(|| rounded(value)))
}

/// Four significant digits, which keeps the page small.
fn rounded(value: f32) -> f32 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn word(level: u8) -> &'static str {
    use latco_bag::messages::DiagnosticStatus as Status;
    match level {
        Status::OK => "ok",
        Status::WARN => "warning",
        Status::ERROR => "error",
        _ => "stale",
    }
}
