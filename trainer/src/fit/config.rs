//! Configuration of a training run (`configs/train/*.toml`).

use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Table;

use super::section::Section;

/// What is trained, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// Keypoint autoencoder on single frames, frozen; then the RSSM on its codes and the joints.
    TwoStage,
    /// PlaNet's joint evidence lower bound with convolutional encoder and decoder.
    Planet,
}

/// What a reward head predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// The reward, by squared error.
    Regression,
    /// The logit of a 0/1 reward, by cross entropy.
    BernoulliLogit,
}

/// Which reward heads a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardHeads {
    /// One that regresses the reward.
    Regression,
    /// One that gives the logit of a 0/1 reward.
    BernoulliLogit,
    /// Both. Only the gradient of the logit's loss reaches the state: it grows with the distance
    /// from what is rewarded, which shapes the state, while the regression stays bounded, which
    /// planners can trust more.
    Both,
}

/// A whole configuration. Every key has a default, which depends on the recipe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitConfig {
    /// What is trained, and how.
    pub recipe: Recipe,
    /// Share of the episodes kept for the gates.
    pub held_out: f64,
    /// Steps that the rollout graph is unrolled for and the expert gate looks ahead.
    pub horizon: usize,
    /// How the bags are read.
    pub data: DataConfig,
    /// Single-frame autoencoder; only in the two-stage recipe.
    pub autoencoder: AutoencoderConfig,
    /// Sizes of the world model.
    pub model: ModelConfig,
    /// Training of the world model.
    pub training: TrainingConfig,
}

/// How the bags are read. For a task of the simulated robots all but `task` may be left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataConfig {
    /// Name of the task, which the bundle carries.
    pub task: String,
    /// Time between two frames, s; 0 takes the simulated robot's.
    pub control_period_s: f64,
    /// Width and height of the images, pixels; 0 keeps that of the bags.
    pub image_size: usize,
    /// Command per unit of action; empty takes the simulated robot's, or 1.
    pub action_scale: Vec<f64>,
    /// Memory for the data, MB (10^6 bytes): images that do not fit are set aside in a file in the
    /// folder of the run, which needs room for them, and read from it batch by batch; the losses
    /// are the same. 0 for no limit. What the network needs comes on top, and, while bags are
    /// read, the images between two episode marks.
    pub memory_mb: usize,
    /// Whether every episode is also trained on mirrored: images flipped left to right, joints and
    /// actions negated. Only for planar arms whose base is on the picture's middle column, as
    /// those of the simulated robots.
    pub mirror: bool,
    /// What the reward head learns in frames without reward: the next reward of the episode, times this to the power of the
    /// steps until it comes; 0 for the reward itself. Where rewards are rare, plans that do not reach one are told
    /// apart by it: it is the value of what the recorded policies did.
    pub reward_discount: f64,
}

/// Settings of the keypoint autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AutoencoderConfig {
    /// Optimiser steps.
    pub steps: usize,
    /// Frames per step.
    pub batch: usize,
    /// Learning rate at the first step.
    pub learning_rate: f64,
    /// Learning rate at the last step.
    pub final_learning_rate: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// Keypoints (x, y, presence each).
    pub keypoints: usize,
    /// Width between keypoints and code.
    pub hidden: usize,
    /// Width of the code.
    pub code: usize,
    /// Width of the decoder.
    pub decoder: usize,
    /// Whether the decoder is given the joints beside the code, so that the code has to say only what
    /// they do not: where other things are. Without joints it makes no difference.
    pub decoder_joints: bool,
    /// Deviation of the noise added to the code before it is decoded.
    pub code_noise: f64,
    /// Weight of pixels that differ from the mean image.
    pub foreground_weight: f64,
    /// Difference (of 0..1) from which a pixel counts as differing.
    pub foreground_threshold: f64,
    /// Power of one half over its difference by which that weight is multiplied: at 0 all pixels
    /// that differ weigh alike and a dim object counts little beside a bright one, as its squared
    /// error is small; at 2 it counts the same.
    pub dim_power: f64,
    /// Weight of predicting the rewards of an episode's frames from their joints and the code of
    /// another frame, which brings into the code what decides the reward.
    pub reward_weight: f64,
    /// How far these other frames may lie from that frame, in frames; by default anywhere in the
    /// episode, which suits tasks in which nothing but the robot moves. 0 for the frame itself.
    pub reward_span: usize,
    /// Measurements of the held-out loss (one per checkpoint) without a new least value after
    /// which the stage ends early; it then keeps the weights of the least. 0 for never.
    pub patience: usize,
}

