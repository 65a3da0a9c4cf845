//! `latco-train fit`.

use std::process::ExitCode;

/// Arguments of `latco-train fit`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Learning from bags.
pub(crate) fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`latco-train fit` is not in this build yet")
}
