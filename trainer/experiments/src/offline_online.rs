//! Planners on models of offline data, and on models improved online with the same planner (table 2
//! of the paper).
//!
//! The models are made by whoever calls, which needs the trainer. Two of one seed differ, as collecting
//! and training go side by side.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_pictures::{Interval, Intervals};
use serde::{Deserialize, Serialize};

use crate::cells::Cells;
use crate::tables::grid::{self, Wanted};
use crate::{ExperimentError, Progress, csv, paper, rows, write_file};

/// Which model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Trained on the offline data alone, the same for all planners.
    Offline,
    /// Trained on that and on what the planner then collected.
    Online,
}

impl Stage {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Offline, Self::Online];

    /// The name as it stands in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Online => "offline + online",
        }
    }
}

/// What is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tasks; the paper's are Thermos and Hammer, in two stages with a tool.
    pub tasks: Vec<String>,
    /// Planners.
    pub planners: Vec<PlannerKind>,
    /// Folder with a robot configuration for each task.
    pub configs: PathBuf,
    /// CPU time of a plan in the evaluation, ms.
    pub equal_ms: f64,
    /// Evaluation episodes of each cell.
    pub episodes: u32,
    /// First evaluation episode, and seed.
    pub seed: u64,
    /// How the models are made, in words; results of others cannot be merged.
    pub budget: String,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only a part of the cells.
    pub part: Option<(usize, usize)>,
}

/// One model that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Task.
    pub task: String,
    /// Planner that evaluates, and collects.
    pub planner: PlannerKind,
    /// Offline or online.
    pub stage: Stage,
}

/// One cell that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The evaluation; its setting is the stage.
    pub evaluation: grid::Cell,
}

impl Model {
    fn key(&self) -> String {
        key(&self.task, self.planner.name(), self.stage.name())
    }
}

fn key(task: &str, planner: &str, stage: &str) -> String {
    format!("{task} {planner} {stage}")
}

impl crate::cells::Cell for Cell {
    fn key(&self) -> String {
        let e = &self.evaluation;
        key(&e.task, &e.row, &e.setting)
    }
}

impl Options {
    /// The models, in their order.
    #[must_use]
    pub fn models(&self) -> Vec<Model> {
        let mut models = Vec::new();
        for task in &self.tasks {
            for planner in &self.planners {
                models.extend(Stage::ALL.map(|stage| Model {
                    task: task.clone(),
                    planner: *planner,
                    stage,
                }));
            }
        }
        models
    }

    /// The cells, to be merged.
    #[must_use]
    pub fn cells(&self) -> Cells {
        Cells {
            experiment: format!(
                "table2, {}, {} ms, {} episodes from seed {}",
                self.budget, self.equal_ms, self.episodes, self.seed
            ),
            keys: self.models().iter().map(Model::key).collect(),
            out: self.out.clone(),
            part: self.part,
            steps: u64::from(self.episodes),
        }
    }

    /// Runs the cells that are missing: `make` gives the folder of a model's bundle, none if it was
    /// stopped. Writes `table2.csv`, `.md` and `.png` after each.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn run(
        &self,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
        mut make: impl FnMut(&Model) -> Result<Option<PathBuf>, ExperimentError>,
    ) -> Result<Vec<Cell>, ExperimentError> {
        let models = self.models();
        self.cells().run(
            progress,
            |number, step| {
                let model = &models[number];
                let Some(bundle) = make(model)? else {
                    return Ok(None);
                };
                let config = Config::load(&self.configs.join(format!("{}.toml", model.task)))?;
                let config = rows::at_equal_time(&config, model.planner, self.equal_ms);
                let place = (model.planner.name(), model.stage.name());
                let wanted = Wanted::new(&model.task, bundle, place, config)?;
                let ran = wanted.run(self.episodes, self.seed, step)?;
                Ok(ran.map(|evaluation| Cell { evaluation }))
            },
            |cells| self.report(cells),
        )
    }

    fn report(&self, cells: &[Cell]) -> Result<(), ExperimentError> {
        let lines = cells.iter().map(|cell| {
            let c = &cell.evaluation;
            format!(
                "{},{},{},\"{}\",{},{},{},{},{},{},{}",
                c.task,
                c.row,
                c.setting,
                c.budget,
                c.episodes.len(),
                c.success,
                c.success_low,
                c.success_high,
                c.mean_return,
                c.measured.plan_ms_p50,
                c.measured.plans_per_s
            )
        });
        let head = "task,planner,model,budget,episodes,success,success_low,success_high,mean_return,plan_ms_p50,plans_per_s";
        write_file(&self.out.join("table2.csv"), &csv(head, lines))?;
        write_file(&self.out.join("table2.md"), &self.markdown(cells))?;
        let mut picture = Intervals::new(
            "Offline and online data (table 2 of the paper)",
            "share of episodes solved, 95 % Wilson interval",
            Stage::ALL.map(Stage::name),
        );
        for task in &self.tasks {
            let rows = self.planners.iter().map(|planner| {
                let values = Stage::ALL.into_iter().enumerate().filter_map(|(k, stage)| {
                    let c = find(cells, task, *planner, stage)?;
                    Some(Interval {
                        series: k,
                        value: c.success,
                        low: c.success_low,
                        high: c.success_high,
                    })
                });
                (planner.name().to_owned(), values.collect())
            });
            picture = picture.panel(task.as_str(), rows.collect());
        }
        picture.save(&self.out.join("table2.png"))?;
        Ok(())
    }

    /// The table as text.
    #[must_use]
    pub fn markdown(&self, cells: &[Cell]) -> String {
        let mut text = format!(
            "# Offline and online data (table 2 of the paper)\n\nModels: {}. Success: {} episodes from seed {}, solved after any \
             step, with its 95 % Wilson interval; every plan may take {} ms of CPU time of one thread.\n\n\
             | task | planner | a plan's budget | offline | offline + online | plans/s | the paper's, offline + online |\n\
             |---|---|---|---|---|---|---|\n",
            self.budget, self.episodes, self.seed, self.equal_ms
        );
        for task in &self.tasks {
            for planner in &self.planners {
                let stages = Stage::ALL.map(|stage| find(cells, task, *planner, stage));
                let Some(any) = stages.iter().flatten().next() else {
                    continue;
                };
                let [offline, online] = stages.map(|cell| {
                    cell.map_or("not run".to_owned(), |c| {
                        format!(
                            "{:.2} ({:.2} to {:.2})",
                            c.success, c.success_low, c.success_high
                        )
                    })
                });
                let figures = paper::table2(planner.name());
                let figures: Vec<String> = figures.iter().map(|f| f.to_string()).collect();
                let _ = writeln!(
                    text,
                    "| {task} | {} | {} | {offline} | {online} | {:.1} | {} |",
                    planner.name(),
                    any.budget,
                    any.measured.plans_per_s,
                    if figures.is_empty() {
                        "none".to_owned()
                    } else {
                        figures.join("; ")
                    }
                );
            }
        }
        let _ = writeln!(
            text,
            "\n{} In the paper the models are trained on 400 000 environment steps beside the offline data.",
            paper::TASKS_DIFFER
        );
        text
    }
}

fn find<'a>(
    cells: &'a [Cell],
    task: &str,
    planner: PlannerKind,
    stage: Stage,
) -> Option<&'a grid::Cell> {
    let all = cells.iter().map(|cell| &cell.evaluation);
    let is =
        |c: &&grid::Cell| c.task == task && c.row == planner.name() && c.setting == stage.name();
    all.into_iter().find(is)
}
