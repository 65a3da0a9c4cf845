//! `latco-train import`: npz episodes of other projects to bags.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use latco_bag::BagWriter;
use latco_trainer::data::npz::{self, NpzEpisode};
use latco_trainer::data::record::{EpisodeRecorder, Step};

use super::shell::{BadInput, print_json};
use latco_trainer::progress::Progress;

/// Time between two episodes of a bag, ns.
const PAUSE_NS: i64 = 1_000_000_000;

/// Arguments of `latco-train import`.
///
/// The `state` of the files becomes joint positions named state_0, state_1, ..., with velocities
/// from differences of successive states; files without it give bags without joints. Actions
/// become commands unchanged (an action scale of 1).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Episode files, or folders of them.
    #[arg(long, required = true, num_args = 1..)]
    npz: Vec<PathBuf>,
    /// Folder for the bags; must not exist or be empty.
    #[arg(long)]
    out: PathBuf,
    /// Frames per second.
    #[arg(long)]
    rate_hz: f64,
    /// Which observation an action belongs to: `follows` the observation at the same index, or
    /// led to it (`precedes`, as Dreamer stores it).
    #[arg(long, value_enum, default_value_t = Alignment::Follows)]
    action: Alignment,
    /// Files in one bag.
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

/// Imports all files, or none when one of them is wrong.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    if !(args.rate_hz.is_finite() && (1e-3..=1e4).contains(&args.rate_hz)) {
        return Err(BadInput::new(format!(
            "--rate-hz: expected 0.001 to 10000, found {}",
            args.rate_hz
        )));
    }
    let period_ns = (1e9 / args.rate_hz).round() as i64;
    let files = find_files(&args.npz)?;
    if std::fs::read_dir(&args.out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(BadInput::new(format!(
            "{}: expected a new or empty folder for --out, found files in it",
            args.out.display()
        )));
    }

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
    let (Some((shape, _)), true) = (shape, problems.is_empty()) else {
        return Err(BadInput::new(format!(
            "{} of {} files cannot be imported, nothing was written:\n{}",
            problems.len(),
            files.len(),
            problems.join("\n")
        )));
    };

    let mut progress = Progress::new("files", files.len() as u64);
    let (mut frames, mut episodes, mut bags) = (0, 0, Vec::new());
    for (number, group) in files.chunks(args.episodes_per_bag as usize).enumerate() {
        let bag = args.out.join(format!("import-{number:04}"));
        let names = (0..shape.state)
            .map(|index| format!("state_{index}"))
            .collect();
        let mut recorder = EpisodeRecorder::new(
            BagWriter::create(&bag)?,
            shape.width as u32,
            shape.height as u32,
            names,
        )?;
        let mut time_ns = 0;
        for file in group {
            let episode = npz::read(file)?;
            for (begin, end) in parts(&episode) {
                recorder.begin(episodes, time_ns)?;
                time_ns = write(
                    &mut recorder,
                    &episode,
                    begin..end,
                    time_ns,
                    period_ns,
                    args.action,
                )?;
                time_ns += PAUSE_NS;
                episodes += 1;
            }
            frames += episode.frames;
            progress.advance(1, "");
        }
        recorder.finish()?;
        bags.push(bag.display().to_string());
    }
    progress.finish();
    tracing::info!(
        "{episodes} episodes, {frames} frames at {} Hz into {}",
        args.rate_hz,
        args.out.display()
    );
    if args.json {
        print_json(&serde_json::json!({
            "files": files.len(),
            "episodes": episodes,
            "frames": frames,
            "rate_hz": args.rate_hz,
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

/// Writes the frames `range`; gives the time after the last.
fn write(
    recorder: &mut EpisodeRecorder,
    episode: &NpzEpisode,
    range: std::ops::Range<usize>,
    start_ns: i64,
    period_ns: i64,
    alignment: Alignment,
) -> anyhow::Result<i64> {
    let pixels = episode.width * episode.height * 3;
    let (ns, na) = (episode.state_width, episode.action_width);
    let still = vec![0.0; na];
    let mut velocities = vec![0.0; ns];
    let mut time_ns = start_ns;
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
        recorder.step(
            time_ns,
            &Step {
                image: &episode.images[frame * pixels..][..pixels],
                positions: state(frame),
                velocities: &velocities,
                command,
                reward: episode.rewards[frame],
            },
        )?;
        time_ns += period_ns;
    }
    Ok(time_ns)
}