impl AutoencoderConfig {
    /// Weight of the squared error of a pixel that differs this much from the mean image.
    pub fn pixel_weight(&self, difference: f32) -> f32 {
        if difference <= self.foreground_threshold as f32 {
            1.0
        } else {
            self.foreground_weight as f32 * (0.5 / difference).powf(self.dim_power as f32)
        }
    }
}

/// Sizes of the world model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelConfig {
    /// Stochastic part of the state.
    pub stoch: usize,
    /// Deterministic part of the state; 0 for none, the SSM of the PlaNet paper's ablation, whose
    /// bundles have dynamics of the kind `dense`.
    pub deter: usize,
    /// Width of the dense layers.
    pub hidden: usize,
    /// Width of the hidden layers of the heads.
    pub units: usize,
    /// Smallest deviation of the stochastic part.
    pub min_std: f64,
    /// Whether joint states are observed beside the image.
    pub joints: bool,
    /// Reward heads.
    pub reward: RewardHeads,
    /// Head that the bundle's reward graph has and the gates measure.
    pub plan_with: RewardKind,
    /// Heads beside the prior that predict the posterior mean from h', each trained on other
    /// episodes: they disagree where there were no data. 0 for none; they change nothing else.
    /// Two-stage recipe with a deterministic part only.
    pub ensemble: usize,
    /// What the bundle's reward graph takes off the output of the reward head, in its unit, in
    /// states far from the data: half of it where the heads of the ensemble disagree as in the
    /// least known twentieth of the predictions on training data, all of it further away. 0 for
    /// nothing.
    pub penalty: f64,
}

/// Training of the world model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingConfig {
    /// Optimiser steps.
    pub steps: usize,
    /// Sequences per step.
    pub batch: usize,
    /// Frames per sequence.
    pub sequence: usize,
    /// Learning rate at the first step.
    pub learning_rate: f64,
    /// Learning rate at the last step.
    pub final_learning_rate: f64,
    /// Adam's epsilon.
    pub epsilon: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// Share of the sequences that begin where an episode begins.
    pub at_start: f64,
    /// Share of the sequences drawn from the recent bags (`--recent`), if there are any.
    pub recent_share: f64,
    /// Weight of the KL divergence.
    pub kl_weight: f64,
    /// Share of the KL gradient that goes to the prior; 0 for the plain divergence.
    pub kl_balance: f64,
    /// Divergence per step that costs nothing, nats.
    pub free_nats: f64,
    /// Weight of the image code's mean squared error (two-stage), or of half the summed squared
    /// error of the pixels (PlaNet).
    pub image_weight: f64,
    /// Weight of the normalised joints' mean squared error.
    pub joints_weight: f64,
    /// Weight of the reward loss, of each head.
    pub reward_weight: f64,
    /// Whether rewards are learned less the running mean and over the running deviation of those
    /// drawn so far, for dense rewards; the bundle predicts them in their own unit.
    pub normalise_reward: bool,
    /// Length of the rollouts of the prior mean that are trained on; 0 for none.
    pub rollout_steps: usize,
    /// Weight of the rollout loss on image code, joints and reward.
    pub rollout_weight: f64,
    /// Largest distance of latent overshooting (PlaNet), steps: beliefs that the prior predicts 2 to
    /// that many steps ahead are held against the posterior. 0 for none.
    pub overshooting: usize,
    /// Weight of the divergence of latent overshooting, mean over the distances.
    pub overshooting_weight: f64,
    /// Decay per step of the moving average of the weights that is exported; 0 for none.
    pub average: f64,
    /// Steps between checkpoints, at which the held-out loss is measured.
    pub checkpoint_steps: usize,
    /// Measurements of the held-out loss without a new least value after which training ends
    /// early; it then keeps the weights of the least. 0 for never.
    pub patience: usize,
    /// Whether TensorBoard also gets pictures at every checkpoint: input, reconstruction, and
    /// open-loop prediction.
    pub pictures: bool,
}

