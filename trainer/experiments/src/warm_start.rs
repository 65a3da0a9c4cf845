//! What a plan should take over from the one before it: nothing, the trajectory alone, or the
//! multipliers as well, and how much of them. Measured in closed loop over iteration budgets.
//!
//! Every plan has the same budget, the first of an episode too: that is what a fixed time per tick
//! allows. There is one Gaussian start and no fresh one beside a warm plan, so that the figures are
//! those of the warm start alone.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_evaluate::{
    Episode, Options as Evaluation, ThreadClock, evaluate_by, percentile, wilson_interval,
};
use latco_models::Bundle;
use latco_pictures::{Curves, Panel};
use serde::{Deserialize, Serialize};

use crate::cells::{Cells, Step};
use crate::table::{Table, count, exponent, fixed, interval, text};
use crate::tables::grid::Measured;
use crate::{ExperimentError, Progress};

/// How a plan starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// From nothing.
    Cold,
    /// From the shifted plan, multipliers times this factor: 1 copies them, 0 resets them.
    Warm(f64),
}

/// All starts that are compared.
pub const STARTS: [Start; 6] = [
    Start::Cold,
    Start::Warm(1.0),
    Start::Warm(0.3),
    Start::Warm(0.1),
    Start::Warm(0.01),
    Start::Warm(0.0),
];

/// Iterations per plan.
pub const BUDGETS: [u32; 6] = [1, 2, 5, 10, 20, 50];

/// Iterations per plan of a quick run.
pub const QUICK_BUDGETS: [u32; 3] = [2, 10, 50];

impl Start {
    /// The name as it stands in tables.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Cold => "cold".to_owned(),
            Self::Warm(1.0) => "copied".to_owned(),
            Self::Warm(0.0) => "reset".to_owned(),
            Self::Warm(factor) => format!("relaxed {factor}"),
        }
    }
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Simulated task.
    pub task: String,
    /// Episodes of each cell, the same for all.
    pub episodes: u32,
    /// First evaluation episode, and seed of the planner.
    pub seed: u64,
    /// Iteration budgets.
    pub budgets: Vec<u32>,
    /// Settings that are not varied.
    pub config: Config,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only every `n`th cell from the `i`th on, `(i, n)`.
    pub part: Option<(usize, usize)>,
}

impl Options {
    /// Defaults: 50 episodes and all budgets, or 6 episodes and three budgets.
    #[must_use]
    pub fn new(task: impl Into<String>, out: impl Into<PathBuf>, quick: bool) -> Self {
        Self {
            task: task.into(),
            episodes: if quick { 6 } else { 50 },
            seed: 0,
            budgets: if quick {
                QUICK_BUDGETS.to_vec()
            } else {
                BUDGETS.to_vec()
            },
            config: Config::default(),
            out: out.into(),
            part: None,
        }
    }
}

/// One cell of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Name of the start.
    pub start: String,
    /// Iterations of each plan.
    pub iterations: u32,
    /// Episodes.
    pub episodes: usize,
    /// Share of episodes solved after any step, and its 95 % Wilson interval.
    pub success: f64,
    /// Lower end.
    pub success_low: f64,
    /// Upper end.
    pub success_high: f64,
    /// Share of episodes solved after the last step.
    pub success_at_end: f64,
    /// Mean sum of rewards of an episode.
    pub mean_return: f64,
    /// What plans promised over their horizon: mean of the clipped rollout returns.
    pub predicted_return: f64,
    /// The sum of rewards in the steps that these plans were about, under replanning.
    pub real_return: f64,
    /// Median over the plans of the largest squared dynamics violation.
    pub violation_median: f64,
    /// Its 90th percentile.
    pub violation_p90: f64,
    /// CPU times of the plans.
    pub measured: Measured,
}

impl crate::cells::Cell for Cell {
    fn key(&self) -> String {
        format!("{} x {}", self.start, self.iterations)
    }
}

/// The cells, as they stand in the folder.
///
/// Their experiment is named after task, episodes and bundle: those of others cannot be merged.
#[must_use]
pub fn cells(bundle: &Bundle, options: &Options) -> Cells {
    let model = &bundle.manifest().files;
    let sums: Vec<&str> = model.values().map(|file| &file.sha256[..8]).collect();
    Cells {
        experiment: format!(
            "warm-start, task {}, {} episodes from seed {}, bundle {}",
            options.task,
            options.episodes,
            options.seed,
            sums.join("-")
        ),
        keys: (wanted(options).iter())
            .map(|(start, budget)| format!("{} x {budget}", start.name()))
            .collect(),
        out: options.out.clone(),
        part: options.part,
        steps: u64::from(options.episodes),
    }
}

fn wanted(options: &Options) -> Vec<(Start, u32)> {
    (options.budgets.iter())
        .flat_map(|&budget| STARTS.map(|start| (start, budget)))
        .collect()
}

