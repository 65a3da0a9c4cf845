//! Bags to training and held-out frames, and what they say about the robot.

use std::io;
use std::path::{Path, PathBuf};

use latco_bag::recording::{Actions, Keys, Wanted};
use latco_envs::EnvError;
use latco_models::{ActionKind, RewardRange};
use sha2::{Digest, Sha256};

use crate::data::{DataError, Episode, EpisodeSink, LoadOptions, Shape, load_into, problems_of};
use crate::fit::checkpoint::DataFacts;
use crate::fit::config::{ActionSource, FitConfig, Recipe};
use crate::fit::dataset::Frames;

/// Smallest side of an image made to look at the robot's facts, pixels.
const ANY_IMAGE_SIZE: usize = 32;
/// Part of the range of actions that the largest command should reach at least.
const USED_OF_RANGE: f32 = 0.5;
/// Number of bytes in a MB.
const MB: usize = 1_000_000;

/// Episodes for training and for the gates.
pub struct Source {
    /// Episodes to train on.
    pub train: Frames,
    /// Episodes kept for the held-out loss and the gates.
    pub held_out: Frames,
    /// What they say about the robot.
    pub facts: DataFacts,
    /// What was wrong with single bags.
    pub problems: Vec<String>,
}

/// Reads bags for a configuration into memory, whatever their size; `recent` are those drawn more
/// often in training.
///
/// # Errors
/// [`DataError`].
pub fn read(bags: &[PathBuf], recent: &[PathBuf], config: &FitConfig) -> Result<Source, DataError> {
    read_into(bags, recent, config, Collected::new(config.held_out, None))
}

/// Reads like [`read`], but images beyond `data.memory_mb` are set aside in a file in `folder`.
///
/// # Errors
/// [`DataError`]; also where the limit is too small for what must be in memory.
pub fn read_within(
    bags: &[PathBuf],
    recent: &[PathBuf],
    config: &FitConfig,
    folder: &Path,
) -> Result<Source, DataError> {
    let limit = match config.data.memory_mb {
        0 => usize::MAX,
        limit => limit * MB,
    };
    let sink = Collected::new(config.held_out, Some((limit, folder)));
    let source = read_into(bags, recent, config, sink)?;
    let needed = trained_on(&source, config);
    if needed > limit {
        return Err(DataError::Memory {
            needed: needed.div_ceil(MB),
            found: config.data.memory_mb,
        });
    }
    Ok(source)
}

/// Bytes in memory while a model is trained on these data.
pub fn trained_on(source: &Source, config: &FitConfig) -> usize {
    let code = match config.recipe {
        Recipe::TwoStage => config.autoencoder.code,
        Recipe::Planet => 0,
    };
    let computed = code + source.facts.joints_mean.len();
    let of = |frames: &Frames| frames.memory() + frames.len() * computed * size_of::<f32>();
    of(&source.train) + of(&source.held_out)
}

