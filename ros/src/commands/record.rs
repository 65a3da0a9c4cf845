//! `latco record`: topics into a bag.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::failure::Failure;
use super::network::NetworkArgs;
use super::output::{print_json, print_line, seconds};
use crate::middleware::{NodeError, Stop};
use crate::recorder::{
    RecordError, RecordOptions, Recorder, UsualTopics, discover, discover_all, parse_topic,
};
use latco_bag::messages::{JointState, RosMessage};
use latco_bag::recording::{COMMANDS, IMAGES};
use latco_bag::types::TypeFinder;
use latco_bag::{BagOptions, Compression, Storage, topics as names};

/// Time for which topics are looked for that are not named.
const ALL_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked whether images come before it is said that they are recorded.
const HEAR_EVERY: Duration = Duration::from_millis(20);
/// How often it is looked whether the bag can still be written.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the number of messages is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StorageKind {
    Mcap,
    Sqlite3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CompressionKind {
    Zstd,
    Lz4,
    None,
}

/// Record topics into a bag until Ctrl-C
///
/// Topics may have any type. Definitions of types are put into the bag: those of the ROS 2 workspaces that are sourced
/// (AMENT_PREFIX_PATH), those in folders given with --types, and the standard ones, which are built in.
#[derive(Debug, Args)]
pub(super) struct Record {
    /// Folder of the new bag
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Topics, as NAME or NAME:package/msg/Type [default: camera, joint states and commands, whatever their names, reward, episode, plan,
    /// status, journal]
    topics: Vec<String>,
    /// All topics that have a publisher within the first two seconds
    #[arg(long, short, conflicts_with = "topics")]
    all: bool,
    /// File format of the bag
    #[arg(long, short, value_enum, default_value = "mcap")]
    storage: StorageKind,
    /// Compression of the chunks of an MCAP file [default: zstd]
    #[arg(long, value_enum)]
    compression: Option<CompressionKind>,
    /// Folder with definitions of message types, as PACKAGE/msg/TYPE.msg (repeatable)
    #[arg(long, value_name = "DIR")]
    types: Vec<PathBuf>,
    /// End after so many seconds
    #[arg(long, value_name = "S")]
    duration_s: Option<f64>,
    /// End when so many episodes are over: with the mark of the next one on the topic `episode`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    episodes: Option<u64>,
    /// Wait so long for the publisher of a topic whose type is not given
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    wait_s: f64,
    /// Namespace of relative topics
    #[arg(long, default_value = "/")]
    namespace: String,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// End when standard input is closed (for a parent process)
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

#[derive(Serialize)]
struct Summary {
    bag: PathBuf,
    messages: u64,
    dropped: u64,
    topics: Vec<(String, String, u64)>,
    storage: &'static str,
    without_definition: Vec<String>,
}

impl Record {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        if self.until_stdin_closes {
            stop.when_stdin_closes().map_err(Failure::failed)?;
        }
        let options = self.options()?;
        let network = self.network.network()?;
        let node = Recorder::node(network, &self.namespace).map_err(Failure::failed)?;
        let limit = self
            .duration_s
            .map(|s| seconds("--duration-s", s))
            .transpose()?;
        let failure = |error| match error {
            RecordError::Type { .. }
            | RecordError::SeveralTypes { .. }
            | RecordError::Bag(_)
            | RecordError::Node(NodeError::Name { .. } | NodeError::Type(_)) => {
                Failure::usage(error)
            }
            error => Failure::failed(error),
        };
        let is_usual = !self.all && self.topics.is_empty();
        let (topics, unknown) = if is_usual {
            (UsualTopics::certain(), Vec::new())
        } else if self.all {
            (discover_all(&node, ALL_WAIT, stop), Vec::new())
        } else {
            let named: Vec<_> = self.topics.iter().map(|t| parse_topic(t)).collect();
            let wait = seconds("--wait-s", self.wait_s)?;
            discover(&node, &named, wait, stop).map_err(failure)?
        };
        if topics.is_empty() {
            return Err(Failure::failed(anyhow::anyhow!(
                "--all: expected topics with publishers within {} s, found none",
                ALL_WAIT.as_secs()
            )));
        }
        let marks = Arc::new(AtomicU64::new(0));
        let tap = {
            let marks = marks.clone();
            move |topic: &str, _: &[u8]| {
                if names::matches(topic, names::EPISODE) {
                    marks.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let mut recorder =
            Recorder::start(node, &self.out, &topics, &options, tap.clone()).map_err(failure)?;
        // A robot that comes later may have other names, too.
        let looking_node = || Recorder::looking_node(network, &self.namespace).map_err(failure);
        let mut looking = None;
        if is_usual {
            let node = looking_node()?;
            let usual = UsualTopics::look(&node, ALL_WAIT, stop);
            let mut more = usual.topics.clone();
            more.retain(|topic| !topics.contains(topic));
            recorder.add(node, &more, tap.clone()).map_err(failure)?;
            if !usual.is_complete {
                looking = Some((usual, looking_node()?));
            }
        }
        // Who is told that it records may begin at once.
        let by = Instant::now() + ALL_WAIT;
        while !recorder.hears(&IMAGES) && Instant::now() < by && !stop.wait(HEAR_EVERY) {}
        for topic in &unknown {
            tracing::warn!(
                "topic {topic}: nobody publishes it, and its type is not known: not recorded; look at its name, or give its type"
            );
        }
        tracing::info!(bag = %self.out.display(), topics = recorder.topics(), "recording; Ctrl-C ends it");
        let began = Instant::now();
        let mut told = began;
        loop {
            let next = Instant::now() + LOOK_EVERY;
            let until = limit.map_or(next, |limit| next.min(began + limit));
            if stop.wait_until(until)
                || limit.is_some_and(|limit| began.elapsed() >= limit)
                || self
                    .episodes
                    .is_some_and(|n| marks.load(Ordering::Relaxed) > n)
                || recorder.is_broken()
            {
                break;
            }
            if let Some((mut usual, node)) = looking.take() {
                let more = usual.look_again(&node);
                let node = if more.is_empty() {
                    node
                } else {
                    recorder.add(node, &more, tap.clone()).map_err(failure)?;
                    looking_node()?
                };
                looking = (!usual.is_complete).then_some((usual, node));
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tracing::info!(
                    messages = recorder.written(),
                    dropped = recorder.dropped(),
                    "recording"
                );
            }
        }
        let failed = recorder.failed();
        let without_definition = recorder.without_definition().to_vec();
        let recorded = recorder.finish().map_err(|error| match failed {
            0 => Failure::failed(error),
            failed => Failure::failed(anyhow::anyhow!(
                "{failed} messages could not be written, and the bag not be completed; what it holds up to there is read: {error}"
            )),
        })?;
        let summary = Summary {
            bag: recorded.summary.folder,
            messages: recorded.summary.messages,
            dropped: recorded.dropped,
            topics: (recorded.summary.topics.into_iter())
                .chain(unknown.into_iter().map(|topic| (topic, String::new(), 0)))
                .collect(),
            storage: options.bag.storage.identifier(),
            without_definition,
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
        if !self.topics.is_empty() {
            for (topic, _, _) in summary.topics.iter().filter(|(.., count)| *count == 0) {
                tracing::warn!(
                    "topic {topic}: 0 messages came; look at its name, its publisher and its network"
                );
            }
        }
        if self.topics.is_empty() && summary.messages > 0 {
            let look = "look at the robot, or name their topic";
            for (what, types, advice) in [
                ("camera images", &IMAGES[..], look),
                ("joint states", &[JointState::TYPE], look),
                (
                    "commands",
                    &COMMANDS,
                    "name their topic, or train on joint states alone (data.action)",
                ),
            ] {
                let mut of_types = summary
                    .topics
                    .iter()
                    .filter(|(_, ty, _)| types.contains(&&**ty));
                if of_types.all(|(.., count)| *count == 0) {
                    tracing::warn!("no {what} came ({}): {advice}", types.join(", "));
                }
            }
        }
        if summary.messages == 0 && failed == 0 {
            return Err(Failure::failed(anyhow::anyhow!(
                "expected messages to record, none came on any of {} topics; look at their names and at the network",
                summary.topics.len()
            )));
        }
        if failed > 0 {
            return Err(Failure::failed(anyhow::anyhow!(
                "{failed} messages could not be written; see the log"
            )));
        }
        Ok(())
    }

    fn options(&self) -> Result<RecordOptions, Failure> {
        for folder in &self.types {
            if !folder.is_dir() {
                return Err(Failure::usage(anyhow::anyhow!(
                    "--types {}: expected a folder with PACKAGE/msg/TYPE.msg, found none",
                    folder.display()
                )));
            }
        }
        let (storage, compression) = match (self.storage, self.compression) {
            (StorageKind::Sqlite3, Some(CompressionKind::Zstd | CompressionKind::Lz4)) => {
                return Err(Failure::usage(anyhow::anyhow!(
                    "--compression: a sqlite3 bag has none; leave it out, or record with --storage mcap"
                )));
            }
            (StorageKind::Sqlite3, _) => (Storage::Sqlite3, Compression::None),
            (StorageKind::Mcap, None | Some(CompressionKind::Zstd)) => {
                (Storage::Mcap, Compression::Zstd)
            }
            (StorageKind::Mcap, Some(CompressionKind::Lz4)) => (Storage::Mcap, Compression::Lz4),
            (StorageKind::Mcap, Some(CompressionKind::None)) => (Storage::Mcap, Compression::None),
        };
        Ok(RecordOptions {
            bag: BagOptions {
                storage,
                compression,
            },
            types: TypeFinder::from_environment(self.types.iter().cloned()),
        })
    }
}
