//! `latco play`: a bag onto its topics.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::failure::Failure;
use super::keys::{self, Keys};
use super::network::NetworkArgs;
use super::output::{print_json, print_line, seconds};
use crate::middleware::Stop;
use crate::player::pace::Control;
use crate::player::{PlayError, PlayOptions, play};

/// Play a bag onto its topics, with the recorded timing
///
/// While it plays, the services ~/pause, ~/resume, ~/toggle_paused, ~/is_paused, ~/play_next, ~/set_rate and ~/get_rate of
/// the node `player` have the types of rosbag2_interfaces. On a terminal, space pauses and resumes, the right arrow plays
/// the next message of a pause, up and down change the rate.
#[derive(Debug, Args)]
pub(super) struct Play {
    /// The bag: a folder, or an .mcap or .db3 file
    bag: PathBuf,
    /// Speed: 2 plays twice as fast
    #[arg(long, short, value_name = "R", default_value_t = 1.0)]
    rate: f64,
    /// Start so many seconds after the first message
    #[arg(
        long,
        alias = "start-offset",
        value_name = "S",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    start: f64,
    /// Start again at the end
    #[arg(long = "loop", short = 'l')]
    repeat: bool,
    /// Wait in a pause before the first message
    #[arg(long, short = 'p')]
    start_paused: bool,
    /// Play only this topic (repeatable)
    #[arg(long = "topic", value_name = "NAME")]
    topics: Vec<String>,
    /// Send header stamps as recorded instead of moving them to now
    #[arg(long)]
    keep_stamps: bool,
    /// Play what is left of a bag that is damaged in the middle (one that only lacks its end is played anyhow)
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
        let control = Arc::new(Control::new(self.rate, self.start_paused));
        let options = PlayOptions {
            network: self.network.network()?,
            namespace: self.namespace,
            bag: self.bag,
            control: control.clone(),
            start: seconds("--start", self.start)?,
            repeat: self.repeat,
            keep_stamps: self.keep_stamps,
            partial: self.partial,
            topics: self.topics,
            delay: seconds("--delay-s", self.delay_s)?,
        };
        let keys = Keys::read(&control);
        if keys.is_some() {
            tracing::info!("{}", keys::HELP);
        }
        let played = play(&options, stop).map_err(|error| match error {
            PlayError::Node(error) => Failure::failed(error),
            error @ PlayError::Nothing { .. } => Failure::failed(error),
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
