//! How far an online run is, on file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use latco_models::replace_file;
use serde::{Deserialize, Serialize};

use super::config::OnlineConfig;

/// File name in the folder of a run.
const STATE_FILE: &str = "online.json";

/// What a run is about; it cannot be gone on with under others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Name of the task.
    pub task: String,
    /// Configuration of the run.
    pub config: OnlineConfig,
    /// Bags to start from.
    pub data: Vec<PathBuf>,
    /// Folder of the exchange; none for the folder `exchange` of the run.
    pub exchange: Option<PathBuf>,
    /// Seed of weights, batches and robots.
    pub seed: u64,
}

impl RunSettings {
    /// The folder in which the trainer of the run in `out` meets its collectors.
    pub fn exchange_in(&self, out: &Path) -> PathBuf {
        let own = || out.join("exchange");
        self.exchange.clone().unwrap_or_else(own)
    }
}

/// One round of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Number, from 1; the bundle it makes is the generation of that number.
    pub number: u64,
    /// Whether everything is trained anew.
    pub anew: bool,
    /// Steps of the world model.
    pub steps: usize,
    /// Episodes that it is trained on, by their names in the exchange.
    pub episodes: BTreeSet<String>,
    /// Episodes among them that are drawn more often.
    pub recent: BTreeSet<String>,
}

/// Why a folder cannot hold a run.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder holds another run.
    #[error("{} holds a run with another {}; use the same or choose another --out", folder.display(), differs.join(", "))]
    Different {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        differs: Vec<&'static str>,
    },
    /// What the folder holds cannot be read.
    #[error("{}: not the state of an online run of this version ({reason}); choose another --out", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("the state of the run: {0}")]
    Io(#[from] std::io::Error),
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What it is about.
    pub settings: RunSettings,
    /// Time that it ran so far, s.
    pub active_s: f64,
    /// Rounds that are done.
    pub rounds: u64,
    /// Steps of the world model in these.
    pub steps: usize,
    /// Episodes that the newest bundle was trained on.
    pub trained: usize,
    /// Episodes that everything was last trained anew on.
    pub renewed: usize,
    /// Longest round that trained everything anew, s.
    pub longest_anew_s: f64,
    /// The round that is being trained.
    pub round: Option<Round>,
    /// Whether the run is at its end.
    pub ended: bool,
}

impl State {
    /// The state of the run in `folder`.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn read(folder: &Path) -> Result<Self, StateError> {
        let path = folder.join(STATE_FILE);
        serde_json::from_slice(&std::fs::read(&path)?).map_err(|e| StateError::Format {
            path,
            reason: e.to_string(),
        })
    }

    /// The state of a run in `folder`, a new one if there is none.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(folder: &Path, settings: &RunSettings) -> Result<Self, StateError> {
        let path = folder.join(STATE_FILE);
        let state = match path.metadata() {
            Ok(_) => Self::read(folder)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let state = Self {
                    settings: settings.clone(),
                    active_s: 0.0,
                    rounds: 0,
                    steps: 0,
                    trained: 0,
                    renewed: 0,
                    longest_anew_s: 0.0,
                    round: None,
                    ended: false,
                };
                state.save(folder)?;
                return Ok(state);
            }
            Err(error) => return Err(error.into()),
        };
        let (is, asked) = (&state.settings, settings);
        let same = [
            ("task", is.task == asked.task),
            ("configuration", is.config == asked.config),
            ("offline data", is.data == asked.data),
            ("exchange", is.exchange == asked.exchange),
            ("seed", is.seed == asked.seed),
        ];
        let others = same.iter().filter(|(_, is_same)| !is_same);
        let differs: Vec<&str> = others.map(|(what, _)| *what).collect();
        if differs.is_empty() {
            Ok(state)
        } else {
            Err(StateError::Different {
                folder: folder.to_path_buf(),
                differs,
            })
        }
    }

    /// Writes the state so that an interruption leaves the former one.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn save(&self, folder: &Path) -> std::io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        replace_file(&folder.join(STATE_FILE), &bytes)
    }
}
