//! Tables of planners.

use std::path::PathBuf;
use std::process::ExitCode;

use latco_experiments::tables::{Options, Setting, Table};

use super::common::Common;
use super::error::as_usage_error;
use super::parts::Parts;
use crate::commands::shell::BadInput;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    parts: Parts,
    /// Tasks [default: those of the table].
    #[arg(long, value_delimiter = ',')]
    tasks: Vec<String>,
    /// What is held equal: equal_time, paper [default: both, quick equal_time].
    #[arg(long, value_delimiter = ',')]
    settings: Vec<Setting>,
    /// Folder with a bundle named after each task.
    #[arg(long, default_value = "models/bundles")]
    bundles: PathBuf,
    /// Folder with a robot configuration named after each task.
    #[arg(long, default_value = "configs")]
    configs: PathBuf,
    /// CPU time of a plan at equal time, ms [default: 30, lottery 100].
    #[arg(long)]
    equal_ms: Option<f64>,
    /// Episodes of each cell [default: 100, quick 20].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: Option<u32>,
}

pub(super) fn positive(name: &str, value: f64) -> anyhow::Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(BadInput::new(format!(
        "{name}: expected more than 0, found {value}"
    )))
}

pub(super) fn run(table: Table, args: Args) -> anyhow::Result<ExitCode> {
    let equal_ms = args.equal_ms.unwrap_or_else(|| table.equal_ms());
    positive("--equal-ms", equal_ms)?;
    let common = &args.common;
    let options = Options {
        table,
        settings: match (args.settings.is_empty(), common.quick) {
            (false, _) => args.settings.clone(),
            (true, true) => vec![Setting::EqualTime],
            (true, false) => Setting::ALL.to_vec(),
        },
        tasks: args.tasks.clone(),
        bundles: args.bundles.clone(),
        configs: args.configs.clone(),
        equal_ms,
        episodes: args.episodes.unwrap_or(if common.quick { 20 } else { 100 }),
        seed: common.seed,
        out: common.out(table.name()),
        part: args.parts.part()?,
    };
    let grid = options.grid().map_err(as_usage_error)?;
    let markdown = format!("{}.md", table.name());
    let texts = ("episodes", &*markdown);
    common.run_cells(&args.parts, &grid.list(), texts, |progress| {
        grid.run(progress, |cells| options.report(cells))
    })
}
