//! `latco-train export`.

use std::process::ExitCode;

/// Arguments of `latco-train export`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Making a bundle.
pub(crate) fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`latco-train export` is not in this build yet")
}
