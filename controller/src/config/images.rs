//! Parameters of image collocation: appendices B and D of the paper.

use serde::{Deserialize, Serialize};

use super::PlannerSection;
use super::validate::Check;

/// `[planner.image_collocation]`: Adam on images and actions, with multipliers for dynamics and limits. The
/// paper's hyperparameters are those of "no second order", but for the step size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageCollocationSection {
    /// Iterations of a plan made from nothing.
    pub iterations_cold: u32,
    /// Iterations of a plan that starts from the previous one.
    pub iterations_warm: u32,
    /// Whether plans start from the shifted previous plan.
    pub warm_start: bool,
    /// Step size of Adam, in units of pixels (0 to 1) and normalised actions.
    pub learning_rate: f64,
    /// Initial multiplier of the dynamics, lambda_0.
    pub dynamics_multiplier: f64,
    /// Initial multiplier of the action limits, nu_0.
    pub action_multiplier: f64,
    /// What is added to a multiplier for each unit of violation above the tolerance; 0: the constraints are
    /// penalties.
    pub multiplier_rate: f64,
    /// Iterations between updates of the multipliers.
    pub multiplier_every_iterations: u32,
    /// Factor on the multipliers at each warm start, as in `[planner.latco]`.
    pub multiplier_relaxation: f64,
    /// Violation that is aimed at, epsilon: of the dynamics the squared distance of an image from the predicted
    /// one, summed over its pixels.
    pub tolerance: f64,
    /// Every so many iterations (and at the last) the actions are clipped and rolled out; the best by
    /// that return is executed.
    pub rollout_every_iterations: u32,
}

impl Default for ImageCollocationSection {
    fn default() -> Self {
        Self {
            iterations_cold: 5000,
            iterations_warm: 2000,
            warm_start: true,
            learning_rate: 0.02,
            dynamics_multiplier: 1.0,
            action_multiplier: 1.0,
            multiplier_rate: 1.5,
            multiplier_every_iterations: 5,
            multiplier_relaxation: 1.0,
            tolerance: 1e-4,
            rollout_every_iterations: 10,
        }
    }
}

/// Checks them.
pub(super) fn check(planner: &PlannerSection, check: &mut Check<'_>) {
    let images = &planner.image_collocation;
    let field = |key: &str| format!("planner.image_collocation.{key}");
    for (key, count) in [
        ("iterations_cold", images.iterations_cold),
        ("iterations_warm", images.iterations_warm),
        (
            "multiplier_every_iterations",
            images.multiplier_every_iterations,
        ),
        ("rollout_every_iterations", images.rollout_every_iterations),
    ] {
        check.at_least(&field(key), count, 1);
    }
    for (key, value) in [
        ("learning_rate", images.learning_rate),
        ("dynamics_multiplier", images.dynamics_multiplier),
        ("action_multiplier", images.action_multiplier),
        ("tolerance", images.tolerance),
    ] {
        check.positive(&field(key), value);
    }
    check.not_negative(&field("multiplier_rate"), images.multiplier_rate);
    let relaxation = images.multiplier_relaxation;
    check.within(&field("multiplier_relaxation"), relaxation, 0.0, 1.0);
}
