//! `latco-train report`: the page of a training.

use std::path::PathBuf;
use std::process::ExitCode;

use super::shell::BadInput;

/// Arguments of `latco-train report`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of a training: --out of latco-train fit.
    run: PathBuf,
}

/// Writes the page.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let file = latco_trainer::page::write(&args.run)
        .map_err(|error| BadInput::new(format!("{error:#}")))?;
    tracing::info!("{}", file.display());
    Ok(ExitCode::SUCCESS)
}
