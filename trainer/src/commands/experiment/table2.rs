//! `latco-train experiment table2`: planners on models of offline data, and on models improved online with the same planner
//! (table 2 of the paper).
//!
//! Two models of one seed differ, as collecting and training go side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::cells::Experiment;
use latco_experiments::options::positive;
use latco_experiments::tables::grid::{Cell, Wanted};
use latco_experiments::tables::report::{columns, successes};
use latco_experiments::{ExperimentError, paper, rows};
use latco_trainer::online::{self, OnlineConfig, RunSettings};

use super::cells::run_cells;
use super::training::{Training, failed, sum};
use crate::commands::shell::stop_flag;
use crate::commands::{collect, online as command};

/// Name of the experiment.
const NAME: &str = "table2";
/// What the models are trained on: the offline data alone, the same for all planners, or that and what the planner then
/// collected.
const STAGES: [&str; 2] = ["offline", "offline + online"];

/// Arguments of `latco-train experiment table2`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    training: Training,
    /// Tasks, with a training configuration TASK.toml each.
    #[arg(long, value_delimiter = ',', default_value = "stick,key")]
    tasks: Vec<String>,
    /// Offline episodes, of the scripted mixture of good and bad ones [default: 2000, quick 200].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    offline: Option<u64>,
    /// CPU time of a plan in the evaluation, ms.
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    equal_ms: f64,
    /// Evaluation episodes of each cell [default: 100, quick 20].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: Option<u32>,
}

/// Makes the models and evaluates them, and writes `table2.csv`, `.md` and `.png`. The setting of a cell is what its model was
/// trained on.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let training = &args.training;
    let common = &training.common;
    let offline = common.or(args.offline, 200, 2000);
    let mut configs = Vec::new();
    for task in &args.tasks {
        let mut config = training.config(&format!("{task}.toml"))?;
        // The offline data take the place of a policy that begins.
        config.online.seed_episodes = 0;
        if common.quick && training.collect.is_none() {
            config.online.episodes = config.online.episodes.min(60);
        }
        configs.push(config);
    }
    let (episodes, seed) = (common.or(args.episodes, 20, 100), common.seed);
    let budget = &format!(
        "{offline} offline episodes of the scripted mixture of good and bad ones, then {} by the planner, \
         configurations {}",
        configs[0].online.episodes,
        sum(&configs)?
    );
    let mut wanted = Vec::new();
    for (task, config) in args.tasks.iter().zip(&configs) {
        for planner in &training.planners {
            wanted.extend(STAGES.map(|stage| (task, config, *planner, stage)));
        }
    }
    let key = |task: &str, planner: &str, stage: &str| format!("{task} {planner} {stage}");
    let models = Models {
        folder: training.work(NAME),
        training,
        offline,
        stop: stop_flag()?,
    };
    let experiment = Experiment {
        name: format!(
            "{NAME}, {budget}, {} ms, {episodes} episodes from seed {seed}",
            args.equal_ms
        ),
        keys: (wanted.iter())
            .map(|(task, _, planner, stage)| key(task, planner.name(), stage))
            .collect(),
        key: |cell: &Cell| format!("{} {} {}", cell.task, cell.row, cell.setting),
        out: common.out(NAME),
        part: training.parts.cell,
        steps: (u64::from(episodes), "episodes"),
        markdown: "table2.md".to_owned(),
        make: Box::new(move |number, step| {
            let (task, config, planner, stage) = wanted[number];
            let made = match stage == STAGES[0] {
                true => models.offline(task, config),
                false => models.online(task, config, planner),
            };
            let Some(bundle) = made.map_err(failed)? else {
                return Ok(None);
            };
            let robot = Config::load(&training.configs.join(format!("{task}.toml")))?;
            let robot = rows::at_equal_time(&robot, planner, args.equal_ms);
            let place = (planner.name(), stage);
            Wanted::new(task, bundle, place, robot)?.run(episodes, seed, step)
        }),
        report: Box::new(|cells| {
            let before = format!(
                "# Offline and online data (table 2 of the paper)\n\nModels: {budget}. Success: {episodes} episodes from seed \
                 {seed}, solved after any step, with its 95 % Wilson interval; every plan may take {} ms of CPU time of one \
                 thread. The setting says what the model was trained on.",
                args.equal_ms
            );
            report(&before, &common.out(NAME), cells)
        }),
    };
    run_cells(common, &training.parts, experiment)
}

fn report(before: &str, out: &Path, cells: &[Cell]) -> Result<(), ExperimentError> {
    let after = format!(
        "\n{} They are of models with offline and online data, trained on 400 000 environment steps beside the offline data.\n",
        paper::TASKS_DIFFER
    );
    let found = |cell: &Cell| {
        let figures = paper::table2(&cell.row);
        let figures: Vec<String> = figures.iter().map(|f| f.to_string()).collect();
        (!figures.is_empty()).then(|| figures.join("; "))
    };
    columns(found).write(out, NAME, cells, (before, &after))?;
    let title = "Offline and online data (table 2 of the paper)".to_owned();
    Ok(successes(title, cells).save(&out.join("table2.png"))?)
}

/// What the models of the table are made from.
struct Models<'a> {
    folder: PathBuf,
    training: &'a Training,
    offline: u64,
    stop: Arc<AtomicBool>,
}

impl Models<'_> {
    fn settings(&self, task: &str, config: &OnlineConfig) -> RunSettings {
        RunSettings {
            task: task.to_owned(),
            config: config.clone(),
            data: vec![self.folder.join(format!("{task}-data"))],
            exchange: None,
            seed: self.training.common.seed,
        }
    }

    /// The bundle of a run that ends with its first round: the model of the offline data. It is `None` if the run was stopped.
    fn offline(&self, task: &str, config: &OnlineConfig) -> anyhow::Result<Option<PathBuf>> {
        let mut settings = self.settings(task, config);
        settings.config.online.hours = 0.0;
        let (data, seed) = (settings.data[0].clone(), settings.seed);
        let size = config.fit.data.image_size;
        collect::run(collect::mixed(task, self.offline, size, data, seed))?;
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let out = self.folder.join(format!("{task}-offline"));
        self.run(&settings, &out, None, 0)
    }

    /// The bundle of a run that goes on from there with what the planner collects.
    fn online(
        &self,
        task: &str,
        config: &OnlineConfig,
        planner: PlannerKind,
    ) -> anyhow::Result<Option<PathBuf>> {
        if self.offline(task, config)?.is_none() {
            return Ok(None);
        }
        let out = self.folder.join(format!("{task}-online-{planner}"));
        let settings = self.settings(task, config);
        let from = self.folder.join(format!("{task}-offline"));
        online::begin_from(&from, &settings, &out)?;
        let planner = self.training.planner(task, planner)?;
        self.run(&settings, &out, Some(planner), self.training.collectors)
    }

    fn run(
        &self,
        settings: &RunSettings,
        out: &Path,
        planner: Option<String>,
        collectors: u32,
    ) -> anyhow::Result<Option<PathBuf>> {
        let ran = command::run_here(settings, out, planner, collectors, &self.stop)?;
        Ok(ran.ended.then_some(ran.bundle))
    }
}
