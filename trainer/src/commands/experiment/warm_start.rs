//! What a plan takes over from the one before it.

use std::path::PathBuf;
use std::process::ExitCode;

use latco_controller::Config;
use latco_experiments::warm_start::{self, Options};

use super::common::{Common, load};
use super::parts::Parts;
use crate::commands::shell::BadInput;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    parts: Parts,
    /// Folder of the model bundle.
    #[arg(long, default_value = "models/bundles/reach")]
    bundle: PathBuf,
    /// Simulated task.
    #[arg(long, default_value = "reach")]
    task: String,
    /// Robot configuration with the settings that are not varied; by default the built-in ones.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Episodes of each cell [default: 50, quick 6].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: Option<u32>,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let common = &args.common;
    let mut options = Options::new(&args.task, common.out("warm-start"), common.quick);
    options.seed = common.seed;
    options.part = args.parts.part()?;
    if let Some(episodes) = args.episodes {
        options.episodes = episodes;
    }
    if let Some(path) = &args.config {
        options.config = Config::load(path).map_err(|e| BadInput::new(e.to_string()))?;
    }
    let bundle = load(&args.bundle)?;
    let list = warm_start::cells(&bundle, &options);
    let texts = ("episodes", "warm_start.md");
    common.run_cells(&args.parts, &list, texts, |progress| {
        warm_start::run(&bundle, &options, progress)
    })
}
