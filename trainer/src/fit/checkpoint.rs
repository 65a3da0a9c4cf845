//! The state of a training run on disk.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use latco_models::{ActionKind, RewardRange, replace_file};

use super::adam::Adam;
use super::config::FitConfig;
use super::moments::Moments;
use crate::rssm::params::Params;

/// File name in the folder of a run.
pub const CHECKPOINT_FILE: &str = "checkpoint.postcard";
/// Version of the format.
const VERSION: u32 = 5;
/// The version that differs in the names of the parameters alone; it is read, too.
const VERSION_OF_OTHER_NAMES: u32 = 4;

/// Part of a training run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The autoencoder on single frames.
    Autoencoder,
    /// The world model.
    World,
    /// The run is finished.
    Done,
}

/// What the data of a run say about the robot; goes into the bundle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataFacts {
    /// Task, e.g. `reach`.
    pub task: String,
    /// Time between two frames, s.
    pub control_period_s: f64,
    /// Image height, pixels.
    pub height: usize,
    /// Image width, pixels.
    pub width: usize,
    /// Command per unit of action.
    pub action_scale: Vec<f32>,
    /// Kind of each action; empty if all are joint velocities.
    pub action_kinds: Vec<ActionKind>,
    /// Joint names in order; empty if the data have none.
    pub joint_names: Vec<String>,
    /// Lower position limits, rad.
    pub position_lower_rad: Vec<f64>,
    /// Upper position limits, rad.
    pub position_upper_rad: Vec<f64>,
    /// Velocity limits, rad/s.
    pub velocity_limit_rad_s: Vec<f64>,
    /// Mean of the joint states that the model subtracts; empty without joints.
    pub joints_mean: Vec<f32>,
    /// Deviation of the joint states that the model divides by; empty without joints.
    pub joints_std: Vec<f32>,
    /// SHA-256 of the training frames.
    pub data_hash: String,
    /// Rewards that plans may be promised: those of the training frames.
    pub reward_range: RewardRange,
}

/// The held-out loss of some weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Steps after which it was measured.
    pub step: usize,
    /// Mean loss of the held-out batches.
    pub loss: f32,
}

/// The weights with the least held-out loss so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Held-out loss of these weights.
    pub held_out: HeldOut,
    /// The weights; their moving average where one is kept.
    pub params: Params,
    /// Number of measurements since then.
    pub measured_since: usize,
}

/// All that a run needs to go on as if it had never stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    version: u32,
    /// Configuration of the run.
    #[serde(with = "super::config::as_toml")]
    pub config: FitConfig,
    /// Seed of the run.
    pub seed: u64,
    /// Facts about the data.
    #[serde(with = "as_toml")]
    pub facts: DataFacts,
    /// Part that is being trained.
    pub stage: Stage,
    /// Steps done in this part.
    pub step: usize,
    /// Parameters being trained in this part.
    pub params: Params,
    /// Moving average of these, if one is kept.
    pub average: Option<Params>,
    /// State of the optimiser.
    pub adam: Adam,
    /// Moments of the rewards drawn so far, where rewards are normalised.
    pub rewards: Moments,
    /// The last held-out loss of this part; of the weights in use once the part is finished.
    pub held_out: Option<HeldOut>,
    /// The best weights of this part, where it may end early.
    pub best: Option<Best>,
    /// The frozen autoencoder of the first stage, whitening folded in.
    pub autoencoder: Option<Params>,
    /// Time spent training so far, s.
    pub seconds: f64,
}

/// (De)serialises facts as TOML, which stays readable when others are added.
mod as_toml {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

    use super::DataFacts;

