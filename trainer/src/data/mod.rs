//! Training data: bags to episodes, and episodes to bags.
//!
//! ```no_run
//! use latco_trainer::data::{LoadOptions, load};
//!
//! let options = LoadOptions {
//!     control_period_s: 0.1,
//!     action_scale: vec![0.35, 0.45, 0.7],
//!     ..LoadOptions::default()
//! };
//! let data = load(&["bags".into()], &options)?;
//! for line in data.problems() {
//!     eprintln!("{line}");
//! }
//! for episode in &data.episodes {
//!     println!("{} frames, return {}", episode.len(), episode.rewards.iter().sum::<f32>());
//! }
//! # Ok::<(), latco_trainer::data::DataError>(())
//! ```
//!
//! * [`load`] (all into memory) and [`load_into`] (one episode at a time) find bags, [`read`] turns the messages of one bag into streams, [`resample`] puts
//!   the streams on the control period.
//! * [`record`] writes episodes; [`npz`] reads the episodes of other projects.

pub mod episode;
mod error;
pub mod npz;
mod read;
pub mod record;
mod resample;

use std::path::{Path, PathBuf};

pub use error::DataError;

/// One episode on the control period; all arrays row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Episode {
    /// Number given by the recorder, -1 for what stands before the first mark.
    pub number: i64,
    /// Time of the first frame, ns.
    pub start_ns: i64,
    /// RGB, `[T, height, width, 3]`.
    pub images: Vec<u8>,
    /// Positions, then velocities, `[T, 2 nj]`, rad and rad/s, not normalised.
    pub joints: Vec<f32>,
    /// `[T, na]`, commands divided by the action scale; `actions[t]` follows observation `t`.
    pub actions: Vec<f32>,
    /// `[T]`, reward of observation `t`.
    pub rewards: Vec<f32>,
}

impl Episode {
    /// Number of frames `T`.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }
}

/// How bags are read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// Time between two frames of an episode, s.
    pub control_period_s: f64,
    /// Width and height of the images, pixels; `None` keeps the size of the first bag.
    pub image_size: Option<(u32, u32)>,
    /// Joints in the order of the model; `None` takes the order of the first joint state, `[]`
    /// reads no joints.
    pub joint_names: Option<Vec<String>>,
    /// Command that an action of 1 stands for, per joint (rad/s); empty means 1.
    pub action_scale: Vec<f32>,
    /// Shorter episodes are left out, frames.
    pub min_frames: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            control_period_s: 0.1,
            image_size: None,
            joint_names: None,
            action_scale: Vec::new(),
            min_frames: 2,
        }
    }
}

/// What the episodes of one robot have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Columns of the images, pixels.
    pub width: usize,
    /// Rows of the images, pixels.
    pub height: usize,
    /// Joints in the order of [`Episode::joints`]; empty without joints.
    pub joint_names: Vec<String>,
    /// Values per action.
    pub action_width: usize,
}

/// Takes episodes one at a time, so that not all of them need be in memory.
pub trait EpisodeSink {
    /// Takes one episode.
    ///
    /// # Errors
    /// Where it cannot be stored, which ends the reading.
    fn add(&mut self, shape: &Shape, episode: Episode) -> std::io::Result<()>;

    /// The bag of the episodes added last is at its end, and they stay.
    fn keep(&mut self);

    /// The bag of the episodes added last turned out to be unusable: those since the last
    /// [`Self::keep`] are dropped.
    ///
    /// # Errors
    /// As for [`Self::add`].
    fn forget(&mut self) -> std::io::Result<()>;
}

/// What became of one bag.
#[derive(Debug, Clone, PartialEq)]
pub struct BagReport {
    /// The bag.
    pub bag: PathBuf,
    /// Episodes taken from it.
    pub episodes: usize,
    /// Frames taken from it.
    pub frames: usize,
    /// What was wrong; the bag was left out where it has no frames.
    pub problems: Vec<String>,
}

/// Episodes of one robot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    /// Columns of the images, pixels.
    pub width: usize,
    /// Rows of the images, pixels.
    pub height: usize,
    /// Joints in the order of [`Episode::joints`]; empty without joints.
    pub joint_names: Vec<String>,
    /// Values per action.
    pub action_width: usize,
    /// In the order of the bags and their times.
    pub episodes: Vec<Episode>,
    /// One per bag.
    pub bags: Vec<BagReport>,
}

impl Dataset {
    /// Frames of all episodes.
    pub fn frames(&self) -> usize {
        self.episodes.iter().map(Episode::len).sum()
    }

    /// One line per problem, with the name of the bag.
    pub fn problems(&self) -> Vec<String> {
        problems_of(&self.bags)
    }
}

