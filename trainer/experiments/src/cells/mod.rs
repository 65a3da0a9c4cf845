//! Experiments as lists of independent cells. Each is kept as soon as it is done, so that a run
//! which is killed goes on where it was; parts may run on many machines, and their files be put
//! together.
//!
//! Whatever the parts were, the folder that they are merged in ends with the same files, byte for
//! byte, as that of one run with the same cells. What two runs of one cell differ in is what was
//! measured: times, and with them everything of a cell whose plans end by the clock.

mod store;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{ExperimentError, Progress};
use store::{Line, Store};

/// The result of one cell.
pub trait Cell: Clone + Serialize + DeserializeOwned {
    /// What tells the cells of one experiment apart.
    fn key(&self) -> String;
}

/// The cells of an experiment and where they are kept.
#[derive(Clone, Debug)]
pub struct Cells {
    /// First line of the files: all that makes results comparable.
    pub experiment: String,
    /// Keys of the cells, in the order in which they are run and told of.
    pub keys: Vec<String>,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only every `n`th cell from the `i`th on, `(i, n)`; all without.
    pub part: Option<(usize, usize)>,
    /// Steps of each for the progress (episodes, plans).
    pub steps: u64,
}

/// Tells that a step of a cell is done; asks whether to go on.
pub type Step<'a> = dyn FnMut() -> ControlFlow<()> + 'a;

impl Cells {
    /// The file this run writes its cells to.
    fn file(&self) -> String {
        match self.part {
            None => "cells.jsonl".to_owned(),
            Some((part, of)) => format!("cells-{part}-of-{of}.jsonl"),
        }
    }

    fn lines<T: Cell>(&self, folder: &Path) -> Result<Vec<Line<T>>, ExperimentError> {
        let mut found = Vec::new();
        for file in Store::files(folder)? {
            found.extend(Store::read::<T>(&file, &self.experiment)?);
        }
        Ok(found)
    }

    /// The cells in the folder, of every file, in the order of the keys.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn done<T: Cell>(&self) -> Result<Vec<T>, ExperimentError> {
        let found = self.lines::<T>(&self.out)?;
        let pick = |key: &String| found.iter().find(|line| line.cell.key() == *key);
        let picked = self.keys.iter().filter_map(pick);
        Ok(picked.map(|line| line.cell.clone()).collect())
    }

    /// Takes over the cells of another folder of the same experiment; gives how many were new.
    ///
    /// # Errors
    /// [`ExperimentError::NothingToMerge`] where there are no cells, and others.
    pub fn merge<T: Cell>(&self, other: &Path) -> Result<usize, ExperimentError> {
        if Store::files(other)?.is_empty() {
            return Err(ExperimentError::NothingToMerge(other.to_path_buf()));
        }
        let mut known: Vec<String> = (self.lines::<T>(&self.out)?.iter())
            .map(|line| line.cell.key())
            .collect();
        let before = known.len();
        let store = Store::open(&self.out, &self.file(), &self.experiment)?;
        for line in self.lines::<T>(other)? {
            let key = line.cell.key();
            if self.keys.contains(&key) && !known.contains(&key) {
                store.add(&line.text)?;
                known.push(key);
            }
        }
        Ok(known.len() - before)
    }

    /// Runs the cells of this part that are missing: `work` makes the cell of a number, calling its
    /// argument after every step, and gives none if that asked for an end. After each, `report` is
    /// called with all that are done, unless this is a part: parts share the folder.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn run<T: Cell>(
        &self,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
        mut work: impl FnMut(usize, &mut Step<'_>) -> Result<Option<T>, ExperimentError>,
        mut report: impl FnMut(&[T]) -> Result<(), ExperimentError>,
    ) -> Result<Vec<T>, ExperimentError> {
        let store = Store::open(&self.out, &self.file(), &self.experiment)?;
        let mut done = self.done::<T>()?;
        let (part, of) = self.part.unwrap_or((0, 1));
        let mine: Vec<usize> = (part..self.keys.len()).step_by(of.max(1)).collect();
        let is_done =
            |done: &[T], number: usize| done.iter().any(|cell| cell.key() == self.keys[number]);
        let mut state = Progress {
            done: mine.iter().filter(|n| is_done(&done, **n)).count() as u64 * self.steps,
            total: mine.len() as u64 * self.steps,
            cell: String::new(),
        };
        let mut tell = |done: &[T]| match self.part {
            None if !done.is_empty() => report(done),
            _ => Ok(()),
        };
        tell(&done)?;
        for number in mine {
            if is_done(&done, number) {
                continue;
            }
            state.cell.clone_from(&self.keys[number]);
            if progress(&state).is_break() {
                break;
            }
            let begun = state.done;
            let mut flow = ControlFlow::Continue(());
            let made = work(number, &mut || {
                state.done = (state.done + 1).min(begun + self.steps);
                flow = progress(&state);
                flow
            })?;
            let Some(cell) = made else {
                break;
            };
            state.done = begun + self.steps;
            let path = self.out.join(self.file());
            let text = serde_json::to_string(&cell).map_err(|e| ExperimentError::Io {
                path,
                source: e.into(),
            })?;
            store.add(&text)?;
            done = self.done()?;
            tell(&done)?;
            if flow.is_break() {
                break;
            }
        }
        if self.part.is_none() {
            let lines = self.lines::<T>(&self.out)?;
            let of = |key: &String| lines.iter().find(|line| line.cell.key() == *key);
            let rest = (lines.iter()).filter(|line| !self.keys.contains(&line.cell.key()));
            let ordered = self.keys.iter().filter_map(of).chain(rest);
            store.settle(&self.experiment, ordered.map(|line| line.text.as_str()))?;
        }
        Ok(done)
    }
}
