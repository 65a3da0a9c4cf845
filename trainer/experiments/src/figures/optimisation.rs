//! Dynamics violation, reward and multipliers by iteration, with and without the relaxation of the
//! dynamics (figures 6 and 11 of the paper): medians over the first plans of many episodes.

use std::ops::ControlFlow;
use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::trace::IterationTrace;
use latco_envs::EVALUATION_SEED;
use latco_evaluate::{check_fit, percentile};
use latco_models::{Bundle, LoadOptions};
use latco_pictures::{Curves, Panel};
use serde::{Deserialize, Serialize};

use super::first::First;
use crate::cells::{Cells, Step};
use crate::table::{self, Table, count, exponent, fixed, text};
use crate::tables::grid::Wanted;
use crate::{ExperimentError, Progress, rows, write_file};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tasks.
    pub tasks: Vec<String>,
    /// Folder with a bundle for each.
    pub bundles: PathBuf,
    /// Folder with a robot configuration for each.
    pub configs: PathBuf,
    /// Iterations of a plan (the paper: 100).
    pub iterations: u32,
    /// Plans of each cell: the first of so many evaluation episodes.
    pub plans: u32,
    /// First evaluation episode, and seed of the planner.
    pub seed: u64,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only a part of the cells.
    pub part: Option<(usize, usize)>,
}

/// First quartile, median and third quartile over the plans, after every iteration.
pub type Quartiles = Vec<[f64; 3]>;

/// One variant on one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Task.
    pub task: String,
    /// Variant.
    pub row: String,
    /// What it was made with: see [`Wanted::made_with`].
    pub made_with: String,
    /// Plans.
    pub plans: u32,
    /// Mean over the steps of the squared dynamics violation.
    pub violation: Quartiles,
    /// Sum of the rewards to expect in the planned states.
    pub planned: Quartiles,
    /// Predicted return of the plan's actions, clipped and rolled out.
    pub rolled_out: Quartiles,
    /// Mean multiplier of the dynamics.
    pub multiplier: Quartiles,
}

impl crate::cells::Cell for Cell {
    fn key(&self) -> String {
        format!("{} {} {}", self.task, self.row, self.made_with)
    }
}

/// The experiment with its cells.
pub struct Optimisation {
    options: Options,
    wanted: Vec<Wanted>,
    /// The cells, to be merged.
    pub cells: Cells,
}

impl Optimisation {
    /// Reads configurations and manifests.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn new(options: Options) -> Result<Self, ExperimentError> {
        let mut wanted = Vec::new();
        for task in &options.tasks {
            let config = Config::load(&options.configs.join(format!("{task}.toml")))?;
            for (row, mut config) in rows::relaxations(&config, options.iterations) {
                let latco = &mut config.planner.latco;
                latco.rollout_every_iterations = 1;
                // A plan that has converged goes on: all curves are of the same length.
                (latco.reward_tolerance, latco.stall_iterations) = (0.0, u32::MAX);
                let bundle = options.bundles.join(task);
                wanted.push(Wanted::new(task, bundle, (row, ""), config)?);
            }
        }
        let cells = Cells {
            experiment: format!(
                "curves, {} iterations of {} plans from seed {}",
                options.iterations, options.plans, options.seed
            ),
            keys: (wanted.iter())
                .map(|w| format!("{} {} {}", w.task, w.row, w.made_with))
                .collect(),
            out: options.out.clone(),
            part: options.part,
            steps: u64::from(options.plans),
        };
        Ok(Self {
            options,
            wanted,
            cells,
        })
    }

    /// Runs the cells that are missing and writes `curves.csv`, `.md` and a plot for each task.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn run(
        &self,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Vec<Cell>, ExperimentError> {
        self.cells.run(
            progress,
            |number, step| self.one(&self.wanted[number], step),
            |cells| self.report(cells),
        )
    }

    fn one(&self, wanted: &Wanted, step: &mut Step<'_>) -> Result<Option<Cell>, ExperimentError> {
        let bundle = Bundle::load(&wanted.bundle, &LoadOptions::default())?;
        let mut robot = latco_envs::make(&wanted.task, bundle.manifest().image.width)?;
        check_fit(&bundle, robot.as_ref())?;
        let mut first = First::new(&bundle, &wanted.config)?;
        let mut traces: Vec<Vec<IterationTrace>> = Vec::new();
        for number in 0..u64::from(self.options.plans) {
            robot.reset(EVALUATION_SEED + self.options.seed + number);
            first.plan(robot.as_ref(), self.options.seed + number)?;
            traces.push(first.trace.iterations().to_vec());
            if step().is_break() && traces.len() < self.options.plans as usize {
                return Ok(None);
            }
        }
        Ok(Some(Cell {
            task: wanted.task.clone(),
            row: wanted.row.clone(),
            made_with: wanted.made_with.clone(),
            plans: self.options.plans,
            violation: quartiles(&traces, |i| i.dynamics_violation_mean),
            planned: quartiles(&traces, |i| i.planned_reward),
            rolled_out: quartiles(&traces, |i| i.rollout_return),
            multiplier: quartiles(&traces, |i| i.dynamics_multiplier_mean),
        }))
    }

    fn report(&self, cells: &[Cell]) -> Result<(), ExperimentError> {
        let out = &self.options.out;
        let all = (cells.iter()).flat_map(|cell| (0..cell.violation.len()).map(move |k| (cell, k)));
        write_file(&out.join("curves.csv"), &columns().csv(all.clone()))?;
        let some = all.filter(|(_, number)| TOLD.contains(&(number + 1)));
        let text = self.introduction() + &columns().markdown(some);
        write_file(&out.join("curves.md"), &text)?;
        for task in &self.options.tasks {
            let of_task: Vec<&Cell> = cells.iter().filter(|c| c.task == *task).collect();
            if !of_task.is_empty() {
                plot(task, self.options.plans, &of_task)
                    .save(&out.join(format!("curves-{task}.png")))?;
            }
        }
        Ok(())
    }

    fn introduction(&self) -> String {
        format!(
            "# Optimisation by iteration (figures 6 and 11 of the paper)\n\nThe first plans of {} evaluation episodes from seed \
             {}, each made from nothing with one start and {} iterations at the paper's settings; medians. `no_relaxation` \
             begins with multipliers of 1e8. The paper's figures are of one plan on a Meta-World task: the reward of the \
             planned states rises in the first ten iterations while the dynamics are violated, then the violation falls; \
             without relaxation the reward stays lower.\n\n",
            self.options.plans, self.options.seed, self.options.iterations
        )
    }
}

