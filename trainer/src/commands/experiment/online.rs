//! Experiments that train: learning curves, and models of offline data that are improved online.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::learning::{self, Point, Run};
use latco_experiments::offline_online::{self, Model, Stage};
use latco_experiments::options::{Common, Parts, positive};
use latco_experiments::{ExperimentError, rows};
use latco_models::sha256;
use latco_trainer::online::{self, Curve, OnlineConfig, RunSettings};

use super::cells::run_cells;
use crate::commands::shell::{BadInput, stop_flag};
use crate::commands::{collect, online as command};

/// What is left of trainings in a quick run, steps at most.
const QUICK_AUTOENCODER_STEPS: usize = 1500;
const QUICK_STEPS: usize = 1000;

/// What both take.
#[derive(clap::Args)]
struct Training {
    /// Collectors of each run, each a process of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    collectors: u32,
    /// Folder with a robot configuration named after each task.
    #[arg(long, default_value = "configs")]
    configs: PathBuf,
    /// Folder with the training configurations.
    #[arg(long, default_value = "configs/train")]
    train_configs: PathBuf,
    /// Planners.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "latco,cem,mppi,shooting_gd"
    )]
    planners: Vec<PlannerKind>,
    /// Episodes that a run collects at most; by default those of its configuration.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    collect: Option<u64>,
}

#[derive(clap::Args)]
pub(super) struct LearningArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    parts: Parts,
    #[command(flatten)]
    training: Training,
    /// Tasks, with a configuration online-TASK.toml each.
    #[arg(long, value_delimiter = ',', default_value = "reach")]
    tasks: Vec<String>,
    /// Seeds of each planner on each task [default: 3, quick 1].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
}

#[derive(clap::Args)]
pub(super) struct Table2Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    parts: Parts,
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

impl Training {
    /// The configuration of a run, smaller in a quick one.
    fn config(&self, file: &str, quick: bool) -> anyhow::Result<OnlineConfig> {
        let path = self.train_configs.join(file);
        let mut config = OnlineConfig::read(&path)
            .map_err(|e| BadInput::new(format!("{}: {e}", path.display())))?;
        if config.fit.data.image_size == 0 {
            return Err(BadInput::new(format!(
                "{}: data.image_size: expected the size of the pictures that are made, found 0",
                path.display()
            )));
        }
        let online = &mut config.online;
        if quick {
            let fit = &mut config.fit;
            fit.autoencoder.steps = fit.autoencoder.steps.min(QUICK_AUTOENCODER_STEPS);
            fit.training.steps = fit.training.steps.min(QUICK_STEPS);
            online.renew_at.clear();
            online.seed_episodes = online.seed_episodes.min(150);
            online.episodes = online.episodes.min(350);
        }
        if let Some(collect) = self.collect {
            online.episodes = collect as usize;
            online.seed_episodes = online.seed_episodes.min(online.episodes);
        }
        Ok(config)
    }

    /// The configuration of the planner that collects.
    fn planner(&self, task: &str, kind: PlannerKind) -> Result<String, ExperimentError> {
        let config = Config::load(&self.configs.join(format!("{task}.toml")))?;
        toml::to_string(&rows::collecting(&config, kind))
            .map_err(|e| ExperimentError::Program(format!("the planner's configuration: {e}")))
    }
}

/// Tells configurations apart.
fn sum(configs: &[OnlineConfig]) -> anyhow::Result<String> {
    Ok(sha256(&serde_json::to_vec(configs)?)[..8].to_owned())
}

/// Where this job trains: parts that share a folder do not share trainings.
fn work(out: &Path, part: Option<(usize, usize)>) -> PathBuf {
    match part {
        None => out.join("training"),
        Some((part, of)) => out.join(format!("training-{part}-of-{of}")),
    }
}

fn failed(error: &anyhow::Error) -> ExperimentError {
    ExperimentError::Program(format!("{error:#}"))
}

pub(super) fn learning_curves(args: LearningArgs) -> anyhow::Result<ExitCode> {
    let (common, training) = (&args.common, &args.training);
    let mut configs = Vec::new();
    for task in &args.tasks {
        configs.push(training.config(&format!("online-{task}.toml"), common.quick)?);
    }
    let first = &configs[0].online;
    let options = learning::Options {
        tasks: args.tasks.clone(),
        planners: training.planners.clone(),
        seeds: common.or(args.seeds, 1, 3),
        budget: format!(
            "{} episodes, {} of them by {} first, {} h at most, configurations {}",
            first.episodes,
            first.seed_episodes,
            first.seed_policy,
            first.hours,
            sum(&configs)?
        ),
        out: common.out("learning-curves"),
        part: args.parts.cell,
    };
    let folder = work(&options.out, options.part);
    let stop = stop_flag()?;
    let mut make = |run: &Run| -> Result<Option<Vec<Point>>, ExperimentError> {
        let number = args.tasks.iter().position(|task| *task == run.task);
        let settings = RunSettings {
            task: run.task.clone(),
            config: configs[number.unwrap_or(0)].clone(),
            data: Vec::new(),
            exchange: None,
            seed: run.seed,
        };
        let planner = training.planner(&run.task, run.planner)?;
        let out = folder.join(run.name());
        let ran = command::run_here(&settings, &out, Some(planner), training.collectors, &stop);
        if !ran.map_err(|e| failed(&e))?.ended {
            return Ok(None);
        }
        points(&out).map(Some).map_err(|e| failed(&e))
    };
    run_cells(common, &args.parts, options.experiment(&mut make))
}

