//! The bundle that is measured: one that is given, or random weights of given sizes.

use std::path::{Path, PathBuf};

use clap::Args;
use latco_models::{Bundle, LoadOptions};

#[cfg(feature = "sim")]
use super::sizes::Sizes;
use crate::commands::failure::Failure;
#[cfg(not(feature = "sim"))]
use crate::commands::without_sim::needs_sim;

/// The bundle that is measured, on the command line.
#[derive(Debug, Args)]
pub(super) struct BundleArgs {
    /// Folder of the bundle [default: random weights of the sizes below]
    #[arg(long = "bundle", value_name = "DIR", required = cfg!(not(feature = "sim")))]
    folder: Option<PathBuf>,
    #[cfg(feature = "sim")]
    #[command(flatten)]
    sizes: Sizes,
    /// Seed of random weights and frames
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
}

impl BundleArgs {
    /// The name of the bundle: the folder that was given, or `random`.
    pub(super) fn name(&self) -> String {
        let name = |folder: &PathBuf| folder.display().to_string();
        self.folder.as_ref().map_or("random".to_owned(), name)
    }

    /// The folder of the bundle; random weights are written to a folder in `scratch`, with PlaNet's camera of 64x64
    /// pixels.
    ///
    /// # Errors
    /// [`Failure::usage`] for sizes that are not possible, [`Failure::failed`] when the bundle cannot be
    /// written.
    pub(super) fn folder(&self, scratch: &Path) -> Result<PathBuf, Failure> {
        match &self.folder {
            Some(folder) => Ok(folder.clone()),
            None => self.random(&scratch.join("bundle")),
        }
    }

    /// The bundle, loaded and verified as a controller does it.
    ///
    /// # Errors
    /// The errors of [`Self::folder`], and [`Failure::usage`] when the bundle does not load.
    pub(super) fn load(&self, load: &LoadOptions) -> Result<Bundle, Failure> {
        let scratch = tempfile::tempdir().map_err(Failure::failed)?;
        Bundle::load(self.folder(scratch.path())?, load).map_err(Failure::usage)
    }

    #[cfg(feature = "sim")]
    fn random(&self, folder: &Path) -> Result<PathBuf, Failure> {
        self.sizes.check()?;
        self.sizes.write_with_camera(folder, self.seed)?;
        Ok(folder.to_owned())
    }

    #[cfg(not(feature = "sim"))]
    fn random(&self, _folder: &Path) -> Result<PathBuf, Failure> {
        Err(needs_sim("a bundle of random weights"))
    }
}
