//! Cells on file, one JSON object a line, after a line that says of which experiment they are.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ExperimentError;

/// The file of the cells.
pub(crate) struct Store {
    path: PathBuf,
}

impl Store {
    /// Opens the file in `folder` and gives the cells that are in it. A last line that was cut off
    /// is dropped.
    pub(crate) fn open<T: DeserializeOwned>(
        folder: &Path,
        experiment: &str,
    ) -> Result<(Self, Vec<T>), ExperimentError> {
        Self::open_file(folder, "cells.jsonl", experiment)
    }

    /// The same for a file of that name.
    pub(crate) fn open_file<T: DeserializeOwned>(
        folder: &Path,
        name: &str,
        experiment: &str,
    ) -> Result<(Self, Vec<T>), ExperimentError> {
        let path = folder.join(name);
        let failed = |source| ExperimentError::Io {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(failed(e)),
        };
        // What follows the last line break was being written when the run ended.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut lines = whole.lines();
        let head = serde_json::json!({ "experiment": experiment }).to_string();
        let cells = match lines.next() {
            None => {
                std::fs::write(&path, head + "\n").map_err(failed)?;
                Vec::new()
            }
            Some(found) if found == head => {
                if whole.len() < text.len() {
                    std::fs::write(&path, whole).map_err(failed)?;
                }
                (lines.map(|line| serde_json::from_str(line).map_err(|e| failed(e.into()))))
                    .collect::<Result<_, _>>()?
            }
            Some(found) => {
                return Err(ExperimentError::Another {
                    expected: head,
                    found: found.to_owned(),
                    path,
                });
            }
        };
        Ok((Self { path }, cells))
    }

    /// All files of cells in a folder, by name; none where there is no folder.
    pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, ExperimentError> {
        let failed = |source| ExperimentError::Io {
            path: folder.to_path_buf(),
            source,
        };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(e)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            if name.is_some_and(|n| n.starts_with("cells") && n.ends_with(".jsonl")) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The whole cells of a file of this experiment, which somebody else may be writing.
    pub(crate) fn read<T: DeserializeOwned>(
        path: &Path,
        experiment: &str,
    ) -> Result<Vec<T>, ExperimentError> {
        let failed = |source| ExperimentError::Io {
            path: path.to_path_buf(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut lines = whole.lines();
        let head = serde_json::json!({ "experiment": experiment }).to_string();
        match lines.next() {
            Some(found) if found != head => Err(ExperimentError::Another {
                path: path.to_path_buf(),
                expected: head,
                found: found.to_owned(),
            }),
            _ => (lines.map(|line| serde_json::from_str(line).map_err(|e| failed(e.into()))))
                .collect(),
        }
    }

    /// Adds a cell.
    pub(crate) fn add(&self, cell: &impl Serialize) -> Result<(), ExperimentError> {
        let failed = |source| ExperimentError::Io {
            path: self.path.clone(),
            source,
        };
        let line = serde_json::to_string(cell).map_err(|e| failed(e.into()))?;
        let mut file = OpenOptions::new()
            .append(true)
            .open(&self.path)
            .map_err(failed)?;
        file.write_all((line + "\n").as_bytes()).map_err(failed)?;
        file.sync_data().map_err(failed)
    }
}
