//! Where trainer and collectors meet: a folder, or an object store by its URL.
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
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::location::Location;

const CONTROL: &str = "control.json";
const BUNDLES: &str = "bundles";
const EPISODES: &str = "episodes";
/// Facts of an episode, beside its bag.
const FACTS: &str = "episode.json";
/// Written last.
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
    /// No new episode is begun while there are so many.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeFacts {
    /// Name of the collector.
    pub collector: String,
    /// What moved the robot.
    pub policy: String,
    /// Bundle it was on; 0 for scripted ones.
    pub generation: u64,
    /// Seed of the robot.
    pub seed: u64,
    /// Solved after any step.
    pub solved: bool,
    /// Sum of the rewards.
    pub episode_return: f64,
    /// Steps.
    pub steps: usize,
    /// When it was finished, seconds since 1970.
    pub finished_unix_s: f64,
}

/// Why the exchange cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The location makes no sense.
    #[error(
        "exchange {location:?}: {reason}; expected a folder, file:// or, in a program built with the feature `cloud`, s3:// or http(s)://"
    )]
    Location {
        /// As given.
        location: String,
        /// What is wrong.
        reason: String,
    },
    /// The store fails.
    #[error("exchange: {0}")]
    Store(#[from] object_store::Error),
    /// A local file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// What is there cannot be understood.
    #[error("exchange: {key} is not what this version writes: {reason}")]
    Format {
        /// The object.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// An open exchange.
pub struct Exchange {
    store: Arc<dyn ObjectStore>,
    root: Key,
    /// The folder, if it is one.
    local: Option<PathBuf>,
    runtime: tokio::runtime::Runtime,
}

impl Exchange {
    /// Opens a folder (made if it is not there) or URL. Options of object stores are taken from
    /// the environment.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn open(location: &str) -> Result<Self, ExchangeError> {
        let refuse = |reason: String| ExchangeError::Location {
            location: location.to_owned(),
            reason,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| refuse(e.to_string()))?;
        let Location { store, root, local } = Location::open(location)?;
        if let Some(folder) = &local {
            let path = folder.join(EPISODES);
            std::fs::create_dir_all(&path).map_err(|source| ExchangeError::Io { path, source })?;
        }
        Ok(Self {
            store,
            root,
            local,
            runtime,
        })
    }

    /// What collectors are to do; none before the trainer has said so.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn control(&self) -> Result<Option<Control>, ExchangeError> {
        self.json(&self.key(&[CONTROL]))
    }

    /// Tells the collectors what to do.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn set_control(&self, control: &Control) -> Result<(), ExchangeError> {
        self.put(&self.key(&[CONTROL]), to_json(control))
    }

    /// Copies the bundle in `folder` into the exchange; collectors use it when the control names it.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn publish_bundle(&self, generation: u64, folder: &Path) -> Result<(), ExchangeError> {
        for (name, bytes) in files_of(folder)? {
            self.put(&self.key(&[BUNDLES, &number(generation), &name]), bytes)?;
        }
        Ok(())
    }

    /// Copies the bundle of a generation into `folder`.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn fetch_bundle(&self, generation: u64, folder: &Path) -> Result<(), ExchangeError> {
        self.fetch(&self.key(&[BUNDLES, &number(generation)]), folder)
    }

    /// Removes the bundle of a generation, if it is there.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn remove_bundle(&self, generation: u64) -> Result<(), ExchangeError> {
        for key in self.list(&self.key(&[BUNDLES, &number(generation)]))? {
            self.runtime.block_on(self.store.delete(&key))?;
        }
        Ok(())
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
        self.put(&self.key(&[EPISODES, name, FACTS]), to_json(facts))?;
        let mut files = files_of(bag)?;
        // The metadata last.
        files.sort_by_key(|(name, _)| name == METADATA);
        for (file, bytes) in files {
            self.put(&self.key(&[EPISODES, name, &file]), bytes)?;
        }
        Ok(())
    }

    /// Names of the episodes that are complete.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn episodes(&self) -> Result<BTreeSet<String>, ExchangeError> {
        let keys = self.list(&self.key(&[EPISODES]))?;
        let depth = self.root.parts().count();
        Ok(keys
            .iter()
            .filter_map(|key| {
                let parts: Vec<_> = key.parts().skip(depth).collect();
                match parts.as_slice() {
                    [_, name, file] if file.as_ref() == METADATA => Some(name.as_ref().to_owned()),
                    _ => None,
                }
            })
            .collect())
    }

    /// What the collector said of an episode; none for a bag from elsewhere.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn facts(&self, name: &str) -> Result<Option<EpisodeFacts>, ExchangeError> {
        self.json(&self.key(&[EPISODES, name, FACTS]))
    }

    /// A local bag of an episode: its place in the exchange if that is a folder, else a copy in
    /// `cache`.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn bag(&self, name: &str, cache: &Path) -> Result<PathBuf, ExchangeError> {
        if let Some(folder) = &self.local {
            return Ok(folder.join(EPISODES).join(name));
        }
        let target = cache.join(name);
        if !target.join(METADATA).exists() {
            let part = cache.join(format!("{name}.part"));
            let io = |path: &Path| {
                let path = path.to_path_buf();
                move |source| ExchangeError::Io { path, source }
            };
            if part.exists() {
                std::fs::remove_dir_all(&part).map_err(io(&part))?;
            }
            self.fetch(&self.key(&[EPISODES, name]), &part)?;
            std::fs::rename(&part, &target).map_err(io(&target))?;
        }
        Ok(target)
    }

    fn key(&self, parts: &[&str]) -> Key {
        let all = self.root.parts().map(|part| part.as_ref().to_owned());
        Key::from_iter(all.chain(parts.iter().map(|part| (*part).to_owned())))
    }

    fn put(&self, key: &Key, bytes: Vec<u8>) -> Result<(), ExchangeError> {
        self.runtime.block_on(self.store.put(key, bytes.into()))?;
        Ok(())
    }

    fn get(&self, key: &Key) -> Result<Vec<u8>, object_store::Error> {
        self.runtime
            .block_on(async { self.store.get(key).await?.bytes().await })
            .map(|bytes| bytes.to_vec())
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>, ExchangeError> {
        let found = self
            .runtime
            .block_on(self.store.list(Some(prefix)).try_collect::<Vec<_>>())?;
        Ok(found.into_iter().map(|object| object.location).collect())
    }

    fn json<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, ExchangeError> {
        let bytes = match self.get(key) {
            Ok(bytes) => bytes,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| ExchangeError::Format {
                key: key.to_string(),
                reason: e.to_string(),
            })
    }

    fn fetch(&self, prefix: &Key, folder: &Path) -> Result<(), ExchangeError> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| ExchangeError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        for key in self.list(prefix)? {
            let Some(name) = key.filename() else { continue };
            let file = folder.join(name);
            std::fs::write(&file, self.get(&key)?).map_err(io(&file))?;
        }
        Ok(())
    }
}

