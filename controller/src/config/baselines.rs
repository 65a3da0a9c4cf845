//! Parameters of the planners that LatCo is compared with: appendices B and D of the paper.

use serde::{Deserialize, Serialize};

use super::PlannerSection;
use super::validate::Check;

/// `[planner.cem]`; the figures of the DM Control runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CemSection {
    /// Iterations.
    pub iterations: u32,
    /// Action sequences per iteration.
    pub samples: u32,
    /// Best sequences that the distribution is refitted to.
    pub elites: u32,
    /// Standard deviation at the start, in normalised action units.
    pub initial_std: f64,
    /// Lowest standard deviation, in normalised action units.
    pub min_std: f64,
    /// Whether the mean starts from the shifted previous plan (the paper starts at zero).
    pub warm_start: bool,
    /// Whether sequences are valued by one sampled future each, as in PlaNet, instead of by the mean states. It plans for
    /// luck: the elites are those whose futures turned out well.
    pub sampled_states: bool,
}

impl Default for CemSection {
    fn default() -> Self {
        Self {
            iterations: 10,
            samples: 1000,
            elites: 100,
            initial_std: 1.0,
            min_std: 0.0,
            warm_start: false,
            sampled_states: false,
        }
    }
}

/// `[planner.mppi]`: as CEM, with elites weighted by the softmax of their returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MppiSection {
    /// Iterations.
    pub iterations: u32,
    /// Action sequences per iteration.
    pub samples: u32,
    /// Best sequences that are weighted.
    pub elites: u32,
    /// Inverse temperature, gamma: the weight of a sequence is exp(gamma times its return).
    pub gamma: f64,
    /// Standard deviation at the start, in normalised action units.
    pub initial_std: f64,
    /// Lowest standard deviation, in normalised action units.
    pub min_std: f64,
    /// Whether the mean starts from the shifted previous plan (the paper starts at zero).
    pub warm_start: bool,
    /// Whether sequences are valued by one sampled future each, as in PlaNet, instead of by the mean states. It plans for
    /// luck: the elites are those whose futures turned out well.
    pub sampled_states: bool,
}

impl Default for MppiSection {
    fn default() -> Self {
        let CemSection {
            iterations,
            samples,
            elites,
            initial_std,
            min_std,
            warm_start,
            sampled_states,
        } = CemSection::default();
        Self {
            iterations,
            samples,
            elites,
            gamma: 10.0,
            initial_std,
            min_std,
            warm_start,
            sampled_states,
        }
    }
}

/// `[planner.shooting_gd]`: Adam on the actions, with multipliers for their limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShootingGdSection {
    /// Iterations of a plan made from nothing (the paper: 500 on Meta-World, 100 on DM Control).
    pub iterations_cold: u32,
    /// Iterations of a plan that starts from the previous one.
    pub iterations_warm: u32,
    /// Whether plans start from the shifted previous plan.
    pub warm_start: bool,
    /// Step size of Adam.
    pub learning_rate: f64,
    /// Initial multiplier of the action limits.
    pub action_multiplier: f64,
    /// Rate of the multiplier update.
    pub multiplier_rate: f64,
    /// Iterations between updates of the multipliers.
    pub multiplier_every: u32,
    /// Violation of the action limits that is aimed at.
    pub tolerance: f64,
    /// Every so many iterations (and at the last) the actions are clipped and rolled out; the best by
    /// that return is executed.
    pub rollout_every_iterations: u32,
}

impl Default for ShootingGdSection {
    fn default() -> Self {
        Self {
            iterations_cold: 100,
            iterations_warm: 100,
            warm_start: true,
            learning_rate: 0.05,
            action_multiplier: 1.0,
            multiplier_rate: 0.1,
            multiplier_every: 5,
            tolerance: 1e-4,
            rollout_every_iterations: 10,
        }
    }
}

/// `[planner.shooting_gn]`: Gauss-Newton on the actions, for LatCo's sum of squares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShootingGnSection {
    /// Iterations of a plan made from nothing.
    pub iterations_cold: u32,
    /// Iterations of a plan that starts from the previous one.
    pub iterations_warm: u32,
    /// Whether plans start from the shifted previous plan.
    pub warm_start: bool,
    /// Damping on the change of the actions, in their units.
    pub damping: f64,
    /// Initial multiplier of the action limits.
    pub action_multiplier: f64,
    /// Every so many iterations (and at the last) the actions are clipped and rolled out.
    pub rollout_every_iterations: u32,
}

