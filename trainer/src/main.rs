//! `latco-train`: data, training, export and evaluation on the command line.

mod commands;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Learns a model of a robot from bags and turns it into a bundle for `latco`.
#[derive(Parser)]
#[command(name = "latco-train", version)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,ort=error,mcap=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    match cli.command.run() {
        Ok(status) => status,
        Err(error) => {
            // The user must see it whatever the log filter says.
            eprintln!("error: {error:#}");
            commands::status_of(&error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_documents_is_taken() {
        let lines = latco_testkit::documents::command_lines("latco-train");
        assert!(lines.len() > 30, "found {}", lines.len());
        for (place, words) in lines {
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{place}: {words:?}: {error}");
            }
        }
    }
}
