//! Configuration of a training run (`configs/train/*.toml`).

use std::path::Path;

use latco_controller::settings::{ConfigError, FieldError, Settings};
use toml::Table;

pub use super::sections::{
    ActionSource, AutoencoderConfig, DataConfig, ModelConfig, Recipe, RewardHeads, RewardKind,
    TrainingConfig,
};

latco_controller::settings! {
    /// A whole configuration. Every key has a default, which depends on the recipe.
    pub struct FitConfig {
        /// What is trained, and how.
        recipe: Recipe;
        /// Share of the episodes that is not trained on but kept for the held-out loss and the gates.
        held_out: f64 = 0.05, within(0.0, 0.9);
        /// Steps that the rollout graph is unrolled for and the expert gate looks ahead.
        horizon: usize = 20, within(1.0, 200.0);
        /// Steps between two rows of `losses.csv` and two points of TensorBoard: fewer show more of a short run, more keep the
        /// records of a long one small.
        record_steps: usize = 10, within(1.0, 1e6);
        /// Parts that a batch is cut into, each on a thread of its own (on a GPU one after the other). Each draws its own
        /// random numbers: results depend on how many there are, and not on the processor's cores. PlaNet's recipe has 1.
        shards: usize = 2, within(1.0, 64.0);
        /// How the bags are read. For a task of the simulated robots all but `task` may be left out.
        data: DataConfig;
        /// Single-frame autoencoder; only in the two-stage recipe.
        autoencoder: AutoencoderConfig;
        /// Sizes of the world model.
        model: ModelConfig;
        /// Training of the world model.
        training: TrainingConfig;
    }
}

impl FitConfig {
    /// The defaults of a recipe.
    #[must_use]
    pub fn of(recipe: Recipe) -> Self {
        let base = Self::default();
        match recipe {
            Recipe::TwoStage => base,
            Recipe::Planet => Self {
                recipe,
                horizon: 30,
                shards: 1, // its convolutions are spread over the cores themselves (docs/decisions/0007)
                model: ModelConfig {
                    stoch: 30,
                    deter: 200,
                    hidden: 200,
                    units: 200,
                    joints: false,
                    ..base.model
                },
                training: TrainingConfig {
                    steps: 100_000,
                    batch: 50,
                    sequence: 50,
                    learning_rate: 1e-3,
                    final_learning_rate: 1e-3,
                    epsilon: 1e-4,
                    clip: 1000.0,
                    at_start: 0.0,
                    kl_balance: 0.0,
                    free_nats: 3.0,
                    image_weight: 1.0,
                    joints_weight: 1.0,
                    reward_weight: 1.0,
                    rollout_steps: 0,
                    average: 0.0,
                    checkpoint_steps: 1000,
                    ..base.training
                },
                ..base
            },
        }
    }

    /// What a file leaves out, which depends on its recipe and its reward heads.
    fn defaults_of(given: &Table) -> Self {
        let is = |value: Option<&toml::Value>, word: &str| {
            value.and_then(toml::Value::as_str) == Some(word)
        };
        let mut defaults = match is(given.get("recipe"), Recipe::Planet.name()) {
            true => Self::of(Recipe::Planet),
            false => Self::default(),
        };
        let reward = given.get("model").and_then(|model| model.get("reward"));
        if is(reward, RewardHeads::BernoulliLogit.name()) {
            defaults.model.plan_with = RewardKind::BernoulliLogit;
        }
        defaults
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`]; wrong keys and values are reported all at once.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&text_of(path)?)
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError`]; wrong keys and values are reported all at once.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::from_table(text.parse()?)
    }

    /// Reads and checks a table.
    ///
    /// # Errors
    /// [`ConfigError::Fields`]; wrong keys and values are reported all at once.
    pub fn from_table(given: Table) -> Result<Self, ConfigError> {
        let defaults = Self::defaults_of(&given);
        Self::read_table(given, &defaults, &|_| None)
    }

    /// The text that [`Self::parse`] makes this configuration of.
    pub fn to_toml(&self) -> String {
        let mut root = Table::try_from(self).expect("every setting has its like in TOML");
        if self.recipe == Recipe::Planet {
            root.remove("autoencoder");
        }
        root.to_string()
    }
}

