//! Folders and object stores by their names.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;

use super::ExchangeError;

/// An open place.
pub(crate) struct Location {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// What all keys begin with.
    pub(crate) root: Key,
    /// The folder, if it is one.
    pub(crate) local: Option<PathBuf>,
}

impl Location {
    /// Opens a folder (made if it is not there) or URL. Options of object stores are taken from the
    /// environment.
    pub(crate) fn open(location: &str) -> Result<Self, ExchangeError> {
        let refuse = |reason: String| ExchangeError::Location {
            location: location.to_owned(),
            reason,
        };
        let folder = match location.strip_prefix("file://") {
            Some(path) => Some(path),
            None => (!location.contains("://")).then_some(location),
        };
        if let Some(folder) = folder {
            let path = PathBuf::from(folder);
            let io = |source| ExchangeError::Io {
                path: path.clone(),
                source,
            };
            std::fs::create_dir_all(&path).map_err(io)?;
            let path = path.canonicalize().map_err(io)?;
            let store = LocalFileSystem::new_with_prefix(&path)?.with_fsync(true);
            return Ok(Self {
                store: Arc::new(store),
                root: Key::default(),
                local: Some(path),
            });
        }
        let url = url::Url::parse(location).map_err(|e| refuse(e.to_string()))?;
        let (store, root) = object_store::parse_url_opts(&url, std::env::vars())
            .map_err(|e| refuse(e.to_string()))?;
        Ok(Self {
            store: Arc::from(store),
            root,
            local: None,
        })
    }
}