/// Why a configuration was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the training configuration {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("the training configuration is not TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Keys or values are wrong; all of them, each with its path.
    #[error("the training configuration has {} error(s):\n  {}", .0.len(), .0.join("\n  "))]
    Invalid(Vec<String>),
}

impl FitConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// See [`ConfigError`]; wrong keys and values are reported all at once.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&text)
    }

    /// The text that [`Self::parse`] makes this configuration of.
    pub fn to_toml(&self) -> String {
        let mut root = Table::try_from(self).expect("every setting has its like in TOML");
        if self.recipe == Recipe::Planet {
            root.remove("autoencoder");
        }
        root.to_string()
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// See [`ConfigError`]; wrong keys and values are reported all at once.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let root: Table = text.parse()?;
        let mut errors = Vec::new();

        let mut top = Section::of(&root, "", &mut errors);
        let planet = top.choice("recipe", &["two_stage", "planet"]) == "planet";
        let recipe = if planet {
            Recipe::Planet
        } else {
            Recipe::TwoStage
        };
        let held_out = top.number("held_out", 0.05, 0.0..=0.9);
        let horizon = top.count("horizon", if planet { 30 } else { 20 }, 1..=200);
        let tables: &[&str] = if planet {
            &["data", "model", "training"]
        } else {
            &["data", "autoencoder", "model", "training"]
        };
        top.finish(tables);

        let mut s = Section::of(&root, "data", &mut errors);
        let data = DataConfig {
            task: s.text("task", "reach"),
            control_period_s: s.number("control_period_s", 0.0, 0.0..=100.0),
            image_size: s.count("image_size", 0, 0..=2048),
            action_scale: s.numbers("action_scale", 1e-6..=1e6),
            memory_mb: s.count("memory_mb", 4096, 0..=1_000_000_000),
            mirror: s.flag("mirror", false),
            reward_discount: s.number("reward_discount", 0.0, 0.0..=0.9999),
        };
        s.finish(&[]);

        let mut s = Section::of(&root, "autoencoder", &mut errors);
        let autoencoder = AutoencoderConfig {
            steps: s.count("steps", 4000, 1..=10_000_000),
            batch: s.count("batch", 64, 1..=4096),
            learning_rate: s.number("learning_rate", 2e-3, 1e-8..=1.0),
            final_learning_rate: s.number("final_learning_rate", 2e-4, 1e-8..=1.0),
            clip: s.number("clip", 20.0, 1e-6..=1e9),
            keypoints: s.count("keypoints", 8, 1..=256),
            hidden: s.count("hidden", 64, 1..=4096),
            code: s.count("code", 24, 1..=1024),
            decoder: s.count("decoder", 128, 1..=4096),
            decoder_joints: s.flag("decoder_joints", false),
            code_noise: s.number("code_noise", 0.05, 0.0..=10.0),
            foreground_weight: s.number("foreground_weight", 6.0, 1.0..=1000.0),
            foreground_threshold: s.number("foreground_threshold", 0.1, 0.01..=1.0),
            dim_power: s.number("dim_power", 0.0, 0.0..=2.0),
            reward_weight: s.number("reward_weight", 0.1, 0.0..=1e6),
            reward_span: s.count("reward_span", 1_000_000, 0..=1_000_000),
            patience: s.count("patience", 0, 0..=1_000_000),
        };
        if planet {
            drop(s);
        } else {
            s.finish(&[]);
        }

        let pick =
            |two_stage: usize, for_planet: usize| if planet { for_planet } else { two_stage };
        let pick_real =
            |two_stage: f64, for_planet: f64| if planet { for_planet } else { two_stage };

        let mut s = Section::of(&root, "model", &mut errors);
        let reward = match s.choice("reward", &["regression", "bernoulli_logit", "both"]) {
            "regression" => RewardHeads::Regression,
            "bernoulli_logit" => RewardHeads::BernoulliLogit,
            _ => RewardHeads::Both,
        };
        let plan_with: &[&str] = match reward {
            RewardHeads::Regression => &["regression"],
            RewardHeads::BernoulliLogit => &["bernoulli_logit"],
            RewardHeads::Both => &["regression", "bernoulli_logit"],
        };
        let model = ModelConfig {
            stoch: s.count("stoch", pick(16, 30), 1..=1024),
            deter: s.count("deter", pick(64, 200), 0..=4096),
            hidden: s.count("hidden", pick(96, 200), 1..=4096),
            units: s.count("units", pick(96, 200), 1..=4096),
            min_std: s.number("min_std", 0.1, 1e-4..=10.0),
            joints: s.flag("joints", !planet),
            reward,
            plan_with: match s.choice("plan_with", plan_with) {
                "regression" => RewardKind::Regression,
                _ => RewardKind::BernoulliLogit,
            },
            ensemble: s.count("ensemble", 0, 0..=32),
            penalty: s.number("penalty", 0.0, 0.0..=1e6),
        };
        s.finish(&[]);
        check_ensemble(&model, recipe, &mut errors);

        let mut s = Section::of(&root, "training", &mut errors);
        let training = TrainingConfig {
            steps: s.count("steps", pick(3000, 100_000), 1..=100_000_000),
            batch: s.count("batch", pick(64, 50), 1..=4096),
            sequence: s.count("sequence", pick(20, 50), 2..=1000),
            learning_rate: s.number("learning_rate", pick_real(2e-3, 1e-3), 1e-8..=1.0),
            final_learning_rate: s.number("final_learning_rate", pick_real(2e-4, 1e-3), 1e-8..=1.0),
            epsilon: s.number("epsilon", pick_real(1e-8, 1e-4), 0.0..=1.0),
            clip: s.number("clip", pick_real(20.0, 1000.0), 1e-6..=1e9),
            at_start: s.number("at_start", pick_real(0.25, 0.0), 0.0..=1.0),
            recent_share: s.number("recent_share", 0.5, 0.0..=1.0),
            kl_weight: s.number("kl_weight", 1.0, 0.0..=1e6),
            kl_balance: s.number("kl_balance", pick_real(0.8, 0.0), 0.0..=1.0),
            free_nats: s.number("free_nats", pick_real(0.5, 3.0), 0.0..=1e6),
            image_weight: s.number("image_weight", pick_real(10.0, 1.0), 0.0..=1e6),
            joints_weight: s.number("joints_weight", pick_real(50.0, 1.0), 0.0..=1e6),
            reward_weight: s.number("reward_weight", pick_real(10.0, 1.0), 0.0..=1e6),
            normalise_reward: s.flag("normalise_reward", false),
            rollout_steps: s.count("rollout_steps", pick(8, 0), 0..=200),
            rollout_weight: s.number("rollout_weight", 1.0, 0.0..=1e6),
            overshooting: s.count("overshooting", 0, 0..=200),
            overshooting_weight: s.number("overshooting_weight", 1.0, 0.0..=1e6),
            average: s.number("average", pick_real(0.995, 0.0), 0.0..=0.999_999),
            checkpoint_steps: s.count("checkpoint_steps", pick(500, 1000), 1..=1_000_000),
            patience: s.count("patience", 0, 0..=1_000_000),
            pictures: s.flag("pictures", true),
        };
        s.finish(&[]);
        if training.rollout_steps >= training.sequence {
            errors.push(format!(
                "training.rollout_steps: expected less than training.sequence = {}, found {}",
                training.sequence, training.rollout_steps
            ));
        }
        if training.normalise_reward && model.reward != RewardHeads::Regression {
            errors.push(
                "training.normalise_reward: expected false, as model.reward needs rewards of 0 \
                 and 1, found true"
                    .to_owned(),
            );
        }
        if training.overshooting == 1 || training.overshooting >= training.sequence {
            errors.push(format!(
                "training.overshooting: expected 0, or 2 or more and less than training.sequence = {}, found {}",
                training.sequence, training.overshooting
            ));
        }
        if planet && training.rollout_steps > 0 {
            errors.push(format!(
                "training.rollout_steps: expected 0 with recipe = \"planet\", found {}",
                training.rollout_steps
            ));
        }

        if errors.is_empty() {
            Ok(Self {
                recipe,
                held_out,
                horizon,
                data,
                autoencoder,
                model,
                training,
            })
        } else {
            Err(ConfigError::Invalid(errors))
        }
    }
}

