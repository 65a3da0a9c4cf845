//! The folder in which trainer and collectors meet, on one machine or on a file system that several share.
//!
//! ```text
//! control.json                    what to collect, and with which bundle
//! bundles/000003/...              the bundle of a generation; named in control.json when complete
//! episodes/NAME/NAME_0.mcap       a bag of one episode, with episode.json beside it;
//! episodes/NAME/metadata.yaml     complete when this is there
//! ```
//!
//! Other bags may be put into `episodes/` too: they are trained on as well.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use latco_models::replace_file;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const CONTROL: &str = "control.json";
const BUNDLES: &str = "bundles";
const EPISODES: &str = "episodes";
/// File with the facts of an episode, beside its bag.
const FACTS: &str = "episode.json";
/// File of a bag that is written last.
const METADATA: &str = "metadata.yaml";

/// What collectors are to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Task of the simulated robot.
    pub task: String,
    /// Width and height of the camera picture, pixels.
    pub image_size: usize,
    /// Who moves the robot.
    pub phase: Phase,
    /// Scripted policy of the seed episodes.
    pub seed_policy: String,
    /// Bundle that the planner uses; 0 before the first.
    pub generation: u64,
    /// Standard deviation of the noise added to the planner's actions.
    pub noise: f64,
    /// Robot configuration with the planner's parameters, TOML; none for the defaults.
    pub planner: Option<String>,
    /// Number of episodes from which on no new one is begun.
    pub wanted: usize,
    /// Seed of the run.
    pub seed: u64,
}

/// Part of an online run, as collectors see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The scripted policy, before there is a model.
    Seed,
    /// The planner on the newest bundle.
    Plan,
    /// Collectors end.
    End,
}

/// What a collector says of an episode beside its bag.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpisodeFacts {
    /// Name of the collector.
    pub collector: String,
    /// What moved the robot.
    pub policy: String,
    /// Generation of the bundle that the planner used; 0 for scripted policies.
    pub generation: u64,
    /// Seed of the robot.
    pub seed: u64,
    /// Whether it was solved after any step.
    pub solved: bool,
    /// Sum of the rewards.
    pub episode_return: f64,
    /// Number of steps.
    pub steps: usize,
    /// When it was finished, seconds since 1970.
    pub finished_unix_s: f64,
}

/// Why the exchange cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The location is a URL.
    #[error(
        "exchange {0:?}: expected a folder that all machines of the run share, found a URL; mount the store as a folder"
    )]
    Location(String),
    /// A file or folder cannot be read or written.
    #[error("exchange: {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not what this version writes.
    #[error("exchange: {} is not what this version writes: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Adds the path to an error of the file system.
fn failed(path: &Path) -> impl Fn(io::Error) -> ExchangeError + '_ {
    |source| ExchangeError::Io {
        path: path.to_path_buf(),
        source,
    }
}

/// An open exchange.
pub struct Exchange {
    folder: PathBuf,
}

impl Exchange {
    /// Opens a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn open(folder: &Path) -> Result<Self, ExchangeError> {
        let text = folder.to_string_lossy();
        if text.contains("://") {
            return Err(ExchangeError::Location(text.into_owned()));
        }
        let episodes = folder.join(EPISODES);
        std::fs::create_dir_all(&episodes).map_err(failed(&episodes))?;
        let folder = folder.canonicalize().map_err(failed(folder))?;
        Ok(Self { folder })
    }

    /// What collectors are to do; none before the trainer has said so.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn control(&self) -> Result<Option<Control>, ExchangeError> {
        read_json(&self.folder.join(CONTROL))
    }

    /// Tells the collectors what to do.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn set_control(&self, control: &Control) -> Result<(), ExchangeError> {
        put(&self.folder.join(CONTROL), &to_json(control))
    }

    fn bundle(&self, generation: u64) -> PathBuf {
        self.folder.join(BUNDLES).join(format!("{generation:06}"))
    }

    /// Copies the bundle in `folder` into the exchange; collectors use it when the control names it.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn publish_bundle(&self, generation: u64, folder: &Path) -> Result<(), ExchangeError> {
        let to = self.bundle(generation);
        for (name, bytes) in files_of(folder)? {
            put(&to.join(name), &bytes)?;
        }
        Ok(())
    }

    /// Copies the bundle of a generation into `folder`.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn fetch_bundle(&self, generation: u64, folder: &Path) -> Result<(), ExchangeError> {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        for (name, bytes) in files_of(&self.bundle(generation))? {
            let file = folder.join(name);
            std::fs::write(&file, bytes).map_err(failed(&file))?;
        }
        Ok(())
    }

    /// Removes the bundle of a generation, if it is there.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn remove_bundle(&self, generation: u64) -> Result<(), ExchangeError> {
        let folder = self.bundle(generation);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&folder)(error)),
            _ => Ok(()),
        }
    }

    /// Hands over a bag of one episode. It counts when all of it is there.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn put_episode(
        &self,
        name: &str,
        bag: &Path,
        facts: &EpisodeFacts,
    ) -> Result<(), ExchangeError> {
        let to = self.bag(name);
        put(&to.join(FACTS), &to_json(facts))?;
        let mut files = files_of(bag)?;
        // The metadata last.
        files.sort_by_key(|(name, _)| name == METADATA);
        for (file, bytes) in files {
            put(&to.join(file), &bytes)?;
        }
        Ok(())
    }

    /// Names of the episodes that are complete.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn episodes(&self) -> Result<BTreeSet<String>, ExchangeError> {
        let folder = self.folder.join(EPISODES);
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(&folder).map_err(failed(&folder))? {
            let entry = entry.map_err(failed(&folder))?;
            if entry.path().join(METADATA).exists()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.insert(name);
            }
        }
        Ok(names)
    }

    /// What the collector said of an episode; none for a bag from elsewhere.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn facts(&self, name: &str) -> Result<Option<EpisodeFacts>, ExchangeError> {
        read_json(&self.bag(name).join(FACTS))
    }

    /// The bag of an episode.
    pub fn bag(&self, name: &str) -> PathBuf {
        self.folder.join(EPISODES).join(name)
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), ExchangeError> {
    replace_file(path, bytes).map_err(failed(path))
}

