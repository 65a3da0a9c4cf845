//! `latco-train label`: a copy of a bag with rewards.

use std::path::PathBuf;
use std::process::ExitCode;

use latco_trainer::label::{LabelError, Ranges, Rule, label};

use super::shell::{BadInput, print_json};

/// Arguments of `latco-train label`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("rule").required(true)))]
pub(crate) struct Args {
    /// The bag; it is not changed.
    bag: PathBuf,
    /// Folder for the labelled copy.
    #[arg(long)]
    out: PathBuf,
    /// Rewards are the values on this topic (std_msgs Float64, Float32 or Bool), each held until
    /// the next.
    #[arg(long, group = "rule", value_name = "NAME")]
    topic: Option<String>,
    /// Rewards by time: a TOML file with tables [[range]] of from_s, to_s, and if wanted reward
    /// (1) and episode (whose seconds these are).
    #[arg(long, group = "rule", value_name = "FILE")]
    ranges: Option<PathBuf>,
    /// The last so many seconds of each episode have the reward 1.
    #[arg(long, group = "rule", value_name = "N")]
    last_seconds: Option<f64>,
    /// Topic of the camera images [default: camera/image_raw, else the only one].
    #[arg(long, value_name = "NAME", default_value_t, hide_default_value = true)]
    image: String,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Labels a bag.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let bad = |error: LabelError| BadInput::new(error.to_string());
    let rule = match (&args.topic, &args.ranges, args.last_seconds) {
        (Some(topic), ..) => Rule::Topic(topic.clone()),
        (_, Some(file), _) => Rule::Ranges(Ranges::read(file).map_err(bad)?),
        (_, _, Some(seconds)) => Rule::LastSeconds(seconds),
        (None, None, None) => unreachable!("clap requires one of the group"),
    };
    let labelled = label(&args.bag, &args.out, &rule, &args.image).map_err(bad)?;
    for problem in &labelled.problems {
        tracing::warn!("{problem}");
    }
    if labelled.replaced > 0 {
        tracing::info!(
            "{} rewards of the original are not in the copy",
            labelled.replaced
        );
    }
    tracing::info!(
        "{}: {} of {} images in {} episodes have a reward; look at {}",
        labelled.bag.display(),
        labelled.rewarded,
        labelled.frames,
        labelled.episodes.len(),
        labelled.strip.display()
    );
    if args.json {
        print_json(&serde_json::to_value(&labelled)?);
    }
    Ok(ExitCode::SUCCESS)
}