/// Whether the heads beside the prior have what they need, and the penalty has them.
fn check_ensemble(model: &ModelConfig, recipe: Recipe, errors: &mut Vec<String>) {
    let heads = model.ensemble;
    if heads == 1 {
        errors.push(
            "model.ensemble: expected 0, or 2 or more heads that can disagree, found 1".to_owned(),
        );
    }
    if heads > 0 && recipe == Recipe::Planet {
        errors.push(format!(
            "model.ensemble: expected 0 with recipe = \"planet\", found {heads}"
        ));
    }
    if heads > 0 && model.deter == 0 {
        errors.push(format!(
            "model.ensemble: expected 0 with model.deter = 0, as the heads predict from the \
             deterministic part, found {heads}"
        ));
    }
    if let Err(error) = model.check_penalty() {
        errors.push(error);
    }
}

impl ModelConfig {
    /// Whether there is an ensemble where there is a penalty.
    ///
    /// # Errors
    /// What was expected.
    pub fn check_penalty(&self) -> Result<(), String> {
        if self.penalty > 0.0 && self.ensemble == 0 {
            return Err(format!(
                "model.penalty: expected 0 with model.ensemble = 0, as the disagreement of the \
                 heads is what is penalised, found {}",
                self.penalty
            ));
        }
        Ok(())
    }
}

