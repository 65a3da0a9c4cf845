//! `latco config check` and `docs`: all errors of a configuration at once, and all settings that there are.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::Failure;
use super::output::{print_json, print_line};

/// Check configurations
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Report all errors of a configuration at once
    Check {
        /// The configuration, TOML
        file: PathBuf,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print all settings as Markdown: defaults, what is allowed, what they mean
    Docs,
}

#[derive(Serialize)]
struct Checked {
    file: PathBuf,
    bundle: String,
    ok: bool,
}

impl Config {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (file, json) = match self.action {
            Action::Check { file, json } => (file, json),
            Action::Docs => {
                return print_line(latco_controller::Config::documentation().trim_end());
            }
        };
        let config = load(&file)?;
        if json {
            print_json(&Checked {
                file,
                bundle: config.bundle.path,
                ok: true,
            })
        } else {
            print_line(&format!(
                "{}: no errors; bundle {}",
                file.display(),
                config.bundle.path
            ))
        }
    }
}

/// Reads a configuration.
///
/// # Errors
/// A failure with status 2 and every mistake in its message.
pub(super) fn load(file: &std::path::Path) -> Result<latco_controller::Config, Failure> {
    latco_controller::Config::load(file)
        .map_err(|e| Failure::usage(anyhow::anyhow!("configuration {}: {e}", file.display())))
}