/// Runs the cells that are missing in the folder and writes table and plot after each. When
/// `progress` asks for an end, the cell that runs is given up and those that are done are given.
///
/// # Errors
/// [`ExperimentError`].
pub fn run(
    bundle: &Bundle,
    options: &Options,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Cell>, ExperimentError> {
    let wanted = wanted(options);
    cells(bundle, options).run(
        progress,
        |number, step| one(bundle, options, wanted[number], step),
        |cells| report(options, cells),
    )
}

fn one(
    bundle: &Bundle,
    options: &Options,
    (start, budget): (Start, u32),
    step: &mut Step<'_>,
) -> Result<Option<Cell>, ExperimentError> {
    let mut episodes = Vec::new();
    let evaluation = Evaluation {
        task: options.task.clone(),
        episodes: options.episodes,
        seed: options.seed,
        expert: false,
    };
    let config = configured(options, start, budget);
    evaluate_by(bundle, &config, &evaluation, &ThreadClock, |episode| {
        episodes.push(episode.clone());
        step()
    })?;
    let horizon = bundle.manifest().dims.horizon;
    let lead = options.config.control.lead_periods as usize;
    let is_whole = episodes.len() >= options.episodes as usize;
    Ok(is_whole.then(|| summarise(start, budget, &episodes, horizon, lead)))
}

fn configured(options: &Options, start: Start, budget: u32) -> Config {
    let mut config = options.config.clone();
    config.planner.kind = PlannerKind::Latco;
    config.planner.seed = options.seed;
    (config.planner.budget_ms, config.planner.threads) = (None, 1);
    let latco = &mut config.planner.latco;
    (latco.starts, latco.sampled_starts) = (1, 0);
    (latco.iterations_cold, latco.iterations_warm) = (budget, budget);
    latco.warm_start = start != Start::Cold;
    if let Start::Warm(factor) = start {
        latco.multiplier_relaxation = factor;
    }
    config
}

fn summarise(start: Start, budget: u32, episodes: &[Episode], horizon: usize, lead: usize) -> Cell {
    let count = episodes.len();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let share = |solved: usize| solved as f64 / count.max(1) as f64;
    let successes = episodes.iter().filter(|e| e.success).count();
    let (success_low, success_high) = wilson_interval(successes, count);
    let all = |values: fn(&Episode) -> &[f64]| -> Vec<f64> {
        episodes.iter().flat_map(|e| values(e).to_vec()).collect()
    };
    // Plans whose whole horizon lies within the episode.
    let (mut predicted, mut real) = (Vec::new(), Vec::new());
    for episode in episodes {
        for (&step, &promised) in episode.plan_steps.iter().zip(&episode.promised) {
            if let Some(rewards) = episode.rewards.get(step + lead..step + lead + horizon) {
                predicted.push(promised);
                real.push(rewards.iter().sum());
            }
        }
    }
    let returns: Vec<f64> = episodes.iter().map(|e| e.episode_return).collect();
    let mut violations = all(|e| &e.violations);
    let plan_ms = all(|e| &e.plan_ms);
    Cell {
        start: start.name(),
        iterations: budget,
        episodes: count,
        success: share(successes),
        success_low,
        success_high,
        success_at_end: share(episodes.iter().filter(|e| e.success_at_end).count()),
        mean_return: mean(&returns),
        predicted_return: mean(&predicted),
        real_return: mean(&real),
        violation_median: percentile(&mut violations, 0.5),
        violation_p90: percentile(&mut violations, 0.9),
        measured: Measured::of(plan_ms),
    }
}

/// Writes CSV, Markdown and plot into the folder of the results.
fn report(options: &Options, cells: &[Cell]) -> Result<(), ExperimentError> {
    let before = format!(
        "# Warm start\n\nTask {}, {} episodes each from seed {}, one Gaussian start, the same iterations for every plan.",
        options.task, options.episodes, options.seed
    );
    let after = "\nPredicted: mean of the clipped rollout returns of the plans. Real: the rewards in the steps that these \
                 plans were about, under replanning.\n";
    columns().write(&options.out, "warm_start", cells, (&before, after))?;
    plot(&options.out.join("warm_start.png"), options, cells)
}

fn columns<'a>() -> Table<'a, &'a Cell> {
    Table::new()
        .column("iterations", "iterations", |c: &&Cell| {
            count(c.iterations as usize)
        })
        .column("start", "start", |c| text(&c.start))
        .column("episodes", "", |c| count(c.episodes))
        .column("success,success_low,success_high", "success (95 %)", |c| {
            interval([c.success, c.success_low, c.success_high])
        })
        .column("success_at_end", "at the end", |c| {
            fixed(c.success_at_end, 2)
        })
        .column("mean_return", "return", |c| fixed(c.mean_return, 1))
        .column("predicted_return", "predicted", |c| {
            fixed(c.predicted_return, 2)
        })
        .column("real_return", "real", |c| fixed(c.real_return, 2))
        .column(
            "violation_median,violation_p90",
            "violation, median (90 %)",
            |c| exponent(c.violation_median).with(exponent(c.violation_p90)),
        )
        .column(
            "plan_ms_p50,plan_ms_p99",
            "plan CPU ms, median (99 %)",
            |c| fixed(c.measured.plan_ms_p50, 1).with(fixed(c.measured.plan_ms_p99, 1)),
        )
}

fn plot(file: &Path, options: &Options, cells: &[Cell]) -> Result<(), ExperimentError> {
    let panel = |title: &str| Panel::new(title, "iterations of each plan").log_x();
    let lines = |panel: Panel, value: fn(&Cell) -> f64| {
        STARTS.iter().fold(panel, |panel, start| {
            let name = start.name();
            let of_start = cells.iter().filter(|cell| cell.start == name);
            let points: Vec<(f64, f64)> = of_start
                .map(|cell| (f64::from(cell.iterations), value(cell)))
                .collect();
            panel.points(name, &points)
        })
    };
    let title = format!(
        "warm start on {}, {} episodes",
        options.task, options.episodes
    );
    Curves::new(title)
        .panel(lines(panel("episodes solved"), |c| c.success))
        .panel(lines(panel("dynamics violation, median").log_y(), |c| {
            c.violation_median
        }))
        .panel(lines(panel("predicted return of a plan"), |c| {
            c.predicted_return
        }))
        .panel(lines(panel("real return in the same steps"), |c| {
            c.real_return
        }))
        .save(file)?;
    Ok(())
}