/// (De)serialises a configuration as its text, which stays readable when settings are added.
pub mod as_toml {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::FitConfig;

    /// Writes [`FitConfig::to_toml`].
    ///
    /// # Errors
    /// The serialiser's.
    pub fn serialize<S: Serializer>(config: &FitConfig, to: S) -> Result<S::Ok, S::Error> {
        config.to_toml().serialize(to)
    }

    /// Reads it by [`FitConfig::parse`].
    ///
    /// # Errors
    /// A text that is refused.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<FitConfig, D::Error> {
        FitConfig::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_two_stage_recipe() {
        let config = FitConfig::parse("").unwrap();
        assert_eq!(config.recipe, Recipe::TwoStage);
        assert_eq!(
            (config.model.stoch, config.model.deter, config.model.hidden),
            (16, 64, 96)
        );
        assert_eq!(config.training.free_nats, 0.5);
    }

    /// The TOML blocks of a document.
    fn blocks(document: &str) -> Vec<&str> {
        let parts = document.split("```toml\n").skip(1);
        parts.filter_map(|part| part.split("```").next()).collect()
    }

    #[test]
    fn the_documented_settings_are_all_there_are_at_their_defaults() {
        let document = include_str!("../../../docs/training.md");
        let [two_stage, planet] = blocks(document)[..] else {
            panic!("a block for each recipe");
        };
        let table =
            |config: &FitConfig| -> Table { toml::to_string(config).unwrap().parse().unwrap() };
        let defaults = FitConfig::parse("").unwrap();
        assert_eq!(FitConfig::parse(two_stage).unwrap(), defaults);
        let (all, written) = (table(&defaults), two_stage.parse::<Table>().unwrap());
        for (key, value) in &all {
            assert!(written.contains_key(key), "{key}");
            for inner in value.as_table().into_iter().flat_map(Table::keys) {
                assert!(written[key].get(inner).is_some(), "{key}.{inner}");
            }
        }
        let for_planet = FitConfig::parse("recipe = \"planet\"").unwrap();
        assert_eq!(FitConfig::parse(planet).unwrap(), for_planet);
        // What differs is written down, and nothing else.
        let (other, written) = (table(&for_planet), planet.parse::<Table>().unwrap());
        for section in ["data", "model", "training"] {
            for (key, value) in other[section].as_table().unwrap() {
                let differs = all[section][key] != *value;
                let named = written.get(section).is_some_and(|s| s.get(key).is_some());
                assert_eq!(differs, named, "{section}.{key}");
            }
        }
    }

