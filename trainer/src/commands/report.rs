//! `latco-train report`: the page of a training.

use std::path::PathBuf;
use std::process::ExitCode;

use latco_controller::config::PlannerKind;
use latco_trainer::page;

use super::shell::BadInput;

/// Arguments of `latco-train report`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of a training: --out of latco-train fit.
    run: PathBuf,
    /// First measure what plans of this planner promise and get after 0, 1, 10, 50 and 200 iterations: the exploitation curve.
    /// It is kept in the folder.
    #[arg(long)]
    planner: Option<PlannerKind>,
    /// Plans of each point of that curve.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    plans: u32,
}

/// Writes the page.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let measured = (args.planner).map_or(Ok(()), |kind| {
        page::measure_exploitation(&args.run, kind, args.plans)
    });
    let file = measured
        .and_then(|()| page::write(&args.run))
        .map_err(|error| BadInput::new(format!("{error:#}")))?;
    tracing::info!("{}", file.display());
    Ok(ExitCode::SUCCESS)
}