    pub(super) fn serialize<S: Serializer>(facts: &DataFacts, to: S) -> Result<S::Ok, S::Error> {
        let text = toml::to_string(facts).map_err(ser::Error::custom)?;
        text.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DataFacts, D::Error> {
        toml::from_str(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// Why a checkpoint cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("cannot use the checkpoint {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is damaged or of another version.
    #[error(
        "the checkpoint {path} is not one of this version ({reason}); train anew into another folder"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Checkpoint {
    /// The state before the first step of a stage.
    pub fn start(
        config: FitConfig,
        seed: u64,
        facts: DataFacts,
        stage: Stage,
        params: Params,
    ) -> Self {
        Self {
            version: VERSION,
            config,
            seed,
            facts,
            stage,
            step: 0,
            params,
            average: None,
            adam: Adam::default(),
            rewards: Moments::default(),
            held_out: None,
            best: None,
            autoencoder: None,
            seconds: 0.0,
        }
    }

    /// Whether the folder has a checkpoint.
    pub fn exists(folder: &Path) -> bool {
        folder.join(CHECKPOINT_FILE).exists()
    }

    /// Reads the checkpoint of a folder.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn load(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(CHECKPOINT_FILE);
        let bytes = std::fs::read(&path).map_err(|source| CheckpointError::Io {
            path: path.clone(),
            source,
        })?;
        let damaged = |reason| CheckpointError::Format {
            path: path.clone(),
            reason,
        };
        let (version, _) =
            postcard::take_from_bytes::<u32>(&bytes).map_err(|e| damaged(e.to_string()))?;
        if version != VERSION && version != VERSION_OF_OTHER_NAMES {
            return Err(damaged(format!(
                "expected version {VERSION}, found {version}"
            )));
        }
        let mut checkpoint: Self =
            postcard::from_bytes(&bytes).map_err(|e| damaged(e.to_string()))?;
        if version == VERSION_OF_OTHER_NAMES {
            checkpoint.rename();
        }
        Ok(checkpoint)
    }

    /// Gives the parameters of [`VERSION_OF_OTHER_NAMES`] their names of today.
    fn rename(&mut self) {
        self.version = VERSION;
        let best = self.best.as_mut().map(|best| &mut best.params);
        let others = [self.average.as_mut(), self.autoencoder.as_mut(), best];
        for params in others.into_iter().flatten().chain([&mut self.params]) {
            for parameter in &mut params.entries {
                parameter.name = todays_name(&parameter.name);
            }
        }
    }

    /// Writes the checkpoint so that an interruption leaves the former one in place.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn save(&self, folder: &Path) -> Result<(), CheckpointError> {
        let path = folder.join(CHECKPOINT_FILE);
        let bytes = postcard::to_stdvec(self).map_err(|e| CheckpointError::Format {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        replace_file(&path, &bytes).map_err(|source| CheckpointError::Io { path, source })
    }

    /// The weights of the world model to use: the average if one is kept.
    pub fn world_params(&self) -> &Params {
        self.average.as_ref().unwrap_or(&self.params)
    }
}

/// The name of today of a parameter of [`VERSION_OF_OTHER_NAMES`]: layers of the core had a prefix and were counted from
/// 1, as all layers were.
fn todays_name(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let part = |part: &str| match part {
        "w" => "kernel".to_owned(),
        "b" => "bias".to_owned(),
        "gru_state" => "gru_recurrent".to_owned(),
        number => match number.parse::<usize>() {
            Ok(number) => number.saturating_sub(1).to_string(),
            Err(_) => number.to_owned(),
        },
    };
    match parts.as_slice() {
        ["core", layer, "1", kind] => format!("{layer}.{}", part(kind)),
        ["core", layer, "2", kind] => format!("{layer}_moments.{}", part(kind)),
        ["core", rest @ ..] | rest => rest.iter().map(|p| part(p)).collect::<Vec<_>>().join("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_the_version_before_get_their_names_of_today() {
        for (before, now) in [
            ("core.input.w", "input.kernel"),
            ("core.gru_input.b", "gru_input.bias"),
            ("core.gru_state.w", "gru_recurrent.kernel"),
            ("core.prior.1.w", "prior.kernel"),
            ("core.posterior.2.b", "posterior_moments.bias"),
            ("reward_logit.3.w", "reward_logit.2.kernel"),
            ("encoder.code.2.b", "encoder.code.1.bias"),
            ("encoder.conv1.w", "encoder.conv1.kernel"),
            ("decoder.input.w", "decoder.input.kernel"),
            ("ensemble.5.1.w", "ensemble.4.0.kernel"),
            ("ensemble.deviation", "ensemble.deviation"),
        ] {
            assert_eq!(todays_name(before), now);
        }
    }
}
