//! `latco-train import --lerobot`: a LeRobot data set to bags.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::ValueEnum;
use latco_bag::image::{CameraImage, Converter};
use latco_bag::messages::{Header, Image};
use latco_trainer::data::record::Step;
use latco_trainer::lerobot::{ActionKind, LeRobot, Wanted};
use latco_trainer::progress::Progress;

use super::bag_series::BagSeries;
use super::shell::{BadInput, OrBadInput, print_json};

/// Arguments of `latco-train import` that are about LeRobot data sets alone.
#[derive(clap::Args)]
pub(crate) struct LeRobotArgs {
    /// Camera of a LeRobot data set with several, such as `observation.images.front`.
    #[arg(long, value_name = "KEY", requires = "lerobot")]
    image: Option<String>,
    /// Side of the pictures in the bags, pixels; they are cropped and averaged as a controller does [default: as they are].
    #[arg(long, value_name = "PIXELS", requires = "lerobot", value_parser = clap::value_parser!(u32).range(1..=4096))]
    image_size: Option<u32>,
    /// Reward of a LeRobot data set [default: `reward`, which is of the observation in its row, else `next.reward`, which is of the
    /// next one; without one, label the bags].
    #[arg(long, value_name = "KEY", requires = "lerobot")]
    reward: Option<String>,
    /// What the actions of a LeRobot data set are: joint velocities, or positions aimed at, whose differences become the
    /// commands [default: by the ends of their names, .vel or .pos].
    #[arg(long, value_enum, requires = "lerobot")]
    action_is: Option<ActionIs>,
    /// States and actions of a LeRobot data set are in degrees.
    #[arg(long, requires = "lerobot")]
    degrees: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ActionIs {
    Velocity,
    Position,
}

/// Imports a data set. `out` is the folder for the bags and the number of episodes in one.
pub(crate) fn run(
    root: &Path,
    args: &LeRobotArgs,
    joint_names: Option<Vec<String>>,
    (out, episodes_per_bag): (&Path, u64),
    json: bool,
) -> anyhow::Result<ExitCode> {
    let wanted = Wanted {
        image: args.image.clone(),
        reward: args.reward.clone(),
        actions: args.action_is.map(|kind| match kind {
            ActionIs::Velocity => ActionKind::Velocity,
            ActionIs::Position => ActionKind::Position,
        }),
        joint_names,
        degrees: args.degrees,
    };
    let data = LeRobot::open(root, &wanted).or_bad_input()?;
    let tasks = data.tasks();
    if tasks.len() > 1 {
        tracing::warn!(
            "the data set has {} tasks ({}), and a model learns one: the reward must say which episodes were successful",
            tasks.len(),
            tasks.keys().take(5).copied().collect::<Vec<_>>().join("; ")
        );
    }
    if data.reward().is_none() {
        tracing::warn!("the data set has no reward: give the bags one with `latco-train label`");
    }
    let period_ns = (1e9 / data.fps()).round() as i64;
    let began = Instant::now();
    let mut progress = Progress::new("frames", data.frames());
    let mut resize = Converter::new();
    let mut series: Option<BagSeries> = None;
    let mut pixel_bytes = 0;
    let problems = data.walk(|frame| -> anyhow::Result<()> {
        let picture = &frame.picture;
        pixel_bytes += picture.rgb.len();
        let bags = match &mut series {
            Some(bags) => bags,
            none => {
                let size = args.image_size.map(|side| (side, side));
                let size = size.unwrap_or((picture.width, picture.height));
                let names = data.joint_names().to_vec();
                none.insert(BagSeries::new(out, size, names, period_ns)?)
            }
        };
        if frame.begins {
            let (episodes, _) = bags.written();
            if episodes > 0 && (episodes as u64).is_multiple_of(episodes_per_bag) {
                bags.next_bag()?;
            }
            bags.begin()?;
        }
        let resized = match args.image_size {
            None => None,
            Some(side) => {
                let (width, height) = (picture.width, picture.height);
                let image = Image::rgb8(Header::default(), width, height, picture.rgb.clone());
                Some(resize.to_rgb(&CameraImage::from(image), side, side)?)
            }
        };
        bags.step(&Step {
            image: resized.as_deref().unwrap_or(&picture.rgb),
            positions: frame.positions,
            velocities: frame.velocities,
            command: frame.command,
            reward: frame.reward,
        })?;
        progress.advance(1, "");
        Ok(())
    })?;
    progress.finish();
    let Some(series) = series else {
        return Err(BadInput::new(format!(
            "{}: expected frames, found none that can be used\n{}",
            root.display(),
            problems.join("\n")
        )));
    };
    for problem in &problems {
        tracing::warn!("{problem}");
    }
    let (episodes, frames) = series.written();
    let bags = series.finish()?;
    let seconds = began.elapsed().as_secs_f64();
    let rate = pixel_bytes as f64 * 1e-9 * 60.0 / seconds.max(1e-9);
    tracing::info!(
        "{episodes} episodes, {frames} frames at {} Hz of {} into {}, {rate:.2} GB of pixels a minute",
        data.fps(),
        data.camera(),
        out.display()
    );
    if json {
        print_json(&serde_json::json!({
            "episodes": episodes,
            "frames": frames,
            "frames_lost": data.frames().saturating_sub(frames as u64),
            "rate_hz": data.fps(),
            "image": data.camera(),
            "reward": data.reward(),
            "joint_names": data.joint_names(),
            "action_width": data.action_width(),
            "tasks": tasks,
            "problems": problems,
            "seconds": seconds,
            "pixel_gb_per_minute": rate,
            "bags": bags,
        }));
    }
    Ok(ExitCode::SUCCESS)
}