    #[test]
    fn a_configuration_survives_being_written_down() {
        for text in [
            "",
            "recipe = \"planet\"",
            "[data]\naction_scale = [0.5, 2]\n[model]\nreward = \"both\"\nplan_with = \"bernoulli_logit\"",
        ] {
            let config = FitConfig::parse(text).unwrap();
            assert_eq!(FitConfig::parse(&config.to_toml()).unwrap(), config);
        }
    }

    #[test]
    fn planet_has_its_own_defaults() {
        let config = FitConfig::parse("recipe = \"planet\"").unwrap();
        assert_eq!((config.training.batch, config.training.sequence), (50, 50));
        assert_eq!((config.model.stoch, config.model.deter), (30, 200));
        assert_eq!(config.training.clip, 1000.0);
        assert!(!config.model.joints);
    }

    #[test]
    fn all_errors_are_reported_at_once_with_their_paths() {
        let text = "recipe = \"two_stages\"\nsped = 1\n[training]\nsteps = \"many\"\nclip = -1\n[model]\nstoch = 0\n";
        let message = FitConfig::parse(text).unwrap_err().to_string();
        for part in [
            "5 error(s)",
            "recipe",
            "sped: unknown key",
            "training.steps",
            "training.clip",
            "model.stoch",
        ] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }

    #[test]
    fn a_model_plans_with_a_head_that_it_has() {
        let model = |text: &str| FitConfig::parse(&format!("[model]\n{text}")).map(|c| c.model);
        let defaults = [
            ("regression", RewardKind::Regression),
            ("bernoulli_logit", RewardKind::BernoulliLogit),
            ("both", RewardKind::Regression),
        ];
        for (heads, plan_with) in defaults {
            let found = model(&format!("reward = \"{heads}\"")).unwrap();
            assert_eq!(found.plan_with, plan_with, "{heads}");
        }
        let chosen = model("reward = \"both\"\nplan_with = \"bernoulli_logit\"").unwrap();
        assert_eq!(chosen.plan_with, RewardKind::BernoulliLogit);
        let message = model("plan_with = \"bernoulli_logit\"")
            .unwrap_err()
            .to_string();
        assert!(message.contains("model.plan_with"), "{message}");
        let text = "[model]\nreward = \"both\"\n[training]\nnormalise_reward = true";
        let message = FitConfig::parse(text).unwrap_err().to_string();
        assert!(message.contains("training.normalise_reward"), "{message}");
    }

    #[test]
    fn a_penalty_needs_heads_that_can_disagree() {
        let model = |text: &str| FitConfig::parse(&format!("[model]\n{text}")).map(|c| c.model);
        let found = model("ensemble = 5\npenalty = 1").unwrap();
        assert_eq!((found.ensemble, found.penalty), (5, 1.0));
        assert_eq!(model("").unwrap().ensemble, 0);
        for (text, part) in [
            ("ensemble = 1", "model.ensemble: expected 0, or 2 or more"),
            (
                "penalty = 1",
                "model.penalty: expected 0 with model.ensemble = 0",
            ),
            (
                "ensemble = 5\npenalty = -1",
                "model.penalty: expected a number",
            ),
            ("ensemble = 5\ndeter = 0", "expected 0 with model.deter = 0"),
        ] {
            let message = model(text).unwrap_err().to_string();
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
        let text = "recipe = \"planet\"\n[model]\nensemble = 5";
        let message = FitConfig::parse(text).unwrap_err().to_string();
        assert!(message.contains("recipe = \"planet\""), "{message}");
    }

    #[test]
    fn overshooting_must_fit_into_the_sequences() {
        for (distance, fits) in [(0, true), (1, false), (2, true), (7, true), (8, false)] {
            let text =
                format!("[training]\nsequence = 8\nrollout_steps = 2\novershooting = {distance}");
            let parsed = FitConfig::parse(&text);
            assert_eq!(parsed.is_ok(), fits, "{distance}");
            if let Err(error) = parsed {
                assert!(error.to_string().contains("training.overshooting"));
            }
        }
    }

    #[test]
    fn rollouts_must_fit_into_the_sequences() {
        let message = FitConfig::parse("[training]\nsequence = 8\nrollout_steps = 8")
            .unwrap_err()
            .to_string();
        assert!(message.contains("training.rollout_steps"), "{message}");
    }
}
