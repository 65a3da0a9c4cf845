//! `latco-train import`: npz episodes and LeRobot data sets of other projects to bags.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use latco_trainer::data::npz::{self, NpzEpisode};
use latco_trainer::data::record::Step;
use latco_trainer::progress::Progress;

use super::bag_series::BagSeries;
use super::import_lerobot::{self, LeRobotArgs};
use super::shell::{BadInput, print_json};

/// What `latco-train import --help` says behind the options.
const CONTENTS: &str = "\
An npz file is an episode of T frames: `image` (u8 [T, height, width, 3], RGB), `action` ([T, na]) and `reward` ([T] or [T, 1]);
optional are `state` ([T, ns]), `is_first` and `is_last` ([T], bool or u8). Numbers may be floats of 16, 32 or 64 bits,
integers or bool. The state becomes joint positions, whose velocities are the differences of successive states by --rate-hz
(0 in the first frame); files without it give bags without joints.

Of a LeRobot data set (v2.1 or v3.0), one camera, `observation.state`, `action` and a reward become images, joint positions,
commands and rewards; velocities are `observation.velocity`, else the differences of the positions. Videos need ffmpeg.

Commands are joint velocities in rad/s, or in the units of the state a second: the actions of npz files as they are. They are
not scaled here: set `data.action_scale` of the training to the velocity that an action of 1 is to stand for, about the
largest of the data.";

/// Arguments of `latco-train import`.
#[derive(clap::Args)]
#[command(after_long_help = CONTENTS, group(clap::ArgGroup::new("source").required(true)))]
pub(crate) struct Args {
    /// Episode files, or folders of them.
    #[arg(long, num_args = 1.., group = "source")]
    npz: Vec<PathBuf>,
    /// Folder of a LeRobot data set: the one with `meta`, `data` and, if there are any, `videos`.
    #[arg(long, value_name = "DIR", group = "source")]
    lerobot: Option<PathBuf>,
    /// Folder for the bags; must not exist or be empty.
    #[arg(long)]
    out: PathBuf,
    /// Frames per second of npz files.
    #[arg(long, required_unless_present = "lerobot", conflicts_with = "lerobot")]
    rate_hz: Option<f64>,
    /// Which observation an action of an npz file belongs to: `follows` the observation at the same index, or led to it
    /// (`precedes`, as Dreamer stores it).
    #[arg(long, value_enum, default_value_t = Alignment::Follows, conflicts_with = "lerobot")]
    action: Alignment,
    /// Names of the joints in the order of the state, with commas between them [default: state_0, state_1, ...; those of the
    /// LeRobot data set without `.pos`].
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    joint_names: Option<Vec<String>>,
    #[command(flatten)]
    of_lerobot: LeRobotArgs,
    /// Files, or episodes of a LeRobot data set, in one bag.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    episodes_per_bag: u64,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Alignment {
    /// `action[t]` is executed after `image[t]`.
    Follows,
    /// `action[t]` led to `image[t]`.
    Precedes,
}

/// Imports a data set, or all files; none where one of them is wrong.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let names = args.joint_names.as_deref();
    for (at, name) in names.iter().flat_map(|names| names.iter().enumerate()) {
        if name.is_empty() || names.is_some_and(|names| names[..at].contains(name)) {
            let text = format!("--joint-names: expected different names, found {name:?}");
            return Err(BadInput::new(text));
        }
    }
    match (&args.lerobot, args.rate_hz) {
        (Some(root), _) => {
            let out = (args.out.as_path(), args.episodes_per_bag);
            import_lerobot::run(root, &args.of_lerobot, args.joint_names, out, args.json)
        }
        (None, Some(rate_hz)) => import_npz(&args, rate_hz),
        (None, None) => unreachable!("clap requires a rate for npz files"),
    }
}

