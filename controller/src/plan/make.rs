//! The planner that a configuration names.

use latco_models::Bundle;
use latco_solver::{Model as _, Shape};

use super::anytime::Anytime;
use super::collocation::{Collocation, lm};
use super::contract::Planner;
use super::first_order::FirstOrder;
use super::model::OnnxModel;
use super::optimiser::Optimiser;
use super::sampling::Sampling;
use super::shooting::{ActionSearch, Descent, GaussNewton, Ilqr};
use super::solution::PlanSizes;
use crate::config::{self, Config, PlannerKind};
use crate::error::SetupError;

/// Makes the planner that the configuration names, for plans of these sizes. With `planner.budget_ms` it
/// first finds out how long its steps take, so that it keeps to the budget from the first plan on.
///
/// # Errors
/// ONNX Runtime's or the solver's reason.
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
        PlannerKind::Latco => match config.planner.latco.optimiser {
            config::Optimiser::LevenbergMarquardt => anytime(c, b, s, Collocation::latco(c, b, s)),
            config::Optimiser::Adam => {
                let stepper = |model: &OnnxModel, shape: Shape| -> Result<_, SetupError> {
                    let (settings, latco) = (lm(c, b).settings, &c.planner.latco);
                    let made = FirstOrder::new(shape, model.cut(shape.parts), settings, latco);
                    Ok(Box::new(made) as _)
                };
                anytime(c, b, s, Collocation::with_stepper(c, b, s, stepper))
            }
        },
        PlannerKind::GaussianLatco => anytime(c, b, s, Collocation::gaussian(c, b, s)),
        PlannerKind::Cem => anytime(c, b, s, Sampling::cem(c, b, s)),
        PlannerKind::Mppi => anytime(c, b, s, Sampling::mppi(c, b, s)),
        PlannerKind::ShootingGd => anytime(c, b, s, ActionSearch::<Descent>::new(c, b, s)),
        PlannerKind::ShootingGn => anytime(c, b, s, ActionSearch::<GaussNewton>::new(c, b, s)),
        PlannerKind::Ilqr => anytime(c, b, s, ActionSearch::<Ilqr>::new(c, b, s)),
    }
}
