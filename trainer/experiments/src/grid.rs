//! Experiments that are a grid of independent cells: one planner with one setting on one task each. Cells
//! can be run one by one on many machines, and their files be put together.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use latco_controller::Config;
use latco_evaluate::{Episode, Options as Evaluation, evaluate, percentile, wilson_interval};
use latco_models::{Bundle, LoadOptions};
use serde::{Deserialize, Serialize};

use crate::store::Store;
use crate::{ExperimentError, Progress};

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
}

/// What is run.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Name of the experiment, as it stands in the file of the cells.
    pub experiment: String,
    /// The cells.
    pub cells: Vec<Wanted>,
    /// Episodes of each, the same for all.
    pub episodes: u32,
    /// First evaluation episode, and seed of the planners.
    pub seed: u64,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only every `n`th cell from the `i`th on, `(i, n)`; all without.
    pub part: Option<(usize, usize)>,
}

/// One episode of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How far from solved it began.
    pub difficulty: f64,
    /// Solved after any of its steps.
    pub success: bool,
    /// Sum of its rewards.
    pub episode_return: f64,
    /// The first reward that was not 0; 0 when there was none.
    pub first_reward: f64,
}

/// One cell that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Simulated task.
    pub task: String,
    /// Row of the table.
    pub row: String,
    /// What is held equal.
    pub setting: String,
    /// Share of episodes solved after any step, and its 95 % Wilson interval.
    pub success: f64,
    /// Lower end.
    pub success_low: f64,
    /// Upper end.
    pub success_high: f64,
    /// Mean sum of rewards of an episode.
    pub mean_return: f64,
    /// Median time of a plan, ms.
    pub plan_ms_p50: f64,
    /// 99th percentile, ms.
    pub plan_ms_p99: f64,
    /// Median iterations of a plan.
    pub iterations: f64,
    /// What the plans promised on the mean.
    pub promised: f64,
    /// The episodes.
    pub episodes: Vec<Outcome>,
}

impl Grid {
    /// The first line of the files of cells: what makes results comparable.
    fn head(&self) -> String {
        format!(
            "{}, {} episodes from seed {}",
            self.experiment, self.episodes, self.seed
        )
    }

    /// The file this run writes its cells to.
    fn file(&self) -> String {
        match self.part {
            None => "cells.jsonl".to_owned(),
            Some((part, of)) => format!("cells-{part}-of-{of}.jsonl"),
        }
    }

    /// All cells in the folder, of every file, in the order of the grid.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn done(&self) -> Result<Vec<Cell>, ExperimentError> {
        let mut found = Vec::new();
        for file in Store::files(&self.out)? {
            found.extend(Store::read::<Cell>(&file, &self.head())?);
        }
        let pick = |wanted: &Wanted| found.iter().find(|cell| wanted.is(cell)).cloned();
        Ok(self.cells.iter().filter_map(pick).collect())
    }

    /// Takes over the cells of another folder of the same experiment.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn merge(&self, other: &Path) -> Result<usize, ExperimentError> {
        let known = self.done()?;
        let (store, _) = Store::open_file::<Cell>(&self.out, &self.file(), &self.head())?;
        let mut added = Vec::new();
        for file in Store::files(other)? {
            for cell in Store::read::<Cell>(&file, &self.head())? {
                let is_known = |c: &&Cell| c.key() == cell.key();
                if !known.iter().chain(&added).any(|c| is_known(&c)) {
                    store.add(&cell)?;
                    added.push(cell);
                }
            }
        }
        Ok(added.len())
    }

    /// Runs the cells of this part that are missing, and calls `report` with all that are done after
    /// each. When `progress` asks for an end, the cell that runs is given up.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn run(
        &self,
        mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
        mut report: impl FnMut(&[Cell]) -> Result<(), ExperimentError>,
    ) -> Result<Vec<Cell>, ExperimentError> {
        let (store, _) = Store::open_file::<Cell>(&self.out, &self.file(), &self.head())?;
        let mut done = self.done()?;
        let mine: Vec<&Wanted> = match self.part {
            None => self.cells.iter().collect(),
            Some((part, of)) => self.cells.iter().skip(part).step_by(of.max(1)).collect(),
        };
        let episodes = u64::from(self.episodes);
        let is_done = |done: &[Cell], wanted: &Wanted| done.iter().any(|cell| wanted.is(cell));
        let mut state = Progress {
            done: mine.iter().filter(|w| is_done(&done, w)).count() as u64 * episodes,
            total: mine.len() as u64 * episodes,
            cell: String::new(),
        };
        if !done.is_empty() {
            report(&done)?;
        }
        for wanted in mine {
            if is_done(&done, wanted) {
                continue;
            }
            state.cell = format!("{} {} {}", wanted.task, wanted.row, wanted.setting);
            let mut flow = progress(&state);
            if flow.is_break() {
                break;
            }
            let bundle = Bundle::load(&wanted.bundle, &LoadOptions::default())?;
            let mut config = wanted.config.clone();
            config.bundle.path = wanted.bundle.to_string_lossy().into_owned();
            config.planner.seed = self.seed;
            let evaluation = Evaluation {
                task: wanted.task.clone(),
                episodes: self.episodes,
                seed: self.seed,
                expert: false,
            };
            let mut ran = Vec::new();
            evaluate(&bundle, &config, &evaluation, |episode| {
                ran.push(episode.clone());
                state.done += 1;
                flow = progress(&state);
                flow
            })?;
            if flow.is_break() && ran.len() < self.episodes as usize {
                break;
            }
            let cell = wanted.summarise(&ran);
            store.add(&cell)?;
            done = self.done()?;
            report(&done)?;
            if flow.is_break() {
                break;
            }
        }
        Ok(done)
    }
}

impl Cell {
    /// What tells cells apart.
    fn key(&self) -> (&str, &str, &str) {
        (&self.task, &self.row, &self.setting)
    }
}

impl Wanted {
    fn is(&self, cell: &Cell) -> bool {
        cell.key() == (self.task.as_str(), self.row.as_str(), self.setting.as_str())
    }

    fn summarise(&self, episodes: &[Episode]) -> Cell {
        let count = episodes.len();
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        let successes = episodes.iter().filter(|e| e.success).count();
        let (success_low, success_high) = wilson_interval(successes, count);
        let mut plan_ms: Vec<f64> = episodes.iter().flat_map(|e| e.plan_ms.clone()).collect();
        let mut iterations: Vec<f64> = (episodes.iter())
            .flat_map(|e| e.iterations.iter().map(|i| f64::from(*i)))
            .collect();
        let promised: Vec<f64> = episodes.iter().flat_map(|e| e.promised.clone()).collect();
        Cell {
            task: self.task.clone(),
            row: self.row.clone(),
            setting: self.setting.clone(),
            success: mean(successes as f64, count),
            success_low,
            success_high,
            mean_return: mean(episodes.iter().map(|e| e.episode_return).sum(), count),
            plan_ms_p50: percentile(&mut plan_ms, 0.5),
            plan_ms_p99: percentile(&mut plan_ms, 0.99),
            iterations: percentile(&mut iterations, 0.5),
            promised: mean(promised.iter().sum(), promised.len()),
            episodes: (episodes.iter())
                .map(|e| Outcome {
                    difficulty: e.difficulty,
                    success: e.success,
                    episode_return: e.episode_return,
                    first_reward: e.rewards.iter().copied().find(|r| *r != 0.0).unwrap_or(0.0),
                })
                .collect(),
        }
    }
}