/// Iterations that Markdown has a line of.
const TOLD: [usize; 8] = [1, 2, 5, 10, 20, 50, 100, 200];

fn columns<'a>() -> Table<'a, (&'a Cell, usize)> {
    Table::new()
        .column("task", "task", |(c, _): &(&Cell, usize)| text(&c.task))
        .column("row", "row", |(c, _)| text(&c.row))
        .column("iteration", "iteration", |(_, k)| count(k + 1))
        .column(
            "violation_q25,violation,violation_q75",
            "violation, mean of the steps",
            |(c, k)| table::quartiles(c.violation[*k], exponent),
        )
        .column(
            "planned_reward_q25,planned_reward,planned_reward_q75",
            "reward of the planned states",
            |(c, k)| table::quartiles(c.planned[*k], |v| fixed(v, 2)),
        )
        .column(
            "rolled_out_q25,rolled_out,rolled_out_q75",
            "return of the actions, rolled out",
            |(c, k)| table::quartiles(c.rolled_out[*k], |v| fixed(v, 2)),
        )
        .column(
            "multiplier_q25,multiplier,multiplier_q75",
            "multiplier of the dynamics",
            |(c, k)| table::quartiles(c.multiplier[*k], exponent),
        )
}

fn quartiles(traces: &[Vec<IterationTrace>], value: fn(&IterationTrace) -> f32) -> Quartiles {
    let most = traces.iter().map(Vec::len).max().unwrap_or(0);
    (0..most)
        .map(|number| {
            // One that ended earlier stays where it was.
            let mut values: Vec<f64> = (traces.iter())
                .filter_map(|trace| trace.get(number).or(trace.last()))
                .map(|iteration| f64::from(value(iteration)))
                .filter(|value| value.is_finite())
                .collect();
            [0.25, 0.5, 0.75].map(|share| percentile(&mut values, share))
        })
        .collect()
}

fn plot(task: &str, plans: u32, cells: &[&Cell]) -> Curves {
    let panel = |title: &str, is_log: bool, of: fn(&Cell) -> &Quartiles| {
        let panel = Panel::new(title, "iteration");
        let panel = if is_log { panel.log_y() } else { panel };
        cells.iter().fold(panel, |panel, cell| {
            let medians = of(cell).iter().enumerate();
            let points: Vec<(f64, f64)> = medians.map(|(k, q)| (k as f64 + 1.0, q[1])).collect();
            panel.points(&cell.row, &points)
        })
    };
    Curves::new(format!(
        "{task}: optimisation of {plans} first plans, medians"
    ))
    .panel(panel(
        "dynamics violation |z' - mu(z, a)|^2, mean of the steps",
        true,
        |c| &c.violation,
    ))
    .panel(panel("reward of the planned states, sum", false, |c| {
        &c.planned
    }))
    .panel(panel("multiplier of the dynamics, mean", true, |c| {
        &c.multiplier
    }))
    .panel(panel("return of the actions, rolled out", false, |c| {
        &c.rolled_out
    }))
}
