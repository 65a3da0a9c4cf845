//! Parts of an experiment on many machines.

use std::path::PathBuf;

use latco_experiments::cells::{Cell, Cells};

use super::error::as_usage_error;
use crate::commands::shell::BadInput;

/// Which part runs, and what is put together.
#[derive(clap::Args)]
pub(super) struct Parts {
    /// Only every Nth cell, from the Ith on (I from 0), as one of N jobs. They may have one folder for the
    /// results; plot and tables are made by a run without this option.
    #[arg(long, value_name = "I/N")]
    cell: Option<String>,
    /// First take over the cells that are in this folder as well.
    #[arg(long, value_name = "DIR")]
    merge: Vec<PathBuf>,
}

impl Parts {
    /// `I/N` with I < N.
    pub(super) fn part(&self) -> anyhow::Result<Option<(usize, usize)>> {
        let Some(text) = &self.cell else {
            return Ok(None);
        };
        let read = || {
            let (part, of) = text.split_once('/')?;
            let (part, of) = (part.parse().ok()?, of.parse().ok()?);
            (part < of).then_some((part, of))
        };
        let found = read().ok_or_else(|| {
            BadInput::new(format!(
                "--cell: expected I/N with I from 0 and less than N, found {text}"
            ))
        })?;
        Ok(Some(found))
    }

    /// Takes over what others have done.
    pub(super) fn take_over<T: Cell>(&self, cells: &Cells) -> anyhow::Result<()> {
        for folder in &self.merge {
            let added = cells.merge::<T>(folder).map_err(as_usage_error)?;
            tracing::info!("{added} cells of {} taken over", folder.display());
        }
        Ok(())
    }
}
