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

mod contract;
pub mod episode;
mod error;
pub mod npz;
mod read;
pub mod record;
mod resample;

use std::path::{Path, PathBuf};

pub use contract::{BagReport, Episode, EpisodeSink, LoadOptions, Shape};
pub use error::DataError;

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