fn import_npz(args: &Args, rate_hz: f64) -> anyhow::Result<ExitCode> {
    if !(rate_hz.is_finite() && (1e-3..=1e4).contains(&rate_hz)) {
        return Err(BadInput::new(format!(
            "--rate-hz: expected 0.001 to 10000, found {rate_hz}"
        )));
    }
    let period_ns = (1e9 / rate_hz).round() as i64;
    let files = find_files(&args.npz)?;
    let mut problems = Vec::new();
    let mut shape: Option<(Shape, PathBuf)> = None;
    for file in &files {
        match npz::read(file) {
            Err(error) => problems.push(error.to_string()),
            Ok(episode) => {
                let (expected, of) =
                    shape.get_or_insert_with(|| (Shape::of(&episode), file.clone()));
                if *expected != Shape::of(&episode) {
                    problems.push(format!(
                        "{}: expected {expected:?} as in {}, found {:?}",
                        file.display(),
                        of.display(),
                        Shape::of(&episode)
                    ));
                }
            }
        }
    }
    let names = match (&args.joint_names, &shape) {
        (Some(names), Some((shape, _))) if names.len() != shape.state => {
            let (expected, found) = (shape.state, names.len());
            problems.push(format!(
                "--joint-names: expected {expected} names as the state has values, found {found}"
            ));
            Vec::new()
        }
        (Some(names), _) => names.clone(),
        (None, Some((shape, _))) => (0..shape.state).map(|at| format!("state_{at}")).collect(),
        (None, None) => Vec::new(),
    };
    let (Some((shape, _)), true) = (shape, problems.is_empty()) else {
        return Err(BadInput::new(format!(
            "{} of {} files cannot be imported, nothing was written:\n{}",
            problems.len(),
            files.len(),
            problems.join("\n")
        )));
    };

    let mut progress = Progress::new("files", files.len() as u64);
    let size = (shape.width as u32, shape.height as u32);
    let mut bags = BagSeries::new(&args.out, size, names, period_ns)?;
    for group in files.chunks(args.episodes_per_bag as usize) {
        for file in group {
            let episode = npz::read(file)?;
            for (begin, end) in parts(&episode) {
                write(&mut bags, &episode, begin..end, period_ns, args.action)?;
            }
            progress.advance(1, "");
        }
        bags.next_bag()?;
    }
    progress.finish();
    let (episodes, frames) = bags.written();
    let bags = bags.finish()?;
    tracing::info!(
        "{episodes} episodes, {frames} frames at {rate_hz} Hz into {}",
        args.out.display()
    );
    if args.json {
        print_json(&serde_json::json!({
            "files": files.len(),
            "episodes": episodes,
            "frames": frames,
            "rate_hz": rate_hz,
            "image_height": shape.height,
            "image_width": shape.width,
            "state_width": shape.state,
            "action_width": shape.action,
            "bags": bags,
        }));
    }
    Ok(ExitCode::SUCCESS)
}

/// What all files must have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    height: usize,
    width: usize,
    state: usize,
    action: usize,
}

impl Shape {
    fn of(episode: &NpzEpisode) -> Self {
        Self {
            height: episode.height,
            width: episode.width,
            state: episode.state_width,
            action: episode.action_width,
        }
    }
}

/// The npz files at `paths` and in the folders among them, by name.
fn find_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let is_npz = |path: &Path| path.extension().is_some_and(|end| end == "npz");
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside = Vec::new();
            collect_npz(path, &is_npz, &mut inside);
            inside.sort();
            if inside.is_empty() {
                problems.push(format!(
                    "{}: expected .npz files in it, found none",
                    path.display()
                ));
            }
            files.append(&mut inside);
        } else if path.is_file() {
            files.push(path.clone());
        } else {
            problems.push(format!(
                "{}: expected a file or folder, found nothing",
                path.display()
            ));
        }
    }
    if problems.is_empty() {
        Ok(files)
    } else {
        Err(BadInput::new(format!("--npz:\n{}", problems.join("\n"))))
    }
}

fn collect_npz(folder: &Path, is_npz: &dyn Fn(&Path) -> bool, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect_npz(&path, is_npz, files);
        } else if is_npz(&path) {
            files.push(path);
        }
    }
}

/// Begin and end of the episodes in a file.
fn parts(episode: &NpzEpisode) -> Vec<(usize, usize)> {
    let mut begins: Vec<usize> = (0..episode.frames)
        .filter(|frame| *frame == 0 || episode.is_first[*frame])
        .collect();
    begins.push(episode.frames);
    begins.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// Writes the frames `range` as an episode.
fn write(
    bags: &mut BagSeries,
    episode: &NpzEpisode,
    range: std::ops::Range<usize>,
    period_ns: i64,
    alignment: Alignment,
) -> anyhow::Result<()> {
    let pixels = episode.width * episode.height * 3;
    let (ns, na) = (episode.state_width, episode.action_width);
    let still = vec![0.0; na];
    let mut velocities = vec![0.0; ns];
    bags.begin()?;
    for frame in range.clone() {
        let state = |frame: usize| &episode.states[frame * ns..][..ns];
        if frame > range.start {
            let seconds = period_ns as f64 * 1e-9;
            for (velocity, (now, before)) in velocities
                .iter_mut()
                .zip(state(frame).iter().zip(state(frame - 1)))
            {
                *velocity = (now - before) / seconds;
            }
        }
        let command = match alignment {
            Alignment::Follows => &episode.actions[frame * na..][..na],
            Alignment::Precedes if frame + 1 < range.end => {
                &episode.actions[(frame + 1) * na..][..na]
            }
            Alignment::Precedes => &still[..],
        };
        bags.step(&Step {
            image: &episode.images[frame * pixels..][..pixels],
            positions: state(frame),
            velocities: &velocities,
            command,
            reward: Some(episode.rewards[frame]),
        })?;
    }
    Ok(())
}