/// Names and contents of the files in a folder.
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
    read().map_err(|source| ExchangeError::Io {
        path: folder.to_path_buf(),
        source,
    })
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("plain values have a JSON form")
}

fn number(generation: u64) -> String {
    format!("{generation:06}")
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
        let exchange = Exchange::open(root.to_str().unwrap()).unwrap();
        exchange.put_episode("one", &bag, &facts()).unwrap();
        assert!(exchange.episodes().unwrap().is_empty(), "no metadata yet");
        std::fs::write(bag.join(METADATA), b"x").unwrap();

        // The same folder by its URL.
        let url = format!("file://{}", root.display());
        let other = Exchange::open(&url).unwrap();
        other.put_episode("one", &bag, &facts()).unwrap();
        assert_eq!(
            exchange.episodes().unwrap(),
            BTreeSet::from(["one".to_owned()])
        );
        assert_eq!(exchange.facts("one").unwrap(), Some(facts()));
        assert_eq!(exchange.facts("two").unwrap(), None);
        let local = exchange.bag("one", folder.path()).unwrap();
        assert_eq!(std::fs::read(local.join("one_0.mcap")).unwrap(), b"bag");
    }

    #[test]
    fn control_and_bundles_go_through_any_store() {
        // As an object store that is no folder.
        let exchange = Exchange {
            local: None,
            ..Exchange::open("memory:///deep/root").unwrap()
        };
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

        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir(&from).unwrap();
        for name in ["manifest.toml", "observe.onnx"] {
            std::fs::write(from.join(name), name).unwrap();
        }
        exchange.publish_bundle(4, &from).unwrap();
        exchange.fetch_bundle(4, &to).unwrap();
        assert_eq!(files_of(&from).unwrap(), files_of(&to).unwrap());
        exchange.remove_bundle(4).unwrap();
        let gone = folder.path().join("gone");
        exchange.fetch_bundle(4, &gone).unwrap();
        assert!(files_of(&gone).unwrap().is_empty());

        std::fs::write(from.join(METADATA), "x").unwrap();
        exchange.put_episode("one", &from, &facts()).unwrap();
        let cache = folder.path().join("cache");
        let bag = exchange.bag("one", &cache).unwrap();
        assert!(bag.starts_with(&cache) && bag.join(METADATA).exists());
    }

    #[test]
    fn a_location_of_no_known_kind_is_refused() {
        let message = match Exchange::open("ftp://somewhere/x") {
            Ok(_) => panic!("no such store"),
            Err(error) => error.to_string(),
        };
        assert!(
            message.contains("ftp://somewhere/x") && message.contains("file://"),
            "{message}"
        );
    }
}
