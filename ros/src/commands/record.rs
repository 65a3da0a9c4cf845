//! `latco record`: topics into a bag.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::{Failure, NetworkArgs, print_json, print_line};
use crate::node::Stop;
use crate::node::recorder::{RecordError, Recorder, discover, parse_topic, standard_topics};

/// Record topics into a bag until Ctrl-C
#[derive(Debug, Args)]
pub(super) struct Record {
    /// Folder of the new bag
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Topics, as NAME or NAME:package/msg/Type [default: camera, joint states, commands, reward, episode, plan, status]
    topics: Vec<String>,
    /// End after so many seconds
    #[arg(long, value_name = "S")]
    duration_s: Option<f64>,
    /// Wait so long for the publisher of a topic whose type is not given
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    wait_s: f64,
    /// Namespace of relative topics
    #[arg(long, default_value = "/")]
    namespace: String,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

#[derive(Serialize)]
struct Summary {
    bag: PathBuf,
    messages: u64,
    dropped: u64,
    topics: Vec<(String, String, u64)>,
}

impl Record {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        let network = self.network.network()?;
        let node = Recorder::node(network, &self.namespace).map_err(Failure::failed)?;
        let topics = if self.topics.is_empty() {
            standard_topics()
        } else {
            let named: Vec<_> = self.topics.iter().map(|t| parse_topic(t)).collect();
            discover(&node, &named, seconds(self.wait_s)?, stop).map_err(Failure::failed)?
        };
        let limit = self.duration_s.map(seconds).transpose()?;
        let recorder =
            Recorder::start(node, &self.out, &topics, |_, _| {}).map_err(|error| match error {
                RecordError::UnknownType { .. } | RecordError::Bag(_) => Failure::usage(error),
                error => Failure::failed(error),
            })?;
        tracing::info!(bag = %self.out.display(), topics = topics.len(), "recording; Ctrl-C ends it");
        let began = Instant::now();
        loop {
            let next = Instant::now() + Duration::from_secs(10);
            let until = limit.map_or(next, |limit| next.min(began + limit));
            if stop.wait_until(until) || limit.is_some_and(|limit| began.elapsed() >= limit) {
                break;
            }
            tracing::info!(
                messages = recorder.written(),
                dropped = recorder.dropped(),
                "recording"
            );
        }
        let failed = recorder.failed();
        let recorded = recorder.finish().map_err(Failure::failed)?;
        let summary = Summary {
            bag: recorded.summary.folder,
            messages: recorded.summary.messages,
            dropped: recorded.dropped,
            topics: recorded.summary.topics,
        };
        if self.json {
            print_json(&summary)?;
        } else {
            for (topic, ty, messages) in &summary.topics {
                print_line(&format!("{messages:8}  {topic}  {ty}"))?;
            }
            print_line(&format!(
                "{:8}  in {} ({} dropped)",
                summary.messages,
                summary.bag.display(),
                summary.dropped
            ))?;
        }
        if failed > 0 {
            return Err(Failure::failed(anyhow::anyhow!(
                "{failed} messages could not be written; see the log"
            )));
        }
        Ok(())
    }
}

fn seconds(value: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(value).map_err(|e| {
        Failure::usage(anyhow::anyhow!(
            "expected a time in seconds, found {value}: {e}"
        ))
    })
}
