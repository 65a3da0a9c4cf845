//! Which features of a data set are the camera, the joints, the actions and the reward.

use std::collections::BTreeMap;

use super::info::{Feature, Info};

/// Feature of the joint positions.
pub(super) const STATE: &str = "observation.state";
/// Feature of the joint velocities, as this program writes it.
pub(super) const VELOCITY: &str = "observation.velocity";
/// Feature of the actions.
pub(super) const ACTION: &str = "action";
/// Feature of the reward of an observation, as this program writes it.
pub(super) const REWARD: &str = "reward";
/// Feature of the reward that an action brought, which is the reward of the next observation.
pub(super) const NEXT_REWARD: &str = "next.reward";

/// What the actions of a data set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    /// Joint velocities.
    Velocity,
    /// Joint positions aimed at, as most LeRobot data sets have.
    Position,
}

/// What a user says about a data set; what is left open is looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Feature of the camera.
    pub image: Option<String>,
    /// Feature of the reward.
    pub reward: Option<String>,
    /// What the actions are.
    pub actions: Option<ActionKind>,
    /// Names of the joints, in the order of the state.
    pub joint_names: Option<Vec<String>>,
    /// Whether states and actions are in degrees.
    pub degrees: bool,
}

/// Features that are read.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) image: String,
    pub(super) is_video: bool,
    pub(super) state: Option<String>,
    pub(super) velocity: Option<String>,
    pub(super) reward: Option<String>,
    pub(super) actions: ActionKind,
    pub(super) action_width: usize,
    pub(super) joint_names: Vec<String>,
    /// Radians in a unit of states and actions.
    pub(super) unit: f64,
}

impl Choice {
    /// Chooses among the features.
    ///
    /// # Errors
    /// Everything that is missing, not clear, or not as it is named.
    pub(super) fn of(info: &Info, wanted: &Wanted) -> Result<Self, Vec<String>> {
        let features = &info.features;
        let mut problems = Vec::new();
        let image = camera(features, wanted.image.as_deref(), &mut problems);
        let joints = features.get(STATE).map_or(0, width);
        let action_width = features.get(ACTION).map_or(0, width);
        if action_width == 0 {
            problems.push(missing(ACTION, "an array of numbers", features));
        }
        let joint_names = match &wanted.joint_names {
            Some(names) if names.len() != joints => {
                let found = names.len();
                problems.push(format!(
                    "--joint-names: expected {joints} names as {STATE} has values, found {found}"
                ));
                Vec::new()
            }
            Some(names) => names.clone(),
            None => names_of(features.get(STATE), joints),
        };
        let suffix = |end: &str| {
            let names = features.get(ACTION).and_then(Feature::value_names);
            names.is_some_and(|names| names.iter().all(|name| name.ends_with(end)))
        };
        let actions = match wanted.actions {
            Some(kind) => kind,
            None if suffix(".vel") => ActionKind::Velocity,
            None if suffix(".pos") => ActionKind::Position,
            None => {
                problems.push(
                    "the actions have no names that end in .pos or .vel: say what they are with --action-is position or \
                     --action-is velocity"
                        .to_owned(),
                );
                ActionKind::Position
            }
        };
        let reward = match &wanted.reward {
            Some(key) if !features.contains_key(key) => {
                problems.push(missing(key, "a reward, as --reward says", features));
                None
            }
            Some(key) => Some(key.clone()),
            None => [REWARD, NEXT_REWARD]
                .into_iter()
                .find(|key| features.contains_key(*key))
                .map(str::to_owned),
        };
        if let Some(rate) = (features.get(&image)).and_then(|f| f.info["video.fps"].as_f64())
            && (rate - info.fps).abs() > 1e-3 * info.fps
        {
            let fps = info.fps;
            problems.push(format!(
                "{image}: expected a video of {fps} frames a second as the data set has, found {rate}; encode it again at {fps}"
            ));
        }
        match problems.is_empty() {
            false => Err(problems),
            true => Ok(Self {
                is_video: features[&image].dtype == "video",
                image,
                state: (joints > 0).then(|| STATE.to_owned()),
                velocity: (features.get(VELOCITY).map(width) == Some(joints) && joints > 0)
                    .then(|| VELOCITY.to_owned()),
                reward,
                actions,
                action_width,
                joint_names,
                unit: if wanted.degrees {
                    1_f64.to_radians()
                } else {
                    1.0
                },
            }),
        }
    }
}

/// Number of values of a feature of one dimension, 0 of any other.
fn width(feature: &Feature) -> usize {
    match feature.shape[..] {
        [width] if !feature.is_camera() && feature.dtype != "string" => width,
        _ => 0,
    }
}

fn camera(
    features: &BTreeMap<String, Feature>,
    wanted: Option<&str>,
    problems: &mut Vec<String>,
) -> String {
    let cameras: Vec<&str> = (features.iter())
        .filter(|(_, feature)| feature.is_camera())
        .map(|(key, _)| key.as_str())
        .collect();
    match (wanted, &cameras[..]) {
        (Some(key), _) if cameras.contains(&key) => return key.to_owned(),
        (Some(key), _) => problems.push(missing(key, "a camera, as --image says", features)),
        (None, [one]) => return (*one).to_owned(),
        (None, []) => problems.push(missing("observation.images.*", "a camera", features)),
        (None, several) => problems.push(format!(
            "expected one camera, found {}; choose one with --image",
            several.join(", ")
        )),
    }
    String::new()
}

fn missing(key: &str, what: &str, features: &BTreeMap<String, Feature>) -> String {
    let found = features.iter().map(|(key, feature)| {
        let (dtype, shape) = (&feature.dtype, &feature.shape);
        format!("{key} ({dtype} {shape:?})")
    });
    let found: Vec<String> = found.collect();
    format!(
        "expected the feature `{key}`, {what}, found {}",
        found.join(", ")
    )
}

/// The names of the joints: those of the state without `.pos`, else `state_0` and so on.
fn names_of(state: Option<&Feature>, joints: usize) -> Vec<String> {
    let named = state.and_then(Feature::value_names).filter(|names| {
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        sorted.len() == joints
    });
    match named {
        Some(names) => (names.iter())
            .map(|name| name.trim_end_matches(".pos").to_owned())
            .collect(),
        None => (0..joints).map(|joint| format!("state_{joint}")).collect(),
    }
}
