//! `latco demo`: the whole loop in one go.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::output::{print_json, print_line};
use super::provider::ProviderArgs;
use crate::child::ChildError;
use crate::demo::{self, DemoError, DemoOptions};
use crate::middleware::{MAX_DOMAIN, Network, Stop};

/// Simulated robot and controller as two processes over DDS, with film strip, curves, bag and table
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The task of the simulated robot, or the TOML file of a robot that others made (docs/simulators.md); another needs --config
    #[arg(long, default_value = "reach")]
    task: String,
    /// Episodes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    episodes: u64,
    /// Goals and starts: episode k has the evaluation seed SEED + k
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "demo-output")]
    out: PathBuf,
    /// Configuration of the controller
    #[arg(long, value_name = "FILE", default_value = "configs/reach.toml")]
    config: PathBuf,
    /// Another bundle than the configuration's
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// ROS domain on the loopback interface [default: ROS_DOMAIN_ID, else one that depends on the process]
    #[arg(long, value_name = "ID")]
    domain: Option<u16>,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        // Without a wish of the user's, two demonstrations on one machine shall not meet.
        let own =
            100 + u16::try_from(std::process::id() % u32::from(MAX_DOMAIN - 100)).unwrap_or(0);
        let set = std::env::var("ROS_DOMAIN_ID").is_ok_and(|v| !v.is_empty());
        let domain = self.domain.or((!set).then_some(own));
        let network = Network::new(domain, true).map_err(Failure::usage)?;
        let mut config = super::config::load(&self.config)?;
        if let Some(bundle) = &self.bundle {
            config.bundle.path = bundle.to_string_lossy().into_owned();
        }
        self.provider.apply(&mut config.bundle);
        let options = DemoOptions {
            network,
            task: self.task,
            episodes: self.episodes,
            seed: self.seed,
            out: self.out,
            config_file: self.config,
            config,
        };
        let report = demo::run(&options, stop).map_err(|error| match error {
            DemoError::Bundle(_) | DemoError::Folder { .. } => Failure::usage(error),
            DemoError::Child(ChildError::Ended {
                status: Some(2), ..
            }) => Failure::usage(error),
            DemoError::Child(ChildError::Ended {
                status: Some(3), ..
            }) => Failure::fault(error),
            error => Failure::failed(error),
        })?;
        if self.json {
            print_json(&report)
        } else {
            print_line(&report.table())
        }
    }
}
