//! The commands of `latco`, one file each.
//!
//! Standard output carries results only (exactly one JSON object with `--json`); everything else goes to standard
//! error. Exit status: 0 done, 1 the run or check failed, 2 wrong usage, configuration, bundle or bag, 3 stopped by a
//! fault.

mod bench;
mod config;
mod demo;
mod keys;
mod model;
mod plan;
mod plan_table;
mod play;
mod provider;
mod record;
mod replay;
mod ros;
mod run;
mod sim;
mod solve;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::arguments::RosArguments;
use crate::node::{Network, Stop};

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
    /// The main job in one go: simulated robot and controller over DDS, film strip, curves, bag, table
    Demo(demo::Demo),
    /// The controller node
    Run(run::Run),
    /// The simulated robot with a camera, as a node
    Sim(sim::Sim),
    /// Record topics into a bag until Ctrl-C
    Record(record::Record),
    /// Play a bag onto its topics, with the recorded timing
    Play(play::Play),
    /// Put a recording through the controller again, without middleware, and compare the decisions
    Replay(replay::Replay),
    /// One plan: table, curves, film strip
    Plan(plan::Plan),
    /// Solve a dumped planning problem again and compare bit for bit
    Solve(solve::Solve),
    /// Model bundles: contents, verification, latency
    Model(model::Model),
    /// Figures of the solver and of a planner tick on this machine
    Bench(bench::Bench),
    /// Configurations
    Config(config::Config),
}

/// Where a node talks.
#[derive(Clone, Debug, Default, Args)]
pub struct NetworkArgs {
    /// ROS domain, 0 to 232 [default: ROS_DOMAIN_ID, else 0]
    #[arg(long, value_name = "ID")]
    pub domain: Option<u16>,
    /// Talk on 127.0.0.1 only (also: ROS_LOCALHOST_ONLY=1 or ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST)
    #[arg(long)]
    pub localhost: bool,
}

impl NetworkArgs {
    /// Command line, else environment.
    ///
    /// # Errors
    /// [`Failure::usage`] for a domain out of range.
    pub fn network(&self) -> Result<Network, Failure> {
        Network::new(self.domain, self.localhost).map_err(Failure::usage)
    }
}

/// Why a command did not do what it was asked to; decides the exit status.
#[derive(Debug)]
pub struct Failure {
    status: u8,
    error: anyhow::Error,
}

impl Failure {
    /// The run or the check failed: status 1.
    pub fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: 1,
            error: error.into(),
        }
    }

    /// Wrong usage, configuration, bundle or bag: status 2.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: 2,
            error: error.into(),
        }
    }

    /// Stopped by a fault of the failsafe: status 3.
    pub fn fault(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: 3,
            error: error.into(),
        }
    }

    /// The exit status.
    pub fn status(&self) -> u8 {
        self.status
    }
}

/// An error with its causes. Many errors repeat their cause in their own words: those are not said twice.
pub(crate) fn whole_message(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&whole_message(&self.error))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(error)
    }
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self, ros: &RosArguments, stop: &Stop) -> ExitCode {
        start_log(ros.log_level);
        let done = match self.command {
            Command::Run(command) => command.run(ros, stop),
            Command::Sim(command) => command.run(ros, stop),
            _ if ros.is_given() => Err(Failure::usage(anyhow::anyhow!(
                "--ros-args: only latco run and latco sim take ROS arguments"
            ))),
            Command::Demo(command) => command.run(stop),
            Command::Record(command) => command.run(stop),
            Command::Play(command) => command.run(stop),
            Command::Replay(command) => command.run(),
            Command::Plan(command) => command.run(),
            Command::Solve(command) => command.run(),
            Command::Model(command) => command.run(),
            Command::Bench(command) => command.run(stop),
            Command::Config(command) => command.run(),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("error: {failure}");
                ExitCode::from(failure.status())
            }
        }
    }
}

/// Logs on standard error, ours from `--log-level` on; `RUST_LOG` changes what is shown. The middleware's warnings are mostly about interfaces and
/// peers that do not concern us, over a hundred at each start.
fn start_log(level: Option<&str>) {
    let level = level.unwrap_or("info");
    let default = format!(
        "warn,latco_ros={level},latco_controller={level},latco_models={level},ros2_client=error,ort=error,\
         rustdds=error,rustdds::network=off"
    );
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}

/// Writes the one JSON object of a command.
fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(Failure::failed)?;
    print_line(&line)
}

/// Writes one line to standard output.
fn print_line(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(Failure::failed)
}

/// A time given in seconds.
fn seconds(option: &str, value: f64) -> Result<std::time::Duration, Failure> {
    std::time::Duration::try_from_secs_f64(value).map_err(|e| {
        Failure::usage(anyhow::anyhow!(
            "{option}: expected seconds, at least 0, found {value}: {e}"
        ))
    })
}