fn read_into(
    bags: &[PathBuf],
    recent: &[PathBuf],
    config: &FitConfig,
    mut sink: Collected,
) -> Result<Source, DataError> {
    let robot = match latco_envs::make(&config.data.task, ANY_IMAGE_SIZE) {
        Ok(robot) => Some(robot),
        // A robot of one's own.
        Err(EnvError::UnknownName { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let period = match (config.data.control_period_s, &robot) {
        (period, _) if period > 0.0 => period,
        (_, Some(robot)) => robot.control_period_s(),
        (_, None) => {
            return Err(DataError::Setting {
                name: "data.control_period_s",
                expected: "the time between two frames, as the task is none of the simulated ones",
                found: format!("no time and the task {:?}", config.data.task),
            });
        }
    };
    let scale = match (&robot, config.data.action_scale.is_empty()) {
        (Some(robot), true) => robot.action_scale().to_vec(),
        _ => config.data.action_scale.clone(),
    };
    let kinds = match &robot {
        Some(robot) if config.data.action_kinds.is_empty() => robot.action_kinds(),
        _ => config.data.action_kinds.clone(),
    };
    let is_twist = kinds.iter().any(|kind| kind.twist_axis().is_some());
    if is_twist && config.data.mirror {
        return Err(DataError::Setting {
            name: "data.mirror",
            expected: "false where actions are components of a twist, of which not all change their sign in a mirror",
            found: "true".to_owned(),
        });
    }
    // Bundles of joint velocities say nothing of it, as there once were no others.
    let plain = kinds.iter().all(|kind| *kind == ActionKind::JointVelocity);
    let kinds = if plain { Vec::new() } else { kinds };
    let size = config.data.image_size as u32;
    let options = LoadOptions {
        control_period_s: period,
        image_size: (size > 0).then_some((size, size)),
        topics: Wanted {
            image: config.data.image.clone(),
            joint_states: config.data.joint_states.clone(),
            commands: config.data.commands.clone(),
            joints: match &config.data.joints[..] {
                [] => (robot.as_ref())
                    .map(|r| r.joint_names().iter().map(|n| (*n).to_owned()).collect()),
                named => Some(named.to_vec()),
            },
            actions: match config.data.action {
                ActionSource::Commands => Actions::Commanded,
                ActionSource::JointStates => Actions::Differences,
            },
            keys: Keys::default(),
        },
        action_scale: scale.iter().map(|s| *s as f32).collect(),
        action_kinds: kinds.clone(),
        ..LoadOptions::default()
    };
    let loaded = load_into(bags, &options, &mut sink);
    let (shape, reports) = loaded.map_err(|error| match (error, &robot) {
        (DataError::AllFailed { mut problems }, Some(robot)) => {
            if let Some(last) = problems.last_mut() {
                last.push_str(&format!(
                    "\ndata.task is {:?}, a simulated robot with the joints {}: for another robot set data.task to a name of its own",
                    config.data.task,
                    robot.joint_names().join(", ")
                ));
            }
            DataError::AllFailed { problems }
        }
        (error, _) => error,
    })?;
    let mut problems = problems_of(&reports);
    let ranges = sink.ranges.clone();
    if !recent.is_empty() {
        let options = LoadOptions {
            image_size: Some((shape.width as u32, shape.height as u32)),
            topics: Wanted {
                joints: Some(shape.joint_names.clone()),
                ..options.topics.clone()
            },
            ..options
        };
        let before = sink.begin_again();
        let (_, reports) = load_into(recent, &options, &mut sink)?;
        problems.extend(problems_of(&reports));
        sink.train.recent_episodes = sink.train.episodes() - before;
    }
    let Collected {
        mut train,
        mut held_out,
        ..
    } = sink;
    let mut facts = DataFacts {
        task: (robot.as_ref())
            .map_or(&*config.data.task, |robot| robot.task())
            .to_owned(),
        control_period_s: period,
        height: shape.height,
        width: shape.width,
        action_scale: if scale.is_empty() {
            vec![1.0; shape.action_width]
        } else {
            scale.iter().map(|s| *s as f32).collect()
        },
        action_kinds: kinds,
        joint_names: shape.joint_names.clone(),
        data_hash: hash(&train).map_err(DataError::Store)?,
        reward_range: RewardRange::of(train.rewards.iter().copied()),
        ..DataFacts::default()
    };
    if robot.is_none() {
        problems.extend(small_actions(&train.actions, &facts.action_scale));
    }
    match &robot {
        Some(robot) => {
            let limits = robot.limits();
            facts.position_lower_rad = limits.iter().map(|l| l.lower_rad).collect();
            facts.position_upper_rad = limits.iter().map(|l| l.upper_rad).collect();
            facts.velocity_limit_rad_s = limits.iter().map(|l| l.velocity_rad_s).collect();
        }
        None => limits_of(&ranges, &mut facts),
    }
    if config.data.mirror {
        train.mirror();
    }
    if config.data.reward_discount > 0.0 {
        for frames in [&mut train, &mut held_out] {
            frames.look_ahead(config.data.reward_discount as f32);
        }
    }
    if config.model.joints && train.joints_width > 0 {
        (facts.joints_mean, facts.joints_std) = train.joints_statistics();
    }
    Ok(Source {
        train,
        held_out,
        facts,
        problems,
    })
}

/// Sorts episodes into those to train on and those held out, as they are read: every so many, one
/// is held out; the first stays to train on.
struct Collected<'a> {
    share: f64,
    /// Bytes above which images are set aside, and the folder for them.
    limit: Option<(usize, &'a Path)>,
    train: Frames,
    held_out: Frames,
    /// Episodes since the beginning.
    count: usize,
    /// Lowest and highest value of every joint value.
    ranges: Vec<(f32, f32)>,
    /// Episodes to train on, held out and since the beginning, and the ranges, at the last
    /// [`EpisodeSink::keep`].
    kept: (usize, usize, usize, Vec<(f32, f32)>),
}

impl<'a> Collected<'a> {
    fn new(share: f64, limit: Option<(usize, &'a Path)>) -> Self {
        Self {
            share,
            limit,
            train: Frames::new(0, 0, 0, 0),
            held_out: Frames::new(0, 0, 0, 0),
            count: 0,
            ranges: Vec::new(),
            kept: (0, 0, 0, Vec::new()),
        }
    }

    /// Counts from the next episode on; gives the number of those to train on so far.
    fn begin_again(&mut self) -> usize {
        self.count = 0;
        self.kept.2 = 0;
        self.train.episodes()
    }
}

impl EpisodeSink for Collected<'_> {
    fn add(&mut self, shape: &Shape, episode: Episode) -> io::Result<()> {
        let width = 2 * shape.joint_names.len();
        if self.train.episodes() + self.held_out.episodes() == 0 {
            let empty = || Frames::new(shape.height, shape.width, width, shape.action_width);
            // A bag that was forgotten may have left an empty file.
            (self.train, self.held_out) = (empty(), empty());
            self.ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); width];
        }
        if let Some((limit, folder)) = self.limit {
            // A vector grows by an eighth more than asked for.
            let more = episode.images.len() + episode.images.len() / 8;
            let memory = self.train.memory() + self.held_out.memory();
            if memory + memory / 8 + more > limit {
                self.train.set_aside(folder)?;
                self.held_out.set_aside(folder)?;
            }
        }
        for row in episode.joints.chunks_exact(width.max(1)) {
            for ((lower, upper), value) in self.ranges.iter_mut().zip(row) {
                (*lower, *upper) = (lower.min(*value), upper.max(*value));
            }
        }
        let (index, share) = (self.count, self.share);
        let held = ((index + 1) as f64 * share).floor() > (index as f64 * share).floor();
        let target = if held && index > 0 {
            &mut self.held_out
        } else {
            &mut self.train
        };
        self.count += 1;
        target.add(
            &episode.images,
            &episode.joints,
            &episode.actions,
            &episode.rewards,
        )
    }

    fn keep(&mut self) {
        self.kept = (
            self.train.episodes(),
            self.held_out.episodes(),
            self.count,
            self.ranges.clone(),
        );
    }

    fn forget(&mut self) -> io::Result<()> {
        let (train, held_out, count, ranges) = self.kept.clone();
        self.train.truncate(train);
        self.held_out.truncate(held_out);
        (self.count, self.ranges) = (count, ranges);
        Ok(())
    }
}

/// Where no robot says its limits: the range of the data, a tenth wider on each side.
fn limits_of(ranges: &[(f32, f32)], facts: &mut DataFacts) {
    let (positions, velocities) = ranges.split_at(ranges.len() / 2);
    for ((lower, upper), (slowest, fastest)) in positions.iter().zip(velocities) {
        let (lower, upper) = (f64::from(*lower), f64::from(*upper));
        let margin = 0.1 * (upper - lower) + 1e-3;
        facts.position_lower_rad.push(lower - margin);
        facts.position_upper_rad.push(upper + margin);
        let fastest = f64::from(fastest.max(-slowest).max(0.0));
        facts.velocity_limit_rad_s.push(1.1 * fastest + 1e-3);
    }
}

/// A word where the commands of the data use little of the range that a planner may.
fn small_actions(actions: &[f32], scale: &[f32]) -> Option<String> {
    let mut most = vec![0.0_f32; scale.len()];
    for action in actions.chunks_exact(scale.len().max(1)) {
        for (most, value) in most.iter_mut().zip(action) {
            *most = most.max(value.abs());
        }
    }
    let used = most.iter().copied().fold(0.0, f32::max);
    let fits: Vec<String> = (most.iter().zip(scale))
        .map(|(most, scale)| format!("{:.2}", most * scale))
        .collect();
    (used > 0.0 && used < USED_OF_RANGE).then(|| {
        format!(
            "the commands use at most {used:.2} of data.action_scale, and a planner may use all of it, where the model has no data; the \
             largest commands of the joints are [{}]: set data.action_scale to them",
            fits.join(", ")
        )
    })
}

/// SHA-256 over the frames.
fn hash(frames: &Frames) -> io::Result<String> {
    let mut images = Sha256::new();
    frames.for_all_images(|bytes| images.update(bytes))?;
    let mut parts = hex(images);
    for values in [&frames.joints, &frames.actions, &frames.rewards] {
        let mut hash = Sha256::new();
        for value in values {
            hash.update(value.to_le_bytes());
        }
        parts.push_str(&hex(hash));
    }
    Ok(hex(Sha256::new_with_prefix(parts)))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_use_little_of_their_range_are_told_with_the_scale_that_fits() {
        let text = small_actions(&[0.1, -0.05, -0.2, 0.0], &[1.0, 2.0]).unwrap();
        assert!(
            text.contains("at most 0.20") && text.contains("[0.20, 0.10]"),
            "{text}"
        );
        assert_eq!(small_actions(&[0.1, -0.9, 0.2, 0.0], &[1.0, 2.0]), None);
        assert_eq!(small_actions(&[0.0, 0.0], &[1.0, 2.0]), None);
    }
}
