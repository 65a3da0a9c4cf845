//! `latco play`: a bag onto its topics.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Failure, NetworkArgs, print_json, print_line};
use crate::node::Stop;
use crate::node::player::{PlayError, PlayOptions, play};

/// Play a bag onto its topics, with the recorded timing
#[derive(Debug, Args)]
pub(super) struct Play {
    /// The bag: a folder, or an .mcap file
    bag: PathBuf,
    /// Speed: 2 plays twice as fast
    #[arg(long, value_name = "R", default_value_t = 1.0)]
    rate: f64,
    /// Start again at the end
    #[arg(long = "loop")]
    repeat: bool,
    /// Play only this topic (repeatable)
    #[arg(long = "topic", value_name = "NAME")]
    topics: Vec<String>,
    /// Send header stamps as recorded instead of moving them to now
    #[arg(long)]
    keep_stamps: bool,
    /// Play what is left of a damaged bag
    #[arg(long)]
    partial: bool,
    /// Seconds for subscribers to find the topics before the first message
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    delay_s: f64,
    /// Namespace of the topics
    #[arg(long, default_value = "/")]
    namespace: String,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

impl Play {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        let delay = Duration::try_from_secs_f64(self.delay_s).map_err(|e| {
            Failure::usage(anyhow::anyhow!(
                "--delay-s: expected seconds, found {}: {e}",
                self.delay_s
            ))
        })?;
        let options = PlayOptions {
            network: self.network.network()?,
            namespace: self.namespace,
            bag: self.bag,
            rate: self.rate,
            repeat: self.repeat,
            keep_stamps: self.keep_stamps,
            partial: self.partial,
            topics: self.topics,
            delay,
        };
        let played = play(&options, stop).map_err(|error| match error {
            PlayError::Node(error) => Failure::failed(error),
            error => Failure::usage(error),
        })?;
        if self.json {
            print_json(&played)
        } else {
            print_line(&format!(
                "{} messages played in {} rounds, at most {:.1} ms late; {} refused",
                played.messages, played.rounds, played.latest_ms, played.refused
            ))
        }
    }
}
