//! Cells of an experiment through a folder or an object store, for jobs without a common folder.
//!
//! Every job puts its own files there under their names, which differ by the part that it runs; the
//! job that merges fetches all of them.

use std::collections::BTreeMap;
use std::path::Path;

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path as Key;

use crate::online::{ExchangeError, Location};

/// An open place for cells.
pub struct Share {
    place: Location,
    runtime: tokio::runtime::Runtime,
    /// Lengths of the files that were put there.
    sent: BTreeMap<String, u64>,
}

impl Share {
    /// Opens a folder or URL; see [`Exchange::open`](crate::online::Exchange::open).
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn open(location: &str) -> Result<Self, ExchangeError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| ExchangeError::Location {
                location: location.to_owned(),
                reason: e.to_string(),
            })?;
        Ok(Self {
            place: Location::open(location)?,
            runtime,
            sent: BTreeMap::new(),
        })
    }

    /// Copies all files of cells that are there into a folder, and gives how many there were.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn fetch(&self, folder: &Path) -> Result<usize, ExchangeError> {
        let store = &self.place.store;
        let list = store.list(Some(&self.place.root)).try_collect::<Vec<_>>();
        let mut count = 0;
        for object in self.runtime.block_on(list)? {
            let key = object.location;
            let depth = self.place.root.parts().count();
            let Some(name) = key.filename().filter(|name| is_of_cells(name)) else {
                continue;
            };
            if key.parts().count() != depth + 1 {
                continue;
            }
            let get = async { store.get(&key).await?.bytes().await };
            let bytes = self.runtime.block_on(get)?;
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|source| ExchangeError::Io { path, source })?;
            count += 1;
        }
        Ok(count)
    }

    /// Puts the files of cells in a folder there that have grown since the last time.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn send(&mut self, folder: &Path) -> Result<(), ExchangeError> {
        let io = |source| ExchangeError::Io {
            path: folder.to_path_buf(),
            source,
        };
        let Ok(entries) = std::fs::read_dir(folder) else {
            // Nothing was written yet.
            return Ok(());
        };
        for entry in entries {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let length = entry.metadata().map_err(io)?.len();
            if !is_of_cells(&name) || self.sent.get(&name) == Some(&length) {
                continue;
            }
            let bytes = std::fs::read(entry.path()).map_err(io)?;
            let parts = self.place.root.parts().map(|part| part.as_ref().to_owned());
            let key = Key::from_iter(parts.chain([name.clone()]));
            self.runtime
                .block_on(self.place.store.put(&key, bytes.into()))?;
            self.sent.insert(name, length);
        }
        Ok(())
    }
}

fn is_of_cells(name: &str) -> bool {
    name.starts_with("cells") && name.ends_with(".jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_go_through_any_store_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for place in [&from, &to] {
            std::fs::create_dir(place).unwrap();
        }
        let here = folder.path().join("here").display().to_string();
        for location in ["memory:///deep/root", &here] {
            let mut share = Share::open(location).unwrap();
            assert_eq!(share.fetch(&to).unwrap(), 0);
            std::fs::write(from.join("cells-0-of-2.jsonl"), "one\n").unwrap();
            std::fs::write(from.join("table1.md"), "no").unwrap();
            share.send(&from).unwrap();
            std::fs::write(from.join("cells-0-of-2.jsonl"), "one\ntwo\n").unwrap();
            share.send(&from).unwrap();
            assert_eq!(share.fetch(&to).unwrap(), 1);
            let text = std::fs::read_to_string(to.join("cells-0-of-2.jsonl")).unwrap();
            assert_eq!(text, "one\ntwo\n");
        }
    }
}
