//! The commands of `latco`, one file each.
//!
//! Standard output carries results only (exactly one JSON object with `--json`); everything else goes to standard
//! error. Exit status: 0 done, 1 the run or check failed, 2 wrong usage, configuration, bundle or bag, 3 stopped by a
//! fault.

mod bench;
mod config;
#[cfg(feature = "sim")]
mod demo;
mod failure;
#[cfg(feature = "sim")]
mod faults;
mod keys;
mod model;
mod network;
mod output;
mod plan;
mod play;
mod provider;
mod record;
mod replay;
#[cfg(feature = "sim")]
mod report;
mod ros;
mod run;
#[cfg(feature = "sim")]
mod sim;
mod solve;
mod top;
#[cfg(not(feature = "sim"))]
mod without_sim;
#[cfg(not(feature = "sim"))]
use without_sim as demo;
#[cfg(not(feature = "sim"))]
use without_sim as report;
#[cfg(not(feature = "sim"))]
use without_sim as sim;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::log;
use crate::managed::arguments::RosArguments;
use crate::middleware::Stop;

pub use failure::Failure;
pub use network::NetworkArgs;
pub use provider::ProviderArgs;

/// Planning with a learned world model, on ROS 2.
#[derive(Debug, Parser)]
#[command(name = "latco", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    /// Run the controller node
    Run(run::Run),
    Sim(sim::Sim),
    /// Record topics into a bag until Ctrl-C
    Record(record::Record),
    /// Play a bag onto its topics, with the recorded timing
    Play(play::Play),
    /// Watch running nodes on a terminal
    Top(top::Top),
    /// Put a recording through the controller again, without middleware, and compare the decisions
    Replay(replay::Replay),
    Report(report::Report),
    /// Make one plan: table, curves, film strip
    Plan(plan::Plan),
    /// Solve a dumped planning problem again and compare bit for bit
    Solve(solve::Solve),
    /// Look at model bundles: contents, verification, signatures, latency
    Model(model::Model),
    /// Measure the solver, a planner's tick and the control loop on this machine
    Bench(bench::Bench),
    /// Check configurations
    Config(config::Config),
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self, ros: &RosArguments, stop: &Stop) -> ExitCode {
        log::start(ros.log_level);
        let done = match self.command {
            Command::Run(command) => command.run(ros, stop),
            Command::Sim(command) => command.run(ros, stop),
            _ if ros.is_given() => Err(Failure::usage(anyhow::anyhow!(
                "--ros-args: only latco run and latco sim take ROS arguments"
            ))),
            Command::Demo(command) => command.run(stop),
            Command::Record(command) => command.run(stop),
            Command::Play(command) => command.run(stop),
            Command::Top(command) => command.run(stop),
            Command::Replay(command) => command.run(),
            Command::Report(command) => command.run(),
            Command::Plan(command) => command.run(),
            Command::Solve(command) => command.run(),
            Command::Model(command) => command.run(stop),
            Command::Bench(command) => command.run(stop),
            Command::Config(command) => command.run(),
        };
        let code = match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                log::say(&format!("error: {failure}"));
                ExitCode::from(failure.status())
            }
        };
        log::flush();
        code
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn every_command_of_the_documents_is_taken() {
        let lines = latco_testkit::documents::command_lines("latco");
        assert!(lines.len() > 10, "found {}", lines.len());
        for (place, words) in lines {
            let line = words.iter().map(OsString::from);
            let split = RosArguments::split(line, |file| std::fs::read_to_string(file));
            let (line, _) = split.unwrap_or_else(|error| panic!("{place}: {words:?}: {error}"));
            if let Err(error) = Cli::try_parse_from(line) {
                panic!("{place}: {words:?}: {error}");
            }
        }
    }
}
