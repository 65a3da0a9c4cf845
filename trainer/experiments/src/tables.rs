//! Tables and figures of the paper that compare planners: which cells they have, and how they are
//! written.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_pictures::{Curves, Panel};

use crate::ExperimentError;
use crate::grid::{Cell, Grid, Wanted};

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Planners on tasks (table 1 of the paper).
    Planners,
    /// Ablations of LatCo (table 3).
    Ablations,
    /// Success by the distance from the goal (figure 4).
    Difficulty,
    /// Which goal of the Lottery is chosen (figure 7).
    Lottery,
}

/// What a table is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which.
    pub table: Table,
    /// Only what fits on a laptop: the planners at equal time, without the paper's own settings.
    pub quick: bool,
    /// Tasks; those of the table if empty.
    pub tasks: Vec<String>,
    /// Folder with a bundle for each task.
    pub bundles: PathBuf,
    /// Folder with a robot configuration for each task, for LatCo's settings and the robot's limits.
    pub configs: PathBuf,
    /// Time of a plan at equal time, ms.
    pub equal_ms: f64,
    /// Episodes of each cell.
    pub episodes: u32,
    /// First evaluation episode.
    pub seed: u64,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only a part of the cells.
    pub part: Option<(usize, usize)>,
}

impl Table {
    /// The name as it stands in commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planners => "table1",
            Self::Ablations => "table3",
            Self::Difficulty => "difficulty",
            Self::Lottery => "lottery",
        }
    }

    fn tasks(self) -> &'static [&'static str] {
        match self {
            Self::Planners => &["reach", "key", "push", "stick"],
            Self::Ablations => &["key", "push"],
            Self::Difficulty => &["reach", "key"],
            Self::Lottery => &["lottery"],
        }
    }
}

/// Success rates of the paper, in percent: Meta-World's sparse tasks Reaching, Button, Window, Drawer,
/// Pushing (table 1).
const PAPER_TABLE_1: [(PlannerKind, &str); 4] = [
    (PlannerKind::Latco, "91, 55, 49, 46, 38"),
    (PlannerKind::Cem, "20, 13, 31, 22, 22"),
    (PlannerKind::Mppi, "16, 10, 30, 21, 21"),
    (PlannerKind::ShootingGd, "8, 7, 28, 18, 19"),
];

/// The paper's table 3, Button: success in percent, plans per second.
const PAPER_TABLE_3: [(&str, &str); 5] = [
    ("latco", "55, 1.6/s"),
    ("no_relaxation", "38, 1.6/s"),
    ("no_constrained", "40, 1.6/s"),
    ("no_deterministic", "43, 1.6/s"),
    ("no_second_order", "48, 0.1/s"),
];

/// Follows the task in the name of the folder of a bundle trained with `model.deter = 0`.
const NO_DETERMINISTIC: &str = "-no-deterministic";

impl Options {
    /// The cells.
    ///
    /// # Errors
    /// A configuration cannot be read.
    pub fn grid(&self) -> Result<Grid, latco_controller::ConfigError> {
        let tasks: Vec<String> = if self.tasks.is_empty() {
            self.table.tasks().iter().map(|t| (*t).to_owned()).collect()
        } else {
            self.tasks.clone()
        };
        let mut cells = Vec::new();
        for task in tasks {
            let mut config = Config::load(&self.configs.join(format!("{task}.toml")))?;
            config.planner.budget_ms = None;
            if self.table == Table::Ablations {
                for ablation in ablations(&self.configs, &config)? {
                    let bundle = self.bundles.join(format!("{task}{}", ablation.bundle));
                    // The one that has to be trained for it may not be there.
                    if ablation.bundle.is_empty() || bundle.exists() {
                        cells.push(Wanted {
                            bundle,
                            task: task.clone(),
                            row: ablation.row.to_owned(),
                            setting: "paper".to_owned(),
                            config: ablation.config,
                        });
                    }
                }
                continue;
            }
            let mut add = |row: &str, setting: &str, config: Config| {
                cells.push(Wanted {
                    bundle: self.bundles.join(&task),
                    task: task.clone(),
                    row: row.to_owned(),
                    setting: setting.to_owned(),
                    config,
                });
            };
            for kind in PlannerKind::ALL {
                add(kind.name(), "equal_time", self.at_equal_time(&config, kind));
                if !self.quick {
                    let mut paper = config.clone();
                    paper.planner.kind = kind;
                    add(kind.name(), "paper", paper);
                }
            }
        }
        Ok(Grid {
            experiment: format!("{}, {} ms at equal time", self.table.name(), self.equal_ms),
            cells,
            episodes: self.episodes,
            seed: self.seed,
            out: self.out.clone(),
            part: self.part,
        })
    }