/// The text of a configuration file.
///
/// # Errors
/// [`ConfigError::Io`].
pub(crate) fn text_of(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(latco_models::shipped(path)).map_err(|source| ConfigError::Io {
        path: path.to_path_buf(),
        source,
    })
}

impl Settings for FitConfig {
    fn check_together(&self, errors: &mut Vec<FieldError>) {
        let (model, training) = (&self.model, &self.training);
        let is_planet = self.recipe == Recipe::Planet;
        let mut refuse = |field: &str, expected: &str, found: &dyn std::fmt::Display| {
            let message = format!("expected {expected}, found {found}");
            errors.push(FieldError::new(field, message));
        };
        let sequence = training.sequence;
        if is_planet && self.autoencoder != AutoencoderConfig::default() {
            refuse("autoencoder", "none with recipe = \"planet\"", &"a section");
        }
        let has_head = match model.reward {
            RewardHeads::Both => true,
            RewardHeads::Regression => model.plan_with == RewardKind::Regression,
            RewardHeads::BernoulliLogit => model.plan_with == RewardKind::BernoulliLogit,
        };
        if !has_head {
            let expected = format!("a head of model.reward = \"{}\"", model.reward);
            refuse("model.plan_with", &expected, &model.plan_with);
        }
        if model.ensemble == 1 {
            refuse(
                "model.ensemble",
                "0, or 2 or more heads that can disagree",
                &1,
            );
        }
        if model.ensemble > 0 && is_planet {
            refuse(
                "model.ensemble",
                "0 with recipe = \"planet\"",
                &model.ensemble,
            );
        }
        if model.ensemble > 0 && model.deter == 0 {
            let expected =
                "0 with model.deter = 0, as the heads predict from the deterministic part";
            refuse("model.ensemble", expected, &model.ensemble);
        }
        if model.penalty > 0.0 && model.ensemble == 0 {
            let expected =
                "0 with model.ensemble = 0, as the disagreement of the heads is what is penalised";
            refuse("model.penalty", expected, &model.penalty);
        }
        if training.rollout_steps >= sequence {
            let expected = format!("less than training.sequence = {sequence}");
            refuse("training.rollout_steps", &expected, &training.rollout_steps);
        }
        if is_planet && training.rollout_steps > 0 {
            refuse(
                "training.rollout_steps",
                "0 with recipe = \"planet\"",
                &training.rollout_steps,
            );
        }
        if training.normalise_reward && model.reward != RewardHeads::Regression {
            let expected = "false, as model.reward needs rewards of 0 and 1";
            refuse("training.normalise_reward", expected, &true);
        }
        if training.overshooting == 1 || training.overshooting >= sequence {
            let expected = format!("0, or 2 or more and less than training.sequence = {sequence}");
            refuse("training.overshooting", &expected, &training.overshooting);
        }
    }
}

/// (De)serialises a configuration as its text, which stays readable when settings are added.
pub mod as_toml {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::FitConfig;

    /// Writes [`FitConfig::to_toml`].
    ///
    /// # Errors
    /// The serialiser's error.
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

    #[test]
    fn the_defaults_of_a_recipe_are_accepted() {
        for recipe in Recipe::ALL {
            FitConfig::of(recipe).check().unwrap();
            let parsed = FitConfig::parse(&format!("recipe = \"{recipe}\"")).unwrap();
            assert_eq!(parsed, FitConfig::of(recipe));
        }
        let text = "recipe = \"planet\"\n[autoencoder]\ncode = 7";
        let message = FitConfig::parse(text).unwrap_err().to_string();
        assert!(message.contains("autoencoder: expected none"), "{message}");
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
            "5 errors",
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
                "model.penalty: expected a number from 0 to 1000000",
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
