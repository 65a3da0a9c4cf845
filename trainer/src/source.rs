//! Bags to training and held-out frames, and what they say about the robot.

use std::path::PathBuf;

use latco_models::verify::sha256;

use crate::data::{DataError, Dataset, LoadOptions, load};
use crate::fit::checkpoint::DataFacts;
use crate::fit::config::FitConfig;
use crate::fit::dataset::Frames;

/// Smallest side of an image made to look at the robot's facts, pixels.
const ANY_IMAGE_SIZE: usize = 32;

/// Episodes for training and for the gates.
pub struct Source {
    /// Trained on.
    pub train: Frames,
    /// Kept for the gates.
    pub held_out: Frames,
    /// What they say about the robot.
    pub facts: DataFacts,
    /// What was wrong with single bags.
    pub problems: Vec<String>,
}

/// Reads bags for a configuration; `recent` are those drawn more often in training.
///
/// # Errors
/// See [`DataError`].
pub fn read(bags: &[PathBuf], recent: &[PathBuf], config: &FitConfig) -> Result<Source, DataError> {
    let robot = latco_envs::make(&config.data.task, ANY_IMAGE_SIZE).ok();
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
    let size = config.data.image_size as u32;
    let options = LoadOptions {
        control_period_s: period,
        image_size: (size > 0).then_some((size, size)),
        joint_names: robot
            .as_ref()
            .map(|r| r.joint_names().iter().map(|n| (*n).to_owned()).collect()),
        action_scale: scale.iter().map(|s| *s as f32).collect(),
        ..LoadOptions::default()
    };
    let data = load(bags, &options)?;
    let mut problems = data.problems();
    let (mut train, mut held_out) = split(&data, config.held_out);
    if !recent.is_empty() {
        let options = LoadOptions {
            image_size: Some((data.width as u32, data.height as u32)),
            joint_names: Some(data.joint_names.clone()),
            ..options
        };
        let data = load(recent, &options)?;
        problems.extend(data.problems());
        let (recent_train, recent_held_out) = split(&data, config.held_out);
        train.append(&recent_train);
        train.recent_episodes = recent_train.episodes();
        held_out.append(&recent_held_out);
    }
    let mut facts = DataFacts {
        task: config.data.task.clone(),
        control_period_s: period,
        height: data.height,
        width: data.width,
        action_scale: if scale.is_empty() {
            vec![1.0; data.action_width]
        } else {
            scale.iter().map(|s| *s as f32).collect()
        },
        joint_names: data.joint_names.clone(),
        data_hash: hash(&train),
        ..DataFacts::default()
    };
    match &robot {
        Some(robot) => {
            let limits = robot.limits();
            facts.position_lower_rad = limits.iter().map(|l| l.lower_rad).collect();
            facts.position_upper_rad = limits.iter().map(|l| l.upper_rad).collect();
            facts.velocity_limit_rad_s = limits.iter().map(|l| l.velocity_rad_s).collect();
        }
        None => limits_of(&data, &mut facts),
    }
    if config.data.mirror {
        train.mirror();
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

/// Every so many episodes, one is held out; one stays to train on.
fn split(data: &Dataset, share: f64) -> (Frames, Frames) {
    let joints = 2 * data.joint_names.len();
    let empty = || Frames::new(data.height, data.width, joints, data.action_width);
    let (mut train, mut held_out) = (empty(), empty());
    for (index, episode) in data.episodes.iter().enumerate() {
        let held = ((index + 1) as f64 * share).floor() > (index as f64 * share).floor();
        let target = if held && index > 0 {
            &mut held_out
        } else {
            &mut train
        };
        target.push(
            &episode.images,
            &episode.joints,
            &episode.actions,
            &episode.rewards,
        );
    }
    (train, held_out)
}

/// Where no robot says its limits: the range of the data, a tenth wider on each side.
fn limits_of(data: &Dataset, facts: &mut DataFacts) {
    let joints = data.joint_names.len();
    let width = 2 * joints;
    for j in 0..joints {
        let column = |offset: usize| {
            data.episodes
                .iter()
                .flat_map(move |e| e.joints.iter().skip(offset + j).step_by(width))
                .map(|x| f64::from(*x))
        };
        let lower = column(0).fold(f64::INFINITY, f64::min);
        let upper = column(0).fold(f64::NEG_INFINITY, f64::max);
        let margin = 0.1 * (upper - lower) + 1e-3;
        facts.position_lower_rad.push(lower - margin);
        facts.position_upper_rad.push(upper + margin);
        let fastest = column(joints).fold(0.0, |a: f64, x| a.max(x.abs()));
        facts.velocity_limit_rad_s.push(1.1 * fastest + 1e-3);
    }
}

/// SHA-256 over the frames.
fn hash(frames: &Frames) -> String {
    let mut parts = sha256(&frames.images);
    for values in [&frames.joints, &frames.actions, &frames.rewards] {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        parts.push_str(&sha256(&bytes));
    }
    sha256(parts.as_bytes())
}