    /// As many iterations as fit into the same time. Of samples there are as many as let several
    /// iterations fit.
    fn at_equal_time(&self, config: &Config, kind: PlannerKind) -> Config {
        const MANY: u32 = 1_000_000;
        let mut config = config.clone();
        let planner = &mut config.planner;
        planner.kind = kind;
        planner.budget_ms = Some(self.equal_ms);
        (planner.cem.iterations, planner.mppi.iterations) = (MANY, MANY);
        (planner.cem.samples, planner.mppi.samples) = (128, 128);
        (planner.cem.elites, planner.mppi.elites) = (12, 12);
        (planner.cem.warm_start, planner.mppi.warm_start) = (true, true);
        let gd = &mut planner.shooting_gd;
        (gd.iterations_cold, gd.iterations_warm) = (MANY, MANY);
        let gn = &mut planner.shooting_gn;
        (gn.iterations_cold, gn.iterations_warm) = (MANY, MANY);
        let ilqr = &mut planner.ilqr;
        (ilqr.iterations_cold, ilqr.iterations_warm) = (MANY, MANY);
        config
    }

    /// Writes CSV, Markdown and plot of the cells that are done.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn report(&self, cells: &[Cell]) -> Result<(), ExperimentError> {
        let name = self.table.name();
        let save = |end: &str, text: String| {
            let path = self.out.join(format!("{name}.{end}"));
            std::fs::write(&path, text).map_err(|source| ExperimentError::Io { path, source })
        };
        save("csv", csv(cells))?;
        save("md", self.markdown(cells))?;
        self.plot(&self.out.join(format!("{name}.png")), cells)
    }

    /// The table as text.
    #[must_use]
    pub fn markdown(&self, cells: &[Cell]) -> String {
        let mut text = format!(
            "# {}\n\n{} episodes a cell from seed {}; success with its 95 % Wilson interval. All planners have the same bundle, belief, \
             lead and replanning at every step, and are judged by the true reward.",
            self.table.name(),
            self.episodes,
            self.seed
        );
        if self.table != Table::Ablations {
            let _ = write!(
                text,
                " `equal_time`: every plan may take {} ms, CEM and MPPI sample 128 sequences an iteration; `paper`: the paper's iterations.",
                self.equal_ms
            );
        }
        text.push_str("\n\n");
        let choice = self.table == Table::Lottery;
        text.push_str("| task | planner | setting | success | return | plan ms, median (99 %) | iterations | promised |");
        text.push_str(if choice {
            " Top / Bottom / none | mean reward of the choice |\n|---|---|---|---|---|---|---|---|---|---|\n"
        } else {
            " the paper's |\n|---|---|---|---|---|---|---|---|---|\n"
        });
        for c in cells {
            let _ = write!(
                text,
                "| {} | {} | {} | {:.2} ({:.2} to {:.2}) | {:.2} | {:.1} ({:.1}) | {:.0} | {:.2} |",
                c.task,
                c.row,
                c.setting,
                c.success,
                c.success_low,
                c.success_high,
                c.mean_return,
                c.plan_ms_p50,
                c.plan_ms_p99,
                c.iterations,
                c.promised
            );
            if choice {
                let count =
                    |is: fn(f64) -> bool| c.episodes.iter().filter(|e| is(e.first_reward)).count();
                let rewards = c.episodes.iter().map(|e| e.first_reward);
                let _ = writeln!(
                    text,
                    " {} / {} / {} | {:.2} |",
                    count(|r| r == 1.0),
                    count(|r| r != 1.0 && r != 0.0),
                    count(|r| r == 0.0),
                    rewards.sum::<f64>() / c.episodes.len().max(1) as f64
                );
            } else {
                let _ = writeln!(text, " {} |", self.of_the_paper(&c.row));
            }
        }
        text.push_str(match self.table {
            Table::Lottery => {
                "\nThe paper (figure 7): Gaussian LatCo chooses Top, CEM Bottom, deterministic LatCo and Shooting GD both about equally often.\n"
            }
            Table::Ablations => {
                "\nThe paper's: success in percent on Button, plans per second on its GPU. `no_deterministic` is a property of the model: \
                 its row is there for tasks with a bundle `TASK-no-deterministic` (trained with `model.deter = 0`) beside the task's. \
                 Image collocation (the paper's: 18, 0.2/s) is not among the planners.\n"
            }
            _ => {
                "\nThe paper's: success in percent on Meta-World's sparse Reaching, Button, Window, Drawer, Pushing, whose robots and models are others.\n"
            }
        });
        text
    }

    fn of_the_paper(&self, row: &str) -> &'static str {
        if self.table == Table::Ablations {
            let found = PAPER_TABLE_3.iter().find(|(name, _)| *name == row);
            return found.map_or("-", |(_, figures)| figures);
        }
        let found = PAPER_TABLE_1.iter().find(|(kind, _)| kind.name() == row);
        found.map_or("-", |(_, figures)| figures)
    }

    fn plot(&self, file: &Path, cells: &[Cell]) -> Result<(), ExperimentError> {
        let mut tasks: Vec<&str> = Vec::new();
        for cell in cells {
            if !tasks.contains(&cell.task.as_str()) {
                tasks.push(&cell.task);
            }
        }
        let title = format!("{}, {} episodes", self.table.name(), self.episodes);
        let mut curves = Curves::new(title);
        for task in tasks {
            let of_task = || cells.iter().filter(|c| c.task == task);
            let panel = if self.table == Table::Difficulty {
                let panel =
                    Panel::new(format!("{task}: solved"), "difficulty, middle of a quarter");
                of_task().fold(panel, |panel, cell| {
                    panel.points(&cell.row, &quarters(cell))
                })
            } else {
                let panel = Panel::new(format!("{task}: solved"), "median time of a plan, ms");
                of_task().fold(panel.log_x(), |panel, cell| {
                    let name = format!("{} {}", cell.row, cell.setting);
                    panel.points(name, &[(cell.plan_ms_p50, cell.success)])
                })
            };
            curves = curves.panel(panel);
        }
        curves.save(file)?;
        Ok(())
    }
}

