//! What a plan should take over from the one before it: nothing, the trajectory alone, or the
//! multipliers as well, and how much of them. Measured in closed loop over iteration budgets.
//!
//! Every plan has the same budget, the first of an episode too: that is what a fixed time per tick
//! allows. There is one Gaussian start and no fresh one beside a warm plan, so that the figures are
//! those of the warm start alone.

use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_pictures::{Curves, Panel};

use crate::ExperimentError;
use crate::cells::Experiment;
use crate::options::{Common, Parts};
use crate::table::{Table, count, exponent, fixed, interval, text};
use crate::tables::grid::{self, Cell, Wanted};

/// How plans start, and what the multipliers of a shifted plan are multiplied with: none for plans from nothing.
pub const STARTS: [(&str, Option<f64>); 6] = [
    ("cold", None),
    ("copied", Some(1.0)),
    ("relaxed 0.3", Some(0.3)),
    ("relaxed 0.1", Some(0.1)),
    ("relaxed 0.01", Some(0.01)),
    ("reset", Some(0.0)),
];
/// Iterations per plan of a quick run and of a full one.
const BUDGETS: (&[u32], &[u32]) = (&[2, 10, 50], &[1, 2, 5, 10, 20, 50]);

/// What is measured.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What all experiments take.
    #[command(flatten)]
    pub common: Common,
    /// What is run of it.
    #[command(flatten)]
    pub parts: Parts,
    /// Folder of the model bundle.
    #[arg(long, default_value = "models/bundles/reach")]
    pub bundle: PathBuf,
    /// Simulated task.
    #[arg(long, default_value = "reach")]
    pub task: String,
    /// Robot configuration with the settings that are not varied; by default the built-in ones.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Iterations of a plan [default: 1,2,5,10,20,50, quick 2,10,50].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub budgets: Vec<u32>,
    /// Episodes of each cell [default: 50, quick 6].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub episodes: Option<u32>,
}

impl Args {
    /// The experiment; its rows are the starts, its settings the iterations of a plan.
    ///
    /// # Errors
    /// A configuration or manifest that cannot be read.
    pub fn experiment(&self) -> Result<Experiment<'_, Cell>, ExperimentError> {
        let (common, task) = (&self.common, &self.task);
        let (quick, full) = BUDGETS;
        let config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        let given = Some(&*self.budgets).filter(|budgets| !budgets.is_empty());
        let mut cells = Vec::new();
        for budget in common.or(given, quick, full) {
            for (row, multipliers) in STARTS {
                let config = configured(&config, multipliers, *budget);
                let setting = format!("{budget} iterations");
                cells.push(Wanted::new(
                    task,
                    self.bundle.clone(),
                    (row, &setting),
                    config,
                )?);
            }
        }
        let episodes = common.or(self.episodes, 6, 50);
        let out = common.out("warm-start");
        let before = format!(
            "# Warm start\n\nTask {task}, {episodes} episodes each from seed {}, one Gaussian start, the same iterations for \
             every plan.",
            common.seed
        );
        let report = move |cells: &[Cell]| {
            let after = "\nPredicted: mean of the clipped rollout returns of the plans. Real: the rewards in the steps that \
                         these plans were about, under replanning.\n";
            let out = self.common.out("warm-start");
            columns().write(&out, "warm_start", cells, (&before, after))?;
            let title = format!("warm start on {}, {episodes} episodes", self.task);
            Ok(plot(title, cells).save(&out.join("warm_start.png"))?)
        };
        Ok(grid::experiment(
            "warm-start",
            cells,
            (episodes, common.seed),
            (out, self.parts.cell),
            ("warm_start.md".to_owned(), Box::new(report)),
        ))
    }
}

fn configured(config: &Config, multipliers: Option<f64>, budget: u32) -> Config {
    let mut config = config.clone();
    config.planner.kind = PlannerKind::Latco;
    (config.planner.budget_ms, config.planner.threads) = (None, 1);
    let latco = &mut config.planner.latco;
    (latco.starts, latco.sampled_starts) = (1, 0);
    (latco.iterations_cold, latco.iterations_warm) = (budget, budget);
    latco.warm_start = multipliers.is_some();
    if let Some(factor) = multipliers {
        latco.multiplier_relaxation = factor;
    }
    config
}

fn columns<'a>() -> Table<'a, &'a Cell> {
    Table::new()
        .column("iterations", "iterations", |c: &&Cell| {
            count(budget_of(c) as usize)
        })
        .column("start", "start", |c| text(&c.row))
        .column("episodes", "", |c| count(c.episodes.len()))
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

/// Iterations of each plan of a cell.
fn budget_of(cell: &Cell) -> f64 {
    let number = cell.setting.split(' ').next();
    number.and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
}

fn plot(title: String, cells: &[Cell]) -> Curves {
    let panel = |title: &str, is_log: bool, value: fn(&Cell) -> f64| {
        let panel = Panel::new(title, "iterations of each plan").log_x();
        let panel = if is_log { panel.log_y() } else { panel };
        STARTS.iter().fold(panel, |panel, (name, _)| {
            let of_start = cells.iter().filter(|cell| cell.row == *name);
            let points: Vec<(f64, f64)> = of_start
                .map(|cell| (budget_of(cell), value(cell)))
                .collect();
            panel.points(*name, &points)
        })
    };
    Curves::new(title)
        .panel(panel("episodes solved", false, |c| c.success))
        .panel(panel("dynamics violation, median", true, |c| {
            c.violation_median
        }))
        .panel(panel("predicted return of a plan", false, |c| {
            c.predicted_return
        }))
        .panel(panel("real return in the same steps", false, |c| {
            c.real_return
        }))
}
