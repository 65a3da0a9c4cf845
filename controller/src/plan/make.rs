//! The planner that a configuration names.

use std::sync::OnceLock;

use latco_models::Bundle;

use super::anytime::Anytime;
use super::collocation::Collocation;
use super::contract::Planner;
use super::optimiser::Optimiser;
use super::sampling::Sampling;
use super::solution::PlanSizes;
use crate::config::{Config, PlannerKind};
use crate::error::SetupError;

/// Makes a planner by a configuration, for plans of these sizes.
pub type MakePlanner = fn(&Config, &Bundle, &PlanSizes) -> Result<Box<dyn Planner>, SetupError>;

/// Planners from outside of this crate.
static ADDED: OnceLock<&[(PlannerKind, MakePlanner)]> = OnceLock::new();

/// Adds planners from outside of this crate; to be called when a program starts. The first call counts.
pub fn add_planners(planners: &'static [(PlannerKind, MakePlanner)]) {
    let _ = ADDED.set(planners);
}

/// The planner that the configuration names, for plans of these sizes. With `planner.budget_ms` it has
/// found out how long its steps take, so that it keeps to the budget from the first plan on.
///
/// # Errors
/// ONNX Runtime's or the solver's reason, or that this program has no such planner.
pub fn make(
    config: &Config,
    bundle: &Bundle,
    sizes: &PlanSizes,
) -> Result<Box<dyn Planner>, SetupError> {
    fn anytime<O: Optimiser + 'static>(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
        optimiser: Result<O, SetupError>,
    ) -> Result<Box<dyn Planner>, SetupError> {
        Ok(Box::new(Anytime::new(config, bundle, sizes, optimiser?)?))
    }
    let (c, b, s) = (config, bundle, sizes);
    match config.planner.kind {
        PlannerKind::Latco => anytime(c, b, s, Collocation::latco(c, b, s)),
        PlannerKind::SamplingOnly => anytime(c, b, s, Collocation::starts_only(c, b, s)),
        PlannerKind::GaussianLatco => anytime(c, b, s, Collocation::gaussian(c, b, s)),
        PlannerKind::Cem => anytime(c, b, s, Sampling::cem(c, b, s)),
        PlannerKind::Mppi => anytime(c, b, s, Sampling::mppi(c, b, s)),
        other => {
            let mut added = ADDED.get().into_iter().copied().flatten();
            match added.find(|(kind, _)| *kind == other) {
                Some((_, make)) => make(c, b, s),
                None => Err(SetupError::NoPlanner(other)),
            }
        }
    }
}
