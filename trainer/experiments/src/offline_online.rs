//! Planners on models of offline data, and on models improved online with the same planner (table 2
//! of the paper).
//!
//! The models are made by whoever calls, which needs the trainer. Two of one seed differ, as collecting
//! and training go side by side.

use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::config::PlannerKind;

use crate::cells::Experiment;
use crate::tables::grid::{Cell, Wanted};
use crate::tables::report::{columns, successes};
use crate::{ExperimentError, paper, rows};

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

/// Gives the folder of a model's bundle, none if its training was stopped.
pub type MakeModel<'a> = dyn FnMut(&Model) -> Result<Option<PathBuf>, ExperimentError> + 'a;

fn key(task: &str, planner: &str, stage: &str) -> String {
    format!("{task} {planner} {stage}")
}

impl Options {
    /// The models, in their order.
    fn models(&self) -> Vec<Model> {
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

    /// The experiment; it writes `table2.csv`, `.md` and `.png`. The setting of a cell is the stage of its model.
    pub fn experiment<'a>(&'a self, model: &'a mut MakeModel<'a>) -> Experiment<'a, Cell> {
        let models = self.models();
        let key_of = |m: &Model| key(&m.task, m.planner.name(), m.stage.name());
        Experiment {
            name: format!(
                "table2, {}, {} ms, {} episodes from seed {}",
                self.budget, self.equal_ms, self.episodes, self.seed
            ),
            keys: models.iter().map(key_of).collect(),
            key: |cell| key(&cell.task, &cell.row, &cell.setting),
            out: self.out.clone(),
            part: self.part,
            steps: (u64::from(self.episodes), "episodes"),
            markdown: "table2.md".to_owned(),
            make: Box::new(move |number, step| {
                let wanted = &models[number];
                let Some(bundle) = model(wanted)? else {
                    return Ok(None);
                };
                let config = Config::load(&self.configs.join(format!("{}.toml", wanted.task)))?;
                let config = rows::at_equal_time(&config, wanted.planner, self.equal_ms);
                let place = (wanted.planner.name(), wanted.stage.name());
                let wanted = Wanted::new(&wanted.task, bundle, place, config)?;
                wanted.run(self.episodes, self.seed, step)
            }),
            report: Box::new(|cells| self.report(cells)),
        }
    }

    fn report(&self, cells: &[Cell]) -> Result<(), ExperimentError> {
        let before = format!(
            "# Offline and online data (table 2 of the paper)\n\nModels: {}. Success: {} episodes from seed {}, solved after any \
             step, with its 95 % Wilson interval; every plan may take {} ms of CPU time of one thread. The setting says what the \
             model was trained on.",
            self.budget, self.episodes, self.seed, self.equal_ms
        );
        let after = format!(
            "\n{} They are of models with offline and online data, trained on 400 000 environment steps beside the offline data.\n",
            paper::TASKS_DIFFER
        );
        let found = |cell: &Cell| {
            let figures = paper::table2(&cell.row);
            let figures: Vec<String> = figures.iter().map(|f| f.to_string()).collect();
            (!figures.is_empty()).then(|| figures.join("; "))
        };
        columns(found).write(&self.out, "table2", cells, (&before, &after))?;
        let title = "Offline and online data (table 2 of the paper)".to_owned();
        successes(title, cells).save(&self.out.join("table2.png"))?;
        Ok(())
    }
}