/// The episodes of a run that is at its end.
fn points(run: &Path) -> anyhow::Result<Vec<Point>> {
    let curve = Curve::open(run).with_context(|| run.display().to_string())?;
    let mut steps = 0;
    let points = curve.rows().iter().map(|row| {
        steps += row.steps as u64;
        Point {
            steps,
            planned: row.generation > 0,
            solved: row.solved,
            episode_return: row.episode_return,
            time_s: row.time_s,
        }
    });
    Ok(points.collect())
}

pub(super) fn table2(args: Table2Args) -> anyhow::Result<ExitCode> {
    let (common, training) = (&args.common, &args.training);
    let offline = common.or(args.offline, 200, 2000);
    let mut configs = Vec::new();
    for task in &args.tasks {
        let mut config = training.config(&format!("{task}.toml"), common.quick)?;
        // The offline data take the place of a policy that begins.
        config.online.seed_episodes = 0;
        if common.quick && training.collect.is_none() {
            config.online.episodes = config.online.episodes.min(60);
        }
        configs.push(config);
    }
    let options = offline_online::Options {
        tasks: args.tasks.clone(),
        planners: training.planners.clone(),
        configs: training.configs.clone(),
        equal_ms: args.equal_ms,
        episodes: common.or(args.episodes, 20, 100),
        seed: common.seed,
        budget: format!(
            "{offline} offline episodes of the scripted mixture of good and bad ones, then {} by the planner, \
             configurations {}",
            configs[0].online.episodes,
            sum(&configs)?
        ),
        out: common.out("table2"),
        part: args.parts.cell,
    };
    let models = Models {
        folder: work(&options.out, options.part),
        tasks: &args.tasks,
        configs: &configs,
        training,
        offline,
        seed: common.seed,
        stop: stop_flag()?,
    };
    let mut make = |model: &Model| models.make(model);
    run_cells(common, &args.parts, options.experiment(&mut make))
}

/// Makes the models of table 2.
struct Models<'a> {
    folder: PathBuf,
    tasks: &'a [String],
    configs: &'a [OnlineConfig],
    training: &'a Training,
    offline: u64,
    seed: u64,
    stop: Arc<AtomicBool>,
}

impl Models<'_> {
    fn make(&self, model: &Model) -> Result<Option<PathBuf>, ExperimentError> {
        let made = match model.stage {
            Stage::Offline => self.offline(&model.task),
            Stage::Online => self.online(model),
        };
        made.map_err(|e| failed(&e))
    }

    fn settings(&self, task: &str) -> RunSettings {
        let number = self.tasks.iter().position(|t| t == task).unwrap_or(0);
        RunSettings {
            task: task.to_owned(),
            config: self.configs[number].clone(),
            data: vec![self.folder.join(format!("{task}-data"))],
            exchange: None,
            seed: self.seed,
        }
    }

    /// A run that ends with its first round: the model of the offline data.
    fn offline(&self, task: &str) -> anyhow::Result<Option<PathBuf>> {
        let mut settings = self.settings(task);
        settings.config.online.hours = 0.0;
        let data = settings.data[0].clone();
        let size = settings.config.fit.data.image_size;
        collect::run(collect::mixed(task, self.offline, size, data, self.seed))?;
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.run(
            &settings,
            &self.folder.join(format!("{task}-offline")),
            None,
            0,
        )
    }

    /// Goes on from there with what the planner collects.
    fn online(&self, model: &Model) -> anyhow::Result<Option<PathBuf>> {
        let task = &model.task;
        if self.offline(task)?.is_none() {
            return Ok(None);
        }
        let name = model.planner.name();
        let out = self.folder.join(format!("{task}-online-{name}"));
        let settings = self.settings(task);
        online::begin_from(
            &self.folder.join(format!("{task}-offline")),
            &settings,
            &out,
        )?;
        let planner = self.training.planner(task, model.planner)?;
        self.run(&settings, &out, Some(planner), self.training.collectors)
    }

    /// The bundle of a run, none if it was stopped.
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
