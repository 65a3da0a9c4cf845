//! Parts of an experiment on many machines.

use std::path::{Path, PathBuf};

use anyhow::Context;
use latco_experiments::cells::{Cell, Cells};
use latco_trainer::online::ExchangeError;
use latco_trainer::share::Share;

use super::{BadInput, told};

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
    /// Folder or URL where jobs without a common folder leave their cells: those that are there are taken
    /// over first. s3:// and http(s):// in builds with the feature `cloud`.
    #[arg(long, value_name = "LOCATION")]
    share: Option<String>,
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

    /// Takes over what others have done, and opens the place where this job leaves its cells.
    pub(super) fn take_over<T: Cell>(&self, cells: &Cells) -> anyhow::Result<Left> {
        for folder in &self.merge {
            let added = cells.merge::<T>(folder).map_err(told)?;
            tracing::info!("{added} cells of {} taken over", folder.display());
        }
        let Some(location) = &self.share else {
            return Ok(Left(None));
        };
        let share = Share::open(location).map_err(refused)?;
        let copy = tempfile::tempdir().context("a temporary folder")?;
        if share.fetch(copy.path())? > 0 {
            let added = cells.merge::<T>(copy.path()).map_err(told)?;
            tracing::info!("{added} cells of {location} taken over");
        }
        Ok(Left(Some((share, cells.out.clone()))))
    }
}

fn refused(error: ExchangeError) -> anyhow::Error {
    match error {
        ExchangeError::Location { .. } => {
            BadInput::new(error.to_string().replacen("exchange", "--share", 1))
        }
        other => other.into(),
    }
}

/// Where the cells of this job are left, if anywhere.
pub(super) struct Left(Option<(Share, PathBuf)>);

impl Left {
    /// Leaves what is new; a failure is told of and tried again with the next step.
    pub(super) fn try_send(&mut self) {
        if let Some((share, out)) = &mut self.0
            && let Err(error) = share.send(out)
        {
            tracing::warn!("{error}; trying again with the next step");
        }
    }

    /// Leaves what is new at the end.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        match &mut self.0 {
            Some((share, out)) => Ok(share.send(Path::new(out))?),
            None => Ok(()),
        }
    }
}
