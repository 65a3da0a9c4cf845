//! `latco-train config check` and `docs`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use latco_trainer::online::OnlineConfig;

use super::BadInput;

/// What is asked about configurations.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Report all errors of a configuration for `fit` or `online` at once
    Check {
        /// The configuration, TOML
        file: PathBuf,
    },
    /// Print all settings as Markdown: defaults, what is allowed, what they mean
    Docs,
}

/// Runs the command to its end.
#[allow(clippy::print_stdout)]
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Docs => println!("{}", OnlineConfig::documentation().trim_end()),
        Action::Check { file } => {
            OnlineConfig::read(&file)
                .map_err(|error| BadInput::new(format!("{}: {error}", file.display())))?;
            println!("{}: no errors", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
