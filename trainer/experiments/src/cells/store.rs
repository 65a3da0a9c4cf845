//! Cells on file, one JSON object a line, after a line that says of which experiment they are.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::{ExperimentError, write_file};

/// One file of cells.
pub(super) struct Store {
    path: PathBuf,
}

/// A cell with its line, which is what is copied: a number that was read and is written again may
/// differ in its last digit.
pub(super) struct Line<T> {
    pub(super) cell: T,
    pub(super) text: String,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> ExperimentError + '_ {
    |source| ExperimentError::Io {
        path: path.to_path_buf(),
        source,
    }
}

fn head(experiment: &str) -> String {
    serde_json::json!({ "experiment": experiment }).to_string()
}

/// What was written to the end; behind the last line break a run was killed, or is at work.
fn whole(text: &str) -> &str {
    &text[..text.rfind('\n').map_or(0, |end| end + 1)]
}

impl Store {
    /// Opens the file of that name, or makes it. A last line that was cut off is dropped.
    pub(super) fn open(
        folder: &Path,
        name: &str,
        experiment: &str,
    ) -> Result<Self, ExperimentError> {
        let path = folder.join(name);
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            Err(e) => return Err(failed(&path)(e)),
        };
        let kept = whole(&text);
        check(&path, kept, experiment)?;
        if kept.is_empty() {
            write_file(&path, &(head(experiment) + "\n"))?;
        } else if kept.len() < text.len() {
            write_file(&path, kept)?;
        }
        Ok(Self { path })
    }

    /// All files of cells in a folder, by name; none where there is no folder.
    pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, ExperimentError> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(folder)(e)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed(folder))?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            if name.is_some_and(|n| n.starts_with("cells") && n.ends_with(".jsonl")) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The whole cells of a file of this experiment, which somebody else may be writing.
    pub(super) fn read<T: DeserializeOwned>(
        path: &Path,
        experiment: &str,
    ) -> Result<Vec<Line<T>>, ExperimentError> {
        let text = std::fs::read_to_string(path).map_err(failed(path))?;
        let kept = whole(&text);
        check(path, kept, experiment)?;
        let line = |text: &str| match serde_json::from_str(text) {
            Ok(cell) => Ok(Line {
                cell,
                text: text.to_owned(),
            }),
            Err(e) => Err(failed(path)(e.into())),
        };
        kept.lines().skip(1).map(line).collect()
    }

    /// Adds a cell.
    pub(super) fn add(&self, line: &str) -> Result<(), ExperimentError> {
        let open = OpenOptions::new().append(true).open(&self.path);
        let mut file = open.map_err(failed(&self.path))?;
        file.write_all(format!("{line}\n").as_bytes())
            .map_err(failed(&self.path))?;
        file.sync_data().map_err(failed(&self.path))
    }

    /// Makes the file hold these cells, in this order.
    pub(super) fn settle<'a>(
        &self,
        experiment: &str,
        lines: impl Iterator<Item = &'a str>,
    ) -> Result<(), ExperimentError> {
        let mut text = head(experiment) + "\n";
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        if std::fs::read_to_string(&self.path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        write_file(&self.path, &text)
    }
}

/// Checks that a file is of this experiment, as far as there is anything in it.
fn check(path: &Path, text: &str, experiment: &str) -> Result<(), ExperimentError> {
    let expected = head(experiment);
    match text.lines().next() {
        Some(found) if found != expected => Err(ExperimentError::Another {
            path: path.to_path_buf(),
            expected,
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}
