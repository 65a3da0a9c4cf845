//! Grids of closed-loop cells: one planner with one setting on one task each.

use std::path::PathBuf;

use latco_controller::Config;
use latco_evaluate::{
    Episode, Options as Evaluation, Promises, ThreadClock, evaluate_by, percentile, wilson_interval,
};
use latco_models::sha256;
use latco_models::{Bundle, LoadOptions, read_manifest};
use serde::{Deserialize, Serialize};

use crate::cells::{Experiment, Report, Step};
use crate::{ExperimentError, rows};

/// One cell that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Simulated task.
    pub task: String,
    /// Folder of the bundle.
    pub bundle: PathBuf,
    /// The row of the table: planner or variant.
    pub row: String,
    /// What is held equal: `paper` or `equal_time`.
    pub setting: String,
    /// Everything the controller is told.
    pub config: Config,
    /// Begin of a SHA-256 over configuration and bundle: what the cell was made with.
    pub made_with: String,
}

/// One episode of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How far from solved the episode began, m.
    pub difficulty: f64,
    /// Whether it was solved after any of its steps.
    pub success: bool,
    /// Sum of the rewards of the episode.
    pub episode_return: f64,
    /// The first reward that was not 0; 0 when there was none.
    pub first_reward: f64,
}

/// The figures of a cell that are others at every run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Median CPU time of a plan, ms.
    pub plan_ms_p50: f64,
    /// 99th percentile of the CPU time of a plan, ms.
    pub plan_ms_p99: f64,
    /// Number of plans by the CPU time of all, 1/s.
    pub plans_per_s: f64,
}

/// One cell that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Simulated task.
    pub task: String,
    /// Row of the table: planner or variant.
    pub row: String,
    /// What is held equal: `paper` or `equal_time`.
    pub setting: String,
    /// What it was made with: see [`Wanted::made_with`].
    pub made_with: String,
    /// What a plan may spend, in words.
    pub budget: String,
    /// Share of episodes solved after any step, and its 95 % Wilson interval.
    pub success: f64,
    /// Lower end of that interval.
    pub success_low: f64,
    /// Upper end of that interval.
    pub success_high: f64,
    /// Share of episodes solved after the last step.
    pub success_at_end: f64,
    /// Mean sum of rewards of an episode.
    pub mean_return: f64,
    /// What the plans promised on the mean.
    pub promised: f64,
    /// What the plans promised whose whole horizon lies within the episode.
    pub predicted_return: f64,
    /// The sum of rewards in the steps that these plans were about, under replanning.
    pub real_return: f64,
    /// Median over the plans of the largest squared dynamics violation.
    pub violation_median: f64,
    /// The 90th percentile of the same.
    pub violation_p90: f64,
    /// Median iterations of a plan.
    pub iterations: f64,
    /// Number of plans that were made.
    pub plans: usize,
    /// Outcomes of the episodes.
    pub episodes: Vec<Outcome>,
    /// Times of the plans.
    pub measured: Measured,
}

impl Wanted {
    /// A cell; reads the bundle's manifest.
    ///
    /// # Errors
    /// [`ExperimentError::Bundle`].
    pub fn new(
        task: &str,
        bundle: PathBuf,
        (row, setting): (&str, &str),
        mut config: Config,
    ) -> Result<Self, ExperimentError> {
        config.bundle.path = String::new();
        let manifest = read_manifest(&bundle)?;
        let files = manifest.files.values().map(|file| file.sha256.as_str());
        let all: Vec<&str> = files.collect();
        let told = format!("{config:?} {}", all.join(" "));
        Ok(Self {
            task: task.to_owned(),
            bundle,
            row: row.to_owned(),
            setting: setting.to_owned(),
            config,
            made_with: sha256(told.as_bytes())[..12].to_owned(),
        })
    }

    fn key(&self) -> String {
        key([&self.task, &self.row, &self.setting, &self.made_with])
    }

