//! Configuration of an online run: the tables of `latco-train fit`, and `[online]`.

use std::path::Path;
use std::str::FromStr;

use latco_envs::PolicyKind;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::fit::config::{ConfigError, FitConfig};
use crate::fit::section::Section;

/// When what is collected and trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnlineSection {
    /// Episodes by the seed policy before the first model.
    pub seed_episodes: usize,
    /// The seed policy; `random` knows nothing of the task.
    pub seed_policy: String,
    /// Episodes after which the run ends, those of the seed policy among them.
    pub episodes: usize,
    /// Time after which the run ends, h; training that has begun is finished.
    pub hours: f64,
    /// Optimiser steps for every new episode: I_t of algorithm 1.
    pub steps_per_episode: usize,
    /// New episodes that a round of training waits for. As many more may be collected meanwhile.
    pub round_episodes: usize,
    /// The newest episodes, of which `training.recent_share` of every batch is drawn.
    pub recent_episodes: usize,
    /// Numbers of episodes from which on the next round trains everything anew, the autoencoder
    /// too, with all steps of the configuration. The first round always does.
    pub renew_at: Vec<usize>,
    /// Learning rate at the first and last step of the other rounds.
    pub learning_rate: f64,
    /// See `learning_rate`.
    pub final_learning_rate: f64,
    /// Standard deviation of the noise on the planner's actions.
    pub noise: f64,
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
    /// See [`ConfigError`]; wrong keys and values are reported all at once.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// See [`ConfigError`]; wrong keys and values are reported all at once.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut root: Table = text.parse()?;
        let mut errors = Vec::new();
        let mut s = Section::of(&root, "online", &mut errors);
        let online = OnlineSection {
            seed_episodes: s.count("seed_episodes", 50, 0..=1_000_000),
            seed_policy: s.text("seed_policy", "random"),
            episodes: s.count("episodes", 1000, 1..=10_000_000),
            hours: s.number("hours", 2.0, 0.0..=10_000.0),
            steps_per_episode: s.count("steps_per_episode", 20, 1..=1_000_000),
            round_episodes: s.count("round_episodes", 20, 1..=100_000),
            recent_episodes: s.count("recent_episodes", 200, 1..=1_000_000),
            renew_at: s
                .numbers("renew_at", 1.0..=1e7)
                .iter()
                .map(|number| *number as usize)
                .collect(),
            learning_rate: s.number("learning_rate", 1e-3, 1e-8..=1.0),
            final_learning_rate: s.number("final_learning_rate", 3e-4, 1e-8..=1.0),
            noise: s.number("noise", 0.3, 0.0..=10.0),
        };
        s.finish(&[]);
        if PolicyKind::from_str(&online.seed_policy).is_err() {
            let known: Vec<&str> = PolicyKind::ALL.iter().map(|kind| kind.name()).collect();
            errors.push(format!(
                "online.seed_policy: expected one of {}, found {:?}",
                known.join(", "),
                online.seed_policy
            ));
        }
        if online.seed_episodes > online.episodes {
            errors.push(format!(
                "online.seed_episodes: expected at most online.episodes = {}, found {}",
                online.episodes, online.seed_episodes
            ));
        }
        if !online.renew_at.is_sorted() {
            errors.push(format!(
                "online.renew_at: expected rising numbers, found {:?}",
                online.renew_at
            ));
        }
        root.remove("online");
        let rest = root.to_string();
        match FitConfig::parse(&rest) {
            Ok(fit) if errors.is_empty() => Ok(Self { online, fit }),
            Ok(_) => Err(ConfigError::Invalid(errors)),
            Err(ConfigError::Invalid(more)) => {
                errors.extend(more);
                Err(ConfigError::Invalid(errors))
            }
            Err(other) => Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_all_tables_are_reported_at_once() {
        let text = "[online]\nepisods = 3\nepisodes = 7\nnoise = -1\nseed_policy = \"expart\"\nrenew_at = [9, 3]\n[model]\nstoch = 0\n";
        let message = OnlineConfig::parse(text).unwrap_err().to_string();
        for part in [
            "6 error(s)",
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