/// Reads a JSON file; none if it is not there.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ExchangeError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path)(error)),
    };
    let value = serde_json::from_slice(&bytes).map_err(|e| ExchangeError::Format {
        path: path.to_path_buf(),
        reason: e.to_string(),
    })?;
    Ok(Some(value))
}

/// Names and contents of the files in a folder, in the order of their names.
fn files_of(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, ExchangeError> {
    let read = || -> std::io::Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str())
                && path.is_file()
            {
                files.push((name.to_owned(), std::fs::read(&path)?));
            }
        }
        files.sort();
        Ok(files)
    };
    read().map_err(failed(folder))
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("plain values have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> EpisodeFacts {
        EpisodeFacts {
            collector: "c0".into(),
            policy: "random".into(),
            generation: 0,
            seed: 3,
            solved: true,
            episode_return: 2.0,
            steps: 50,
            finished_unix_s: 1.5,
        }
    }

    #[test]
    fn an_episode_counts_when_all_of_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let bag = folder.path().join("one");
        std::fs::create_dir(&bag).unwrap();
        std::fs::write(bag.join("one_0.mcap"), b"bag").unwrap();
        let root = folder.path().join("exchange");
        let exchange = Exchange::open(&root).unwrap();
        exchange.put_episode("one", &bag, &facts()).unwrap();
        assert!(exchange.episodes().unwrap().is_empty(), "no metadata yet");
        std::fs::write(bag.join(METADATA), b"x").unwrap();

        let other = Exchange::open(&root).unwrap();
        other.put_episode("one", &bag, &facts()).unwrap();
        assert_eq!(
            exchange.episodes().unwrap(),
            BTreeSet::from(["one".to_owned()])
        );
        assert_eq!(exchange.facts("one").unwrap(), Some(facts()));
        assert_eq!(exchange.facts("two").unwrap(), None);
        let local = exchange.bag("one");
        assert_eq!(std::fs::read(local.join("one_0.mcap")).unwrap(), b"bag");
    }

    #[test]
    fn control_and_bundles_go_through_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let exchange = Exchange::open(&folder.path().join("deep/root")).unwrap();
        let control = Control {
            task: "reach".into(),
            image_size: 32,
            phase: Phase::Plan,
            seed_policy: "random".into(),
            generation: 4,
            noise: 0.3,
            planner: None,
            wanted: 10,
            seed: 0,
        };
        assert_eq!(exchange.control().unwrap(), None);
        exchange.set_control(&control).unwrap();
        assert_eq!(exchange.control().unwrap(), Some(control));

        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir(&from).unwrap();
        for name in ["manifest.toml", "observe.onnx"] {
            std::fs::write(from.join(name), name).unwrap();
        }
        exchange.publish_bundle(4, &from).unwrap();
        exchange.fetch_bundle(4, &to).unwrap();
        assert_eq!(files_of(&from).unwrap(), files_of(&to).unwrap());
        exchange.remove_bundle(4).unwrap();
        assert!(exchange.fetch_bundle(4, &to).is_err(), "it is gone");
        exchange.remove_bundle(4).unwrap();
    }

    #[test]
    fn a_url_is_refused() {
        let Err(error) = Exchange::open(Path::new("s3://bucket/x")) else {
            panic!("no such store");
        };
        let message = error.to_string();
        assert!(message.contains("s3://bucket/x"), "{message}");
        assert!(message.contains("expected a folder"), "{message}");
    }
}
