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

/// Tells that a step of a cell is done; asks whether to go on.
pub type Step<'a> = dyn FnMut() -> ControlFlow<()> + 'a;

/// Makes the cell of a number, calling its argument after every step; none if that asked for an end.
pub type Make<'a, T> =
    Box<dyn FnMut(usize, &mut Step<'_>) -> Result<Option<T>, ExperimentError> + 'a>;

/// Writes what is told of the cells that are done.
pub type Report<'a, T> = Box<dyn Fn(&[T]) -> Result<(), ExperimentError> + 'a>;

/// An experiment: its cells, how one is made, and what is told of them.
pub struct Experiment<'a, T> {
    /// First line of the files: all that makes results comparable.
    pub name: String,
    /// Keys of the cells, in the order in which they are run and told of.
    pub keys: Vec<String>,
    /// The key of a cell that is done.
    pub key: fn(&T) -> String,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only every `n`th cell from the `i`th on, `(i, n)`; all without.
    pub part: Option<(usize, usize)>,
    /// Steps of each cell for the progress, and what they are (a plural noun).
    pub steps: (u64, &'static str),
    /// Name of the file of the report that people read.
    pub markdown: String,
    /// Makes a cell.
    pub make: Make<'a, T>,
    /// Tells of the cells.
    pub report: Report<'a, T>,
}

impl<T: Clone + Serialize + DeserializeOwned> Experiment<'_, T> {
    /// The file this run writes its cells to.
    fn file(&self) -> String {
        match self.part {
            None => "cells.jsonl".to_owned(),
            Some((part, of)) => format!("cells-{part}-of-{of}.jsonl"),
        }
    }

    fn lines(&self, folder: &Path) -> Result<Vec<Line<T>>, ExperimentError> {
        let mut found = Vec::new();
        for file in Store::files(folder)? {
            found.extend(Store::read::<T>(&file, &self.name)?);
        }
        Ok(found)
    }

    /// The cells in the folder, of every file, in the order of the keys.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn done(&self) -> Result<Vec<T>, ExperimentError> {
        let found = self.lines(&self.out)?;
        let pick = |key: &String| found.iter().find(|line| (self.key)(&line.cell) == *key);
        let picked = self.keys.iter().filter_map(pick);
        Ok(picked.map(|line| line.cell.clone()).collect())
    }

    /// Takes over the cells of another folder of the same experiment; gives how many were new.
    ///
    /// # Errors
    /// [`ExperimentError::NothingToMerge`] where there are no cells, and others.
    pub fn merge(&self, other: &Path) -> Result<usize, ExperimentError> {
        if Store::files(other)?.is_empty() {
            return Err(ExperimentError::NothingToMerge(other.to_path_buf()));
        }
        let key = |line: &Line<T>| (self.key)(&line.cell);
        let mut known: Vec<String> = self.lines(&self.out)?.iter().map(key).collect();
        let before = known.len();
        let store = Store::open(&self.out, &self.file(), &self.name)?;
        for line in self.lines(other)? {
            let key = key(&line);
            if self.keys.contains(&key) && !known.contains(&key) {
                store.add(&line.text)?;
                known.push(key);
            }
        }
        Ok(known.len() - before)
    }

    /// Runs the cells of this part that are missing. After each, the report is written of all that are
    /// done, unless this is a part: parts share the folder.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn run(
        &mut self,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Vec<T>, ExperimentError> {
        let store = Store::open(&self.out, &self.file(), &self.name)?;
        let mut done = self.done()?;
        let (part, of) = self.part.unwrap_or((0, 1));
        let steps = self.steps.0;
        let mine: Vec<usize> = (part..self.keys.len()).step_by(of.max(1)).collect();
        let is_done = |me: &Self, done: &[T], number: usize| {
            done.iter().any(|cell| (me.key)(cell) == me.keys[number])
        };
        let finished = mine.iter().filter(|n| is_done(self, &done, **n)).count();
        let mut state = Progress {
            done: finished as u64 * steps,
            total: mine.len() as u64 * steps,
            cell: String::new(),
        };
        let tell = |me: &Self, done: &[T]| match me.part {
            None if !done.is_empty() => (me.report)(done),
            _ => Ok(()),
        };
        tell(self, &done)?;
        for number in mine {
            if is_done(self, &done, number) {
                continue;
            }
            state.cell.clone_from(&self.keys[number]);
            if progress(&state).is_break() {
                break;
            }
            let begun = state.done;
            let mut flow = ControlFlow::Continue(());
            let made = (self.make)(number, &mut || {
                state.done = (state.done + 1).min(begun + steps);
                flow = progress(&state);
                flow
            })?;
            let Some(cell) = made else {
                break;
            };
            state.done = begun + steps;
            let text = serde_json::to_string(&cell).map_err(|e| ExperimentError::Io {
                path: self.out.join(self.file()),
                source: e.into(),
            })?;
            store.add(&text)?;
            done = self.done()?;
            tell(self, &done)?;
            if flow.is_break() {
                break;
            }
        }
        if self.part.is_none() {
            let lines = self.lines(&self.out)?;
            let of = |key: &String| lines.iter().find(|line| (self.key)(&line.cell) == *key);
            let rest = (lines.iter()).filter(|line| !self.keys.contains(&(self.key)(&line.cell)));
            let ordered = self.keys.iter().filter_map(of).chain(rest);
            store.settle(&self.name, ordered.map(|line| line.text.as_str()))?;
        }
        Ok(done)
    }
}
