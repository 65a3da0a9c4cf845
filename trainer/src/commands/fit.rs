//! `latco-train fit`: bags to weights, gates and a bundle.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use latco_models::{Bundle, LoadOptions};
use latco_trainer::export::export;
use latco_trainer::fit::checkpoint::{Checkpoint, Stage};
use latco_trainer::fit::config::FitConfig;
use latco_trainer::fit::dataset::Frames;
use latco_trainer::fit::error::{RunError, RunOptions};
use latco_trainer::fit::run::run as train;
use latco_trainer::fit::trained::Model;
use latco_trainer::gates::{self, GateError};
use latco_trainer::report::Report;
use latco_trainer::rssm::device::Backend;
use latco_trainer::source::{self, Source};
use latco_trainer::{card, page};

use super::shell::{BadInput, OrBadInput, print_json, stop_flag};

/// Arguments of `latco-train fit`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Bags, or folders of bags.
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// More bags, of which `training.recent_share` of every batch is drawn: what the planner did
    /// with the model of --from.
    #[arg(long, num_args = 1.., requires = "from")]
    recent: Vec<PathBuf>,
    /// Folder of a finished run of the same model to start from; its autoencoder is kept.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Training configuration, e.g. `configs/train/reach.toml`.
    #[arg(long)]
    config: PathBuf,
    /// Name of the task, in place of the configuration's `data.task`: one configuration then serves tasks of one kind.
    #[arg(long)]
    task: Option<String>,
    /// Folder of the run: checkpoint, losses, TensorBoard files, report, bundle.
    #[arg(long)]
    out: PathBuf,
    /// Go on from the checkpoint in --out.
    #[arg(long)]
    resume: bool,
    /// Seed of weights and batches; the same seed and data give the same weights.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to train; the gates are measured and the bundle is made on the CPU.
    #[arg(long, value_enum, default_value_t = Place::Cpu)]
    backend: Place,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// The place of training.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Place {
    /// The processor, with this program's own operations.
    Cpu,
    /// The fastest GPU, by Vulkan; needs a build with the feature `wgpu`.
    Wgpu,
}

/// Trains, measures and exports.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut config = FitConfig::read(&args.config).or_bad_input()?;
    if let Some(task) = args.task {
        config.data.task = task;
    }
    let backend = match args.backend {
        Place::Cpu => Backend::Cpu,
        Place::Wgpu => Backend::Wgpu,
    };
    let device = backend.device().or_bad_input()?;
    // What is needed at the end is looked for before hours of learning.
    latco_models::runtime::load().or_bad_input()?;
    super::shell::check_writable(&args.out)?;
    let stop = stop_flag()?;
    tracing::info!("reading bags");
    let mut source = source::read_within(&args.data, &args.recent, &config, &args.out)?;
    let base = match &args.from {
        None => None,
        Some(folder) => {
            let base = Checkpoint::load(folder).or_bad_input()?;
            // The weights were learned with these.
            source.facts.joints_mean.clone_from(&base.facts.joints_mean);
            source.facts.joints_std.clone_from(&base.facts.joints_std);
            Some(base)
        }
    };
    for problem in &source.problems {
        tracing::warn!("{problem}");
    }
    tracing::info!(
        "{} episodes to train on ({} frames of {}x{}{}), {} held out",
        source.train.recorded_episodes(),
        source.train.recorded_frames(),
        source.facts.width,
        source.facts.height,
        if config.data.mirror {
            ", and their mirror images"
        } else {
            ""
        },
        source.held_out.episodes()
    );
    if source.train.is_set_aside() {
        tracing::info!(
            "the images do not fit into data.memory_mb = {} and were set aside in {}",
            config.data.memory_mb,
            args.out.display()
        );
    }
    latco_trainer::memory::keep_freed();
    let options = RunOptions {
        out: args.out.clone(),
        resume: args.resume,
        seed: args.seed,
        held_out: &source.held_out,
        base: base.as_ref(),
        device,
        stop: &stop,
    };
    let checkpoint =
        train(&config, &source.facts, &source.train, &options).map_err(|error| match error {
            RunError::Diverged { .. }
            | RunError::Checkpoint(_)
            | RunError::Record(_)
            | RunError::Images(_) => anyhow::Error::new(error),
            usage => BadInput::new(usage.to_string()),
        })?;
    if checkpoint.stage != Stage::Done {
        tracing::warn!("stopped; the same command with --resume goes on");
        return Ok(ExitCode::FAILURE);
    }
    // kept where the model cannot be exported
    let report = Report::new(&checkpoint, &source, Vec::new());
    report.write(&args.out).context("writing the report")?;
    let folder = args.out.join("bundle");
    let worst = export(&Model::of(&checkpoint), &[], &folder)?;
    tracing::info!("measuring the gates");
    let bundle = Bundle::load(&folder, &LoadOptions::default())?;
    let held_out = held_out_in_memory(&source, &config).context("reading held-out images")?;
    let measured = gates::measure(&bundle, &held_out).context("measuring the gates")?;
    let surprise = match gates::calibrate_surprise(&bundle, &held_out, "held-out episodes") {
        Ok(surprise) => Some(surprise),
        Err(error @ GateError::Surprise(_)) => {
            tracing::warn!("{error}");
            None
        }
        Err(error) => return Err(error).context("calibrating surprise"),
    };
    latco_models::gates::rewrite(&folder, |manifest| {
        manifest.gates = gates::for_manifest(&measured);
        manifest.surprise.clone_from(&surprise);
    })?;
    if let Some(shortcoming) = latco_models::surprise::shortcoming(surprise.as_ref()) {
        tracing::warn!("{shortcoming}");
    }
    let mut report = Report::new(&checkpoint, &source, measured);
    report.surprise = surprise;
    report.export_worst_difference = Some(worst);
    report.write(&args.out).context("writing the report")?;
    for gate in &report.gates {
        super::gates::log(gate);
    }
    let card = card::markdown(
        &report.task,
        &latco_models::read_manifest(&folder)?,
        Some(&report),
        &[],
    );
    std::fs::write(folder.join(card::CARD_FILE), card).context("writing the model card")?;
    let page = page::write(&args.out)?;
    tracing::info!("{} explains the training", page.display());
    tracing::info!(
        "bundle {}, worst difference to ONNX Runtime {worst:.1e}",
        folder.display()
    );
    if args.json {
        let mut value = serde_json::to_value(&report)?;
        value["output_dir"] = args.out.display().to_string().into();
        value["bundle"] = folder.display().to_string().into();
        print_json(&value);
    }
    Ok(ExitCode::SUCCESS)
}

/// The held-out episodes, as many as fit into the limit now that nothing is trained.
fn held_out_in_memory(source: &Source, config: &FitConfig) -> std::io::Result<Frames> {
    let limit = match config.data.memory_mb {
        0 => usize::MAX,
        limit => limit * 1_000_000,
    };
    let frames = source.held_out.in_memory(limit)?;
    if frames.episodes() < source.held_out.episodes() {
        tracing::warn!(
            "the gates are measured on the first {} of {} held-out episodes, which fit into data.memory_mb = {}",
            frames.episodes(),
            source.held_out.episodes(),
            config.data.memory_mb
        );
    }
    Ok(frames)
}
