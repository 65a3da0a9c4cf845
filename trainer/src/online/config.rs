//! Configuration of an online run: the tables of `latco-train fit`, and `[online]`.

use std::path::Path;
use std::str::FromStr;

use latco_controller::settings::{ConfigError, FieldError, Settings, count, document};
use latco_envs::PolicyKind;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::fit::config::{FitConfig, Recipe, text_of};

latco_controller::settings! {
    /// When what is collected and trained.
    pub struct OnlineSection {
        /// Episodes by the seed policy before the first model.
        seed_episodes: usize = 50, at_most(1e6);
        /// The seed policy; `random` knows nothing of the task.
        seed_policy: String = "random".into();
        /// Episodes after which the run ends, those of the seed policy among them.
        episodes: usize = 1000, within(1.0, 1e7);
        /// Time after which the run ends; training that has begun is finished.
        hours: f64 = 2.0, within(0.0, 10_000.0), unit_of("h");
        /// Optimiser steps for every new episode: I_t of algorithm 1.
        steps_per_episode: usize = 20, within(1.0, 1e6);
        /// New episodes that a round of training waits for. As many more may be collected meanwhile.
        round_episodes: usize = 20, within(1.0, 1e5);
        /// The newest episodes, of which `training.recent_share` of every batch is drawn.
        recent_episodes: usize = 200, within(1.0, 1e6);
        /// Numbers of episodes from which on the next round trains everything anew, the autoencoder too, with all steps of the
        /// configuration. The first round always does.
        renew_at: Vec<usize>, within(1.0, 1e7);
        /// Learning rate at the first step of the other rounds.
        learning_rate: f64 = 1e-3, within(1e-8, 1.0);
        /// Learning rate at the last step of the other rounds.
        final_learning_rate: f64 = 3e-4, within(1e-8, 1.0);
        /// Standard deviation of the noise on the planner's actions.
        noise: f64 = 0.3, within(0.0, 10.0);
    }
}

latco_controller::settings! {
    /// What an online run has beside the tables of a training.
    pub struct OnlineTables {
        /// When what is collected and trained by `latco-train online`, beside the tables above.
        online: OnlineSection;
    }
}

impl Settings for OnlineTables {
    fn check_together(&self, errors: &mut Vec<FieldError>) {
        let online = &self.online;
        let mut refuse = |field: &str, message| errors.push(FieldError::new(field, message));
        if PolicyKind::from_str(&online.seed_policy).is_err() {
            let known: Vec<&str> = PolicyKind::ALL.iter().map(|kind| kind.name()).collect();
            let (known, found) = (known.join(", "), &online.seed_policy);
            refuse(
                "online.seed_policy",
                format!("expected one of {known}, found {found:?}"),
            );
        }
        let (seed, episodes) = (online.seed_episodes, online.episodes);
        if seed > episodes {
            let message = format!("expected at most online.episodes = {episodes}, found {seed}");
            refuse("online.seed_episodes", message);
        }
        if !online.renew_at.is_sorted() {
            let message = format!("expected rising numbers, found {:?}", online.renew_at);
            refuse("online.renew_at", message);
        }
    }
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnlineConfig {
    /// `[online]`
    pub online: OnlineSection,
    /// Everything else: data, sizes and training of the model.
    #[serde(with = "crate::fit::config::as_toml")]
    pub fit: FitConfig,
}

impl OnlineConfig {
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
        let mut root: Table = text.parse()?;
        let own: Table = root.remove_entry("online").into_iter().collect();
        let own = OnlineTables::read_table(own, &OnlineTables::default(), &|_| None);
        match (own, FitConfig::from_table(root)) {
            (Ok(OnlineTables { online }), Ok(fit)) => Ok(Self { online, fit }),
            (Err(ConfigError::Fields(mut errors)), Err(ConfigError::Fields(more))) => {
                errors.extend(more);
                Err(ConfigError::Fields(errors))
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// All settings as Markdown: what `latco-train config docs` prints and `docs/training-settings.md` is.
    #[must_use]
    pub fn documentation() -> String {
        let table = |recipe| Table::try_from(FitConfig::of(recipe)).unwrap_or_default();
        let [two_stage, planet] = [Recipe::TwoStage, Recipe::Planet].map(table);
        let online = Table::try_from(OnlineTables::default()).unwrap_or_default();
        let (fit, own) = (FitConfig::declarations(), OnlineTables::declarations());
        format!(
            "# Training settings\n\
             The {} settings of `latco-train fit --config FILE` and `online --config FILE`, TOML. Every key may be left out; its \
             default depends on the recipe. Unknown keys and values out of range are refused, all at once, each with its \
             path; `latco-train config check FILE` does only that.\n\n\
             This file is written by `latco-train config docs` from the declarations in `trainer/src/`.\n\n{}{}",
            count(fit) + count(own),
            document(fit, &[("`two_stage`", &two_stage), ("`planet`", &planet)]),
            document(own, &[("default", &online)])
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_that_of_the_declarations() {
        let written = include_str!("../../../docs/training-settings.md");
        assert!(
            written.trim_end() == OnlineConfig::documentation().trim_end(),
            "docs/training-settings.md is older than the declarations: cargo run --release -p latco-trainer -- config docs > \
             docs/training-settings.md"
        );
    }

    #[test]
    fn errors_of_all_tables_are_reported_at_once() {
        let text = "[online]\nepisods = 3\nepisodes = 7\nnoise = -1\nseed_policy = \"expart\"\nrenew_at = [9, 3]\n[model]\nstoch = 0\n";
        let message = OnlineConfig::parse(text).unwrap_err().to_string();
        for part in [
            "6 errors",
            "online.episods: unknown key",
            "online.seed_episodes: expected at most",
            "online.noise",
            "online.seed_policy",
            "online.renew_at",
            "model.stoch",
        ] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
        let config = OnlineConfig::parse("[online]\nrenew_at = [3, 9]").unwrap();
        assert_eq!(config.online.renew_at, [3, 9]);
        assert_eq!(config.fit, FitConfig::parse("").unwrap());
    }
}