/// Success in each quarter of the episodes by difficulty, at its middle.
fn quarters(cell: &Cell) -> Vec<(f64, f64)> {
    let mut episodes = cell.episodes.clone();
    episodes.sort_by(|a, b| a.difficulty.total_cmp(&b.difficulty));
    let size = episodes.len().div_ceil(4).max(1);
    (episodes.chunks(size))
        .map(|quarter| {
            let solved = quarter.iter().filter(|e| e.success).count();
            let middle = quarter[quarter.len() / 2].difficulty;
            (middle, solved as f64 / quarter.len() as f64)
        })
        .collect()
}

/// One row of table 3.
struct Ablation {
    row: &'static str,
    config: Config,
    /// What the folder of the bundle is called after the task; the bundle of all other rows if empty.
    bundle: &'static str,
}

/// LatCo without one of its parts each: the settings of `[planner.latco]` in `ablations/ROW.toml` under
/// the folder of the configurations.
fn ablations(
    configs: &Path,
    config: &Config,
) -> Result<Vec<Ablation>, latco_controller::ConfigError> {
    let ablation = |row, config, bundle| Ablation {
        row,
        config,
        bundle,
    };
    let mut config = config.clone();
    config.planner.kind = PlannerKind::Latco;
    let mut rows = vec![ablation("latco", config.clone(), "")];
    for row in [
        "no_relaxation",
        "no_constrained",
        "no_second_order",
        "no_sampled_start",
    ] {
        let file = format!("ablations/{}.toml", row.replace('_', "-"));
        let mut config = config.clone();
        config.planner.latco = Config::load(&configs.join(file))?.planner.latco;
        rows.push(ablation(row, config, ""));
    }
    // A property of the model and not of the planner.
    rows.push(ablation(
        "no_deterministic",
        config.clone(),
        NO_DETERMINISTIC,
    ));
    let mut shooting = config;
    shooting.planner.kind = PlannerKind::ShootingGn;
    rows.push(ablation("shooting_gn", shooting, ""));
    Ok(rows)
}

fn csv(cells: &[Cell]) -> String {
    let mut text = String::from(
        "task,row,setting,episodes,success,success_low,success_high,mean_return,plan_ms_p50,plan_ms_p99,iterations,promised\n",
    );
    for c in cells {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{}",
            c.task,
            c.row,
            c.setting,
            c.episodes.len(),
            c.success,
            c.success_low,
            c.success_high,
            c.mean_return,
            c.plan_ms_p50,
            c.plan_ms_p99,
            c.iterations,
            c.promised
        );
    }
    text
}
