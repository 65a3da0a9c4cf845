//! Sizes of a random model, and the bundle that is made of them.

use std::path::Path;

use clap::Args;
use latco_controller::plan::PlanSizes;
use latco_export::{Family, RandomSpec, write_random_bundle};
use latco_models::{Bundle, LoadOptions};
use serde::Serialize;

use crate::commands::failure::Failure;

/// Sizes of a model and its plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Args)]
pub(super) struct Sizes {
    /// Stochastic part of the state
    #[arg(long, value_name = "NS", default_value_t = Self::PLANET.stoch)]
    pub(super) stoch: usize,
    /// Deterministic part of the state
    #[arg(long, value_name = "ND", default_value_t = Self::PLANET.deter)]
    pub(super) deter: usize,
    /// Width of the dense layers
    #[arg(long, value_name = "W", default_value_t = Self::PLANET.hidden)]
    pub(super) hidden: usize,
    /// Width of the reward head's layers
    #[arg(long, value_name = "U", default_value_t = Self::PLANET.units)]
    pub(super) units: usize,
    /// Actions
    #[arg(long, value_name = "NA", default_value_t = Self::PLANET.action)]
    pub(super) action: usize,
    /// Steps of a plan
    #[arg(long, value_name = "H", default_value_t = Self::PLANET.horizon)]
    pub(super) horizon: usize,
}

impl Sizes {
    /// The sizes of PlaNet's model.
    pub(super) const PLANET: Self = Self {
        stoch: 30,
        deter: 200,
        hidden: 200,
        units: 200,
        action: 4,
        horizon: 30,
    };

    /// Length of a state.
    pub(super) fn state(&self) -> usize {
        self.stoch + self.deter
    }

    /// Sizes of the plans.
    pub(super) fn plan(&self) -> PlanSizes {
        PlanSizes {
            horizon: self.horizon,
            lead: 0,
            state: self.state(),
            action: self.action,
            goal: 0,
        }
    }

    /// # Errors
    /// [`Failure::usage`] with every size that is 0 or larger than anything that is meant.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let wrong: Vec<String> = [
            ("--stoch", self.stoch, 4096),
            ("--deter", self.deter, 8192),
            ("--hidden", self.hidden, 8192),
            ("--units", self.units, 8192),
            ("--action", self.action, 64),
            ("--horizon", self.horizon, 1000),
        ]
        .into_iter()
        .filter(|&(_, found, most)| !(1..=most).contains(&found))
        .map(|(name, found, most)| format!("{name}: expected 1 to {most}, found {found}"))
        .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Failure::usage(anyhow::anyhow!(wrong.join("; "))))
    }

    /// A bundle with random weights and the smallest camera there is, written to a temporary
    /// folder, and loaded and verified as a controller does it.
    ///
    /// # Errors
    /// [`Failure::failed`] when it cannot be written, [`Failure::usage`] when it does not load.
    pub(super) fn bundle(&self, seed: u64, load: &LoadOptions) -> Result<Bundle, Failure> {
        let spec = RandomSpec {
            family: Family::Keypoint,
            image: 16,
            joints: 0,
            ..self.spec()
        };
        let folder = tempfile::tempdir().map_err(Failure::failed)?;
        write_random_bundle(folder.path(), &spec, seed).map_err(Failure::failed)?;
        Bundle::load(folder.path(), load).map_err(Failure::usage)
    }

    /// Writes a bundle with random weights and PlaNet's camera, 64x64 pixels through four convolutions, into a folder.
    ///
    /// # Errors
    /// [`Failure::failed`] when it cannot be written.
    pub(super) fn write_with_camera(&self, folder: &Path, seed: u64) -> Result<(), Failure> {
        write_random_bundle(folder, &self.spec(), seed)
            .map(|_| ())
            .map_err(Failure::failed)
    }

    fn spec(&self) -> RandomSpec {
        RandomSpec {
            stoch: self.stoch,
            deter: self.deter,
            hidden: self.hidden,
            units: self.units,
            action: self.action,
            horizon: self.horizon,
            ..RandomSpec::planet()
        }
    }
}
