//! Figures of single plans and of the model.

use std::path::PathBuf;
use std::process::ExitCode;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::figures::{film, optimisation, reward_map};

use super::common::{Common, ProgressDisplay, load};
use super::error::as_usage_error;
use super::parts::Parts;
use crate::commands::shell::BadInput;

#[derive(clap::Args)]
pub(super) struct CurvesArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    parts: Parts,
    /// Tasks.
    #[arg(long, value_delimiter = ',', default_value = "reach,key,push,stick")]
    tasks: Vec<String>,
    /// Folder with a bundle named after each task.
    #[arg(long, default_value = "models/bundles")]
    bundles: PathBuf,
    /// Folder with a robot configuration named after each task.
    #[arg(long, default_value = "configs")]
    configs: PathBuf,
    /// Iterations of a plan.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iterations: u32,
    /// Plans of each cell [default: 100, quick 10].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    plans: Option<u32>,
}

pub(super) fn curves(args: CurvesArgs) -> anyhow::Result<ExitCode> {
    let common = &args.common;
    let out = common.out("curves");
    let options = optimisation::Options {
        tasks: args.tasks.clone(),
        bundles: args.bundles.clone(),
        configs: args.configs.clone(),
        iterations: args.iterations,
        plans: args.plans.unwrap_or(if common.quick { 10 } else { 100 }),
        seed: common.seed,
        out: out.clone(),
        part: args.parts.part()?,
    };
    let experiment = optimisation::Optimisation::new(options).map_err(as_usage_error)?;
    let texts = ("plans", "curves.md");
    common.run_cells(&args.parts, &experiment.cells, texts, |progress| {
        experiment.run(progress)
    })
}

#[derive(clap::Args)]
pub(super) struct FilmArgs {
    #[command(flatten)]
    common: Common,
    /// Simulated task.
    #[arg(long, default_value = "stick")]
    task: String,
    /// Folder of the model bundle [default: models/bundles/TASK].
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Robot configuration [default: configs/TASK.toml].
    #[arg(long)]
    config: Option<PathBuf>,
    /// Planners.
    #[arg(long, value_delimiter = ',', default_value = "latco,cem")]
    planners: Vec<PlannerKind>,
    /// Iterations of the plans, rising [default: 1,3,10,30,100,200, quick 1,5,20,60].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iterations: Vec<u32>,
    /// Action sequences that CEM and MPPI sample [default: 10000 as the paper's, quick 1000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    samples: Option<u32>,
}

pub(super) fn film_strip(args: FilmArgs) -> anyhow::Result<ExitCode> {
    let common = &args.common;
    let out = common.out("film-strip");
    let usual = PathBuf::from("models/bundles").join(&args.task);
    let bundle = load(args.bundle.as_ref().unwrap_or(&usual))?;
    let usual = PathBuf::from(format!("configs/{}.toml", args.task));
    let config = Config::load(args.config.as_ref().unwrap_or(&usual))
        .map_err(|e| BadInput::new(e.to_string()))?;
    let iterations = match (args.iterations.is_empty(), common.quick) {
        (false, _) => args.iterations.clone(),
        (true, true) => film::QUICK_ITERATIONS.to_vec(),
        (true, false) => film::ITERATIONS.to_vec(),
    };
    if !iterations.is_sorted() {
        return Err(BadInput::new(format!(
            "--iterations: expected rising numbers, found {iterations:?}"
        )));
    }
    let options = film::Options {
        task: args.task.clone(),
        config,
        planners: args.planners.clone(),
        iterations,
        samples: args
            .samples
            .unwrap_or(if common.quick { 1000 } else { 10_000 }),
        seed: common.seed,
        out: out.clone(),
    };
    let mut shown = ProgressDisplay::new("plans")?;
    let rows = film::run(&bundle, &options, &mut |progress| shown.show(progress))
        .map_err(as_usage_error)?;
    shown.finish();
    if rows.len() < options.planners.len() * options.iterations.len() {
        tracing::warn!("stopped before the last plan; nothing was written");
        return Ok(ExitCode::FAILURE);
    }
    common.print(&out, "film_strip.md", serde_json::to_value(&rows)?)?;
    Ok(ExitCode::SUCCESS)
}

#[derive(clap::Args)]
pub(super) struct MapArgs {
    #[command(flatten)]
    common: Common,
    /// Simulated task; the paper's is Pushing.
    #[arg(long, default_value = "push")]
    task: String,
    /// Folder of the model bundle [default: models/bundles/TASK].
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Places along each side of the table [default: 50, quick 25].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=500))]
    grid: Option<u32>,
}

pub(super) fn reward_map(args: MapArgs) -> anyhow::Result<ExitCode> {
    let common = &args.common;
    let out = common.out("reward-map");
    let usual = PathBuf::from("models/bundles").join(&args.task);
    let bundle = load(args.bundle.as_ref().unwrap_or(&usual))?;
    let options = reward_map::Options {
        task: args.task.clone(),
        grid: args.grid.unwrap_or(if common.quick { 25 } else { 50 }) as usize,
        seed: common.seed,
        out: out.clone(),
    };
    let all = reward_map::run(&bundle, &options).map_err(as_usage_error)?;
    let means = all.iter().map(|rewards| {
        let ((rewarded, places), (elsewhere, others)) = rewards.means();
        serde_json::json!({
            "situation": rewards.situation,
            "predicted_where_rewarded": rewarded,
            "rewarded_places": places,
            "predicted_elsewhere": elsewhere,
            "other_places": others,
        })
    });
    common.print(&out, "reward_map.md", means.collect())?;
    Ok(ExitCode::SUCCESS)
}
