//! What the experiments that train share: configurations, and the folders of their runs.

use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::options::{Common, Parts};
use latco_experiments::{ExperimentError, rows};
use latco_models::sha256;
use latco_trainer::online::OnlineConfig;

use crate::commands::shell::BadInput;

/// The most steps that the trainings of a quick run have.
const QUICK_AUTOENCODER_STEPS: usize = 1500;
const QUICK_STEPS: usize = 1000;

/// The options of the experiments that train.
#[derive(clap::Args)]
pub(super) struct Training {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) parts: Parts,
    /// Collectors of each run, each a process of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(super) collectors: u32,
    /// Folder with a robot configuration named after each task.
    #[arg(long, default_value = "configs")]
    pub(super) configs: PathBuf,
    /// Folder with the training configurations.
    #[arg(long, default_value = "configs/train")]
    train_configs: PathBuf,
    /// Planners.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "latco,cem,mppi,shooting_gd"
    )]
    pub(super) planners: Vec<PlannerKind>,
    /// Episodes that a run collects at most; by default those of its configuration.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) collect: Option<u64>,
}

impl Training {
    /// The configuration of a run, smaller in a quick one.
    pub(super) fn config(&self, file: &str) -> anyhow::Result<OnlineConfig> {
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
        if self.common.quick {
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
    pub(super) fn planner(&self, task: &str, kind: PlannerKind) -> Result<String, ExperimentError> {
        let config = Config::load(&self.configs.join(format!("{task}.toml")))?;
        toml::to_string(&rows::collecting(&config, kind))
            .map_err(|e| ExperimentError::Program(format!("the planner's configuration: {e}")))
    }

    /// The folder in which this job trains for an experiment: parts that share a folder do not share trainings.
    pub(super) fn work(&self, experiment: &str) -> PathBuf {
        let out = self.common.out(experiment);
        match self.parts.cell {
            None => out.join("training"),
            Some((part, of)) => out.join(format!("training-{part}-of-{of}")),
        }
    }
}

/// Part of a SHA-256 that tells configurations apart.
pub(super) fn sum(configs: &[OnlineConfig]) -> anyhow::Result<String> {
    Ok(sha256(&serde_json::to_vec(configs)?)[..8].to_owned())
}

/// The error of a run, as that of its experiment.
pub(super) fn failed(error: anyhow::Error) -> ExperimentError {
    ExperimentError::Program(format!("{error:#}"))
}