/// One line per problem, with the name of the bag.
pub fn problems_of(bags: &[BagReport]) -> Vec<String> {
    let lines = bags.iter().flat_map(|bag| {
        bag.problems.iter().map(|problem| {
            let name = bag.bag.display().to_string();
            if problem.starts_with(&name) {
                problem.clone()
            } else {
                format!("{name}: {problem}")
            }
        })
    });
    lines.collect()
}

/// Reads the episodes of all bags in `paths`: bags, or folders that hold bags.
///
/// A damaged bag gives what can be read of it, one that cannot be used is left out; both are
/// reported in [`Dataset::bags`].
///
/// # Errors
/// [`DataError::NoBags`], [`DataError::Setting`], and [`DataError::AllFailed`] when no bag gives
/// a frame.
pub fn load(paths: &[PathBuf], options: &LoadOptions) -> Result<Dataset, DataError> {
    let mut all = InMemory::default();
    let (shape, bags) = load_into(paths, options, &mut all)?;
    Ok(Dataset {
        width: shape.width,
        height: shape.height,
        joint_names: shape.joint_names,
        action_width: shape.action_width,
        episodes: all.episodes,
        bags,
    })
}

/// As [`load`], giving each episode away as soon as it is read: what is in memory of images are
/// those between two episode marks.
///
/// # Errors
/// As for [`load`], and [`DataError::Store`] of the sink.
pub fn load_into(
    paths: &[PathBuf],
    options: &LoadOptions,
    sink: &mut dyn EpisodeSink,
) -> Result<(Shape, Vec<BagReport>), DataError> {
    check(options)?;
    let bags: Vec<PathBuf> = paths.iter().flat_map(|path| find_bags(path)).collect();
    if bags.is_empty() {
        return Err(DataError::NoBags {
            given: paths.to_vec(),
        });
    }
    let mut shape = None;
    let mut reports = Vec::with_capacity(bags.len());
    for bag in bags {
        let report = match read::episodes(&bag, options, &mut shape, sink) {
            Ok(report) => {
                sink.keep();
                report
            }
            Err(error @ DataError::Store(_)) => return Err(error),
            Err(error) => {
                sink.forget().map_err(DataError::Store)?;
                BagReport {
                    bag,
                    episodes: 0,
                    frames: 0,
                    problems: vec![error.to_string()],
                }
            }
        };
        reports.push(report);
    }
    match shape {
        Some(shape) => Ok((shape, reports)),
        None => Err(DataError::AllFailed {
            problems: problems_of(&reports),
        }),
    }
}

fn check(options: &LoadOptions) -> Result<(), DataError> {
    if !(options.control_period_s.is_finite() && options.control_period_s >= 1e-4) {
        return Err(DataError::Setting {
            name: "control_period_s",
            expected: "at least 0.0001 s",
            found: options.control_period_s.to_string(),
        });
    }
    let bad = |scale: &&f32| !(scale.is_finite() && **scale > 0.0);
    match options.action_scale.iter().find(bad) {
        None => Ok(()),
        Some(bad) => Err(DataError::Setting {
            name: "action_scale",
            expected: "positive numbers",
            found: bad.to_string(),
        }),
    }
}

/// Keeps all episodes.
#[derive(Default)]
struct InMemory {
    episodes: Vec<Episode>,
    kept: usize,
}

impl EpisodeSink for InMemory {
    fn add(&mut self, _: &Shape, episode: Episode) -> std::io::Result<()> {
        self.episodes.push(episode);
        Ok(())
    }

    fn keep(&mut self) {
        self.kept = self.episodes.len();
    }

    fn forget(&mut self) -> std::io::Result<()> {
        self.episodes.truncate(self.kept);
        Ok(())
    }
}

/// The bags at `path`: itself, or those in it; a path without bags is given back, so that reading
/// it says what is wrong.
fn find_bags(path: &Path) -> Vec<PathBuf> {
    let children = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut children: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        children.sort();
        children
    };
    let holds_recording = |folder: &Path| {
        children(folder).iter().any(|file| {
            file.file_name().is_some_and(|name| name == "metadata.yaml")
                || file
                    .extension()
                    .is_some_and(|end| end == "mcap" || end == "db3")
        })
    };
    if !path.is_dir() || holds_recording(path) {
        return vec![path.to_path_buf()];
    }
    let bags: Vec<PathBuf> = children(path)
        .into_iter()
        .filter(|child| child.is_dir() && holds_recording(child))
        .collect();
    if bags.is_empty() && !children(path).is_empty() {
        return vec![path.to_path_buf()];
    }
    bags
}