impl Default for ShootingGnSection {
    fn default() -> Self {
        Self {
            iterations_cold: 50,
            iterations_warm: 20,
            warm_start: true,
            damping: 0.1,
            action_multiplier: 1.0,
            rollout_every_iterations: 5,
        }
    }
}

/// `[planner.ilqr]`: Tassa et al. 2012 with Gauss-Newton cost, line search, and a regulariser of Quu
/// that doubles where it is not positive definite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IlqrSection {
    /// Iterations of a plan made from nothing.
    pub iterations_cold: u32,
    /// Iterations of a plan that starts from the previous one.
    pub iterations_warm: u32,
    /// Whether plans start from the shifted previous plan.
    pub warm_start: bool,
    /// First regulariser of Quu.
    pub regularisation: f64,
    /// Largest; above it the plan counts as stalled.
    pub largest_regularisation: f64,
    /// Step sizes that are tried: 1, 1/2, 1/4, ...
    pub line_search_steps: u32,
}

impl Default for IlqrSection {
    fn default() -> Self {
        Self {
            iterations_cold: 50,
            iterations_warm: 20,
            warm_start: true,
            regularisation: 1e-3,
            largest_regularisation: 1e6,
            line_search_steps: 8,
        }
    }
}

/// Checks the parameters of all these planners.
pub(super) fn check(planner: &PlannerSection, check: &mut Check<'_>) {
    let cem = &planner.cem;
    let mppi = &planner.mppi;
    for (name, iterations, samples, elites, initial_std, min_std) in [
        (
            "cem",
            cem.iterations,
            cem.samples,
            cem.elites,
            cem.initial_std,
            cem.min_std,
        ),
        (
            "mppi",
            mppi.iterations,
            mppi.samples,
            mppi.elites,
            mppi.initial_std,
            mppi.min_std,
        ),
    ] {
        let field = |key: &str| format!("planner.{name}.{key}");
        check.at_least(&field("iterations"), iterations, 1);
        check.within(&field("samples"), f64::from(samples), 2.0, 100_000.0);
        if elites < 1 || elites > samples {
            check.error(
                &field("elites"),
                &format!("expected 1 to samples ({samples}), found {elites}"),
            );
        }
        check.positive(&field("initial_std"), initial_std);
        check.not_negative(&field("min_std"), min_std);
    }
    check.positive("planner.mppi.gamma", mppi.gamma);

    let gd = &planner.shooting_gd;
    let gn = &planner.shooting_gn;
    let ilqr = &planner.ilqr;
    for (field, count) in [
        ("planner.shooting_gd.iterations_cold", gd.iterations_cold),
        ("planner.shooting_gd.iterations_warm", gd.iterations_warm),
        ("planner.shooting_gd.multiplier_every", gd.multiplier_every),
        (
            "planner.shooting_gd.rollout_every_iterations",
            gd.rollout_every_iterations,
        ),
        ("planner.shooting_gn.iterations_cold", gn.iterations_cold),
        ("planner.shooting_gn.iterations_warm", gn.iterations_warm),
        (
            "planner.shooting_gn.rollout_every_iterations",
            gn.rollout_every_iterations,
        ),
        ("planner.ilqr.iterations_cold", ilqr.iterations_cold),
        ("planner.ilqr.iterations_warm", ilqr.iterations_warm),
        ("planner.ilqr.line_search_steps", ilqr.line_search_steps),
    ] {
        check.at_least(field, count, 1);
    }
    for (field, value) in [
        ("planner.shooting_gd.learning_rate", gd.learning_rate),
        (
            "planner.shooting_gd.action_multiplier",
            gd.action_multiplier,
        ),
        ("planner.shooting_gd.multiplier_rate", gd.multiplier_rate),
        ("planner.shooting_gd.tolerance", gd.tolerance),
        ("planner.shooting_gn.damping", gn.damping),
        (
            "planner.shooting_gn.action_multiplier",
            gn.action_multiplier,
        ),
        ("planner.ilqr.regularisation", ilqr.regularisation),
    ] {
        check.positive(field, value);
    }
    check.within(
        "planner.ilqr.largest_regularisation",
        ilqr.largest_regularisation,
        ilqr.regularisation,
        1e12,
    );
}