    /// Runs it; none if `step` asked for an end before its last episode.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn run(
        &self,
        episodes: u32,
        seed: u64,
        step: &mut Step<'_>,
    ) -> Result<Option<Cell>, ExperimentError> {
        let bundle = Bundle::load(&self.bundle, &LoadOptions::default())?;
        let mut config = self.config.clone();
        config.bundle.path = self.bundle.to_string_lossy().into_owned();
        config.planner.seed = seed;
        let evaluation = Evaluation {
            task: self.task.clone(),
            episodes,
            seed,
            expert: false,
            keep_out: None,
        };
        let mut ran = Vec::new();
        evaluate_by(&bundle, &config, &evaluation, &ThreadClock, |episode| {
            ran.push(episode.clone());
            step()
        })?;
        let steps = bundle.manifest().dims.horizon;
        Ok((ran.len() >= episodes as usize).then(|| self.summarise(&ran, steps)))
    }

    fn summarise(&self, episodes: &[Episode], horizon: usize) -> Cell {
        let count = episodes.len();
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        let lead = self.config.control.lead_periods as usize;
        let promises = Promises::of(episodes, lead, horizon);
        let mut violations: Vec<f64> = (episodes.iter())
            .flat_map(|e| e.violations.iter().copied().filter(|v| v.is_finite()))
            .collect();
        let successes = episodes.iter().filter(|e| e.success).count();
        let (success_low, success_high) = wilson_interval(successes, count);
        let plan_ms: Vec<f64> = episodes.iter().flat_map(|e| e.plan_ms.clone()).collect();
        let mut iterations: Vec<f64> = (episodes.iter())
            .flat_map(|e| e.iterations.iter().map(|i| f64::from(*i)))
            .collect();
        let promised: Vec<f64> = episodes.iter().flat_map(|e| e.promised.clone()).collect();
        Cell {
            task: self.task.clone(),
            row: self.row.clone(),
            setting: self.setting.clone(),
            made_with: self.made_with.clone(),
            budget: rows::budget(&self.config),
            success: mean(successes as f64, count),
            success_low,
            success_high,
            success_at_end: mean(
                episodes.iter().filter(|e| e.success_at_end).count() as f64,
                count,
            ),
            predicted_return: promises.promised,
            real_return: promises.paid,
            violation_median: percentile(&mut violations, 0.5),
            violation_p90: percentile(&mut violations, 0.9),
            mean_return: mean(episodes.iter().map(|e| e.episode_return).sum(), count),
            promised: mean(promised.iter().sum(), promised.len()),
            iterations: percentile(&mut iterations, 0.5),
            episodes: (episodes.iter())
                .map(|e| Outcome {
                    difficulty: e.difficulty,
                    success: e.success,
                    episode_return: e.episode_return,
                    first_reward: e.rewards.iter().copied().find(|r| *r != 0.0).unwrap_or(0.0),
                })
                .collect(),
            plans: plan_ms.len(),
            measured: Measured::of(plan_ms),
        }
    }
}

impl Measured {
    /// Summarises the times of plans, ms.
    #[must_use]
    pub fn of(mut plan_ms: Vec<f64>) -> Self {
        Self {
            plans_per_s: plan_ms.len() as f64 / (plan_ms.iter().sum::<f64>() * 1e-3).max(1e-9),
            plan_ms_p50: percentile(&mut plan_ms, 0.5),
            plan_ms_p99: percentile(&mut plan_ms, 0.99),
        }
    }
}

fn key(parts: [&str; 4]) -> String {
    parts.join(" ")
}

/// The experiment of these cells, with so many episodes of each from the seed on.
#[must_use]
pub fn experiment<'a>(
    name: &str,
    cells: Vec<Wanted>,
    (episodes, seed): (u32, u64),
    (out, part): (PathBuf, Option<(usize, usize)>),
    (markdown, report): (String, Report<'a, Cell>),
) -> Experiment<'a, Cell> {
    Experiment {
        name: format!("{name}, {episodes} episodes from seed {seed}"),
        keys: cells.iter().map(Wanted::key).collect(),
        key: |c: &Cell| key([&c.task, &c.row, &c.setting, &c.made_with]),
        out,
        part,
        steps: (u64::from(episodes), "episodes"),
        markdown,
        make: Box::new(move |number, step| cells[number].run(episodes, seed, step)),
        report,
    }
}
