//! `latco-train to-lerobot`: bags to a LeRobot data set.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::ValueEnum;
use latco_bag::recording::{Keys, Wanted};
use latco_trainer::data::{self, LoadOptions};
use latco_trainer::lerobot::{Ffmpeg, LeRobotWriter, Version, WriteOptions};

use super::shell::{BadInput, print_json};

/// What `latco-train to-lerobot --help` says behind the options.
const CONTENTS: &str = "\
Images, joint states, commands and rewards are put on the period of --rate-hz as `latco-train fit` does. The data set has
`observation.images.NAME`, `observation.state` (joint positions, rad), `observation.velocity` (rad/s), `action` (joint
velocities that were commanded, rad/s), `reward` (of the observation), `next.reward` and `next.done`. Images are kept without
loss, as PNG files in the rows; with --video they are encoded by the program ffmpeg.";

/// Arguments of `latco-train to-lerobot`.
#[derive(clap::Args)]
#[command(after_long_help = CONTENTS)]
pub(crate) struct Args {
    /// Bags, or folders of bags.
    #[arg(required = true)]
    bags: Vec<PathBuf>,
    /// Folder for the data set; must not exist or be empty.
    #[arg(long)]
    out: PathBuf,
    /// Frames per second.
    #[arg(long)]
    rate_hz: f64,
    /// Layout of the data set.
    #[arg(long, value_enum, default_value_t = Layout::V3)]
    layout: Layout,
    /// Encoder of ffmpeg for the images, such as libx264 or libsvtav1 [default: no video].
    #[arg(long, value_name = "ENCODER")]
    video: Option<String>,
    /// What the robot does, in words.
    #[arg(long, default_value = "reach the goal")]
    task: String,
    /// Name of the camera in the data set.
    #[arg(long, default_value = "camera")]
    camera: String,
    /// Topic of the camera images [default: camera/image_raw, else the only one].
    #[arg(long, value_name = "NAME", default_value_t, hide_default_value = true)]
    image: String,
    /// Topic of the joint states [default: joint_states, else the only one].
    #[arg(long, value_name = "NAME", default_value_t, hide_default_value = true)]
    joint_states: String,
    /// Topic of the commands [default: commands, joint_trajectory, else the only one].
    #[arg(long, value_name = "NAME", default_value_t, hide_default_value = true)]
    commands: String,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layout {
    /// v3.0: files that hold many episodes.
    V3,
    /// v2.1: a file for each episode.
    #[value(name = "v2.1")]
    V21,
}

/// Writes the data set.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    if !(args.rate_hz.is_finite() && (1e-3..=1e4).contains(&args.rate_hz)) {
        let text = format!("--rate-hz: expected 0.001 to 10000, found {}", args.rate_hz);
        return Err(BadInput::new(text));
    }
    if args.camera.is_empty() || args.camera.contains(['/', '{', '}', ' ', '(', ')', ';']) {
        let text = format!(
            "--camera: expected a name of letters and digits, found {:?}",
            args.camera
        );
        return Err(BadInput::new(text));
    }
    super::shell::check_empty(&args.out)?;
    let video = match args.video {
        None => None,
        Some(encoder) => Some((Ffmpeg::find().map_err(BadInput::new)?, encoder)),
    };
    let options = LoadOptions {
        control_period_s: 1.0 / args.rate_hz,
        topics: Wanted {
            image: args.image,
            joint_states: args.joint_states,
            commands: args.commands,
            keys: Keys {
                image: "--image",
                joint_states: "--joint-states",
                commands: "--commands",
            },
            ..Wanted::default()
        },
        min_frames: 1,
        ..LoadOptions::default()
    };
    let began = Instant::now();
    let mut writer = LeRobotWriter::new(
        &args.out,
        WriteOptions {
            version: match args.layout {
                Layout::V3 => Version::V30,
                Layout::V21 => Version::V21,
            },
            fps: args.rate_hz,
            task: args.task,
            camera: args.camera,
            video,
        },
    );
    let (shape, reports) = data::load_into(&args.bags, &options, &mut writer)?;
    for problem in data::problems_of(&reports) {
        tracing::warn!("{problem}");
    }
    let (episodes, frames) = writer.finish()?;
    let seconds = began.elapsed().as_secs_f64();
    let pixel_bytes = 3 * shape.width * shape.height * frames;
    let rate = pixel_bytes as f64 * 1e-9 * 60.0 / seconds.max(1e-9);
    tracing::info!(
        "{episodes} episodes, {frames} frames at {} Hz into {}, {rate:.2} GB of pixels a minute",
        args.rate_hz,
        args.out.display()
    );
    if args.json {
        print_json(&serde_json::json!({
            "episodes": episodes,
            "frames": frames,
            "rate_hz": args.rate_hz,
            "image_height": shape.height,
            "image_width": shape.width,
            "joint_names": shape.joint_names,
            "action_width": shape.action_width,
            "seconds": seconds,
            "pixel_gb_per_minute": rate,
            "output_dir": args.out.display().to_string(),
        }));
    }
    Ok(ExitCode::SUCCESS)
}
