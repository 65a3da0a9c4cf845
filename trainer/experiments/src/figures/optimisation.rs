//! Dynamics violation, reward and multipliers by iteration, with and without the relaxation of the
//! dynamics (figures 6 and 11 of the paper): medians over the first plans of many episodes.

use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::trace::IterationTrace;
use latco_envs::EVALUATION_SEED;
use latco_evaluate::{check_fit, percentile};
use latco_models::{Bundle, LoadOptions};
use latco_pictures::{Curves, Panel};
use serde::{Deserialize, Serialize};

use super::first::First;
use crate::cells::{Experiment, Step};
use crate::options::{Common, Parts};
use crate::table::{self, Table, count, exponent, fixed, text};
use crate::tables::grid::Wanted;
use crate::{ExperimentError, rows, write_file};

/// Arguments of `latco-train experiment curves`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What all experiments take.
    #[command(flatten)]
    pub common: Common,
    /// What is run of it.
    #[command(flatten)]
    pub parts: Parts,
    /// Tasks.
    #[arg(long, value_delimiter = ',', default_value = "reach,key,push,stick")]
    pub tasks: Vec<String>,
    /// Folder with a bundle named after each task.
    #[arg(long, default_value = "models/bundles")]
    pub bundles: PathBuf,
    /// Folder with a robot configuration named after each task.
    #[arg(long, default_value = "configs")]
    pub configs: PathBuf,
    /// Iterations of a plan (the paper: 100).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub iterations: u32,
    /// Plans of each cell: the first of so many evaluation episodes [default: 100, quick 10].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub plans: Option<u32>,
}

/// First quartile, median and third quartile over the plans, after every iteration.
pub type Quartiles = Vec<[f64; 3]>;

/// One variant on one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Name of the task.
    pub task: String,
    /// Name of the variant of LatCo.
    pub row: String,
    /// What it was made with: see [`Wanted::made_with`].
    pub made_with: String,
    /// Number of plans.
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

impl Args {
    fn plans(&self) -> u32 {
        self.common.or(self.plans, 10, 100)
    }

    /// The experiment; it writes `curves.csv`, `.md` and a plot for each task.
    ///
    /// # Errors
    /// Configurations and manifests that cannot be read.
    pub fn experiment(&self) -> Result<Experiment<'_, Cell>, ExperimentError> {
        let mut wanted = Vec::new();
        for task in &self.tasks {
            let config = Config::load(&self.configs.join(format!("{task}.toml")))?;
            for (row, mut config) in rows::relaxations(&config, self.iterations) {
                let latco = &mut config.planner.latco;
                latco.rollout_every_iterations = 1;
                // A plan that has converged goes on: all curves are of the same length.
                latco.reward_tolerance = 0.0;
                let bundle = self.bundles.join(task);
                wanted.push(Wanted::new(task, bundle, (row, ""), config)?);
            }
        }
        let (plans, seed) = (self.plans(), self.common.seed);
        Ok(Experiment {
            name: format!(
                "curves, {} iterations of {plans} plans from seed {seed}",
                self.iterations
            ),
            keys: (wanted.iter())
                .map(|w| format!("{} {} {}", w.task, w.row, w.made_with))
                .collect(),
            key: |cell| format!("{} {} {}", cell.task, cell.row, cell.made_with),
            out: self.common.out("curves"),
            part: self.parts.cell,
            steps: (u64::from(plans), "plans"),
            markdown: "curves.md".to_owned(),
            make: Box::new(move |number, step| self.one(&wanted[number], step)),
            report: Box::new(|cells| self.report(cells)),
        })
    }

    fn one(&self, wanted: &Wanted, step: &mut Step<'_>) -> Result<Option<Cell>, ExperimentError> {
        let bundle = Bundle::load(&wanted.bundle, &LoadOptions::default())?;
        let mut robot = latco_envs::make(&wanted.task, bundle.manifest().image.width)?;
        check_fit(&bundle, robot.as_ref())?;
        let mut first = First::new(&bundle, &wanted.config)?;
        let mut traces: Vec<Vec<IterationTrace>> = Vec::new();
        for number in 0..u64::from(self.plans()) {
            robot.reset(EVALUATION_SEED + self.common.seed + number);
            first.plan(robot.as_ref(), self.common.seed + number)?;
            traces.push(first.trace.iterations().to_vec());
            if step().is_break() && traces.len() < self.plans() as usize {
                return Ok(None);
            }
        }
        Ok(Some(Cell {
            task: wanted.task.clone(),
            row: wanted.row.clone(),
            made_with: wanted.made_with.clone(),
            plans: self.plans(),
            violation: quartiles(&traces, |i| i.dynamics_violation_mean),
            planned: quartiles(&traces, |i| i.planned_reward),
            rolled_out: quartiles(&traces, |i| i.rollout_return),
            multiplier: quartiles(&traces, |i| i.dynamics_multiplier_mean),
        }))
    }

    fn report(&self, cells: &[Cell]) -> Result<(), ExperimentError> {
        let out = &self.common.out("curves");
        let all = (cells.iter()).flat_map(|cell| (0..cell.violation.len()).map(move |k| (cell, k)));
        write_file(&out.join("curves.csv"), &columns().csv(all.clone()))?;
        let some = all.filter(|(_, number)| TOLD.contains(&(number + 1)));
        let text = self.introduction() + &columns().markdown(some);
        write_file(&out.join("curves.md"), &text)?;
        for task in &self.tasks {
            let of_task: Vec<&Cell> = cells.iter().filter(|c| c.task == *task).collect();
            if !of_task.is_empty() {
                plot(task, self.plans(), &of_task).save(&out.join(format!("curves-{task}.png")))?;
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
            self.plans(),
            self.common.seed,
            self.iterations
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
