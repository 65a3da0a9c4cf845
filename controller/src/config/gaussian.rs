//! Parameters of Gaussian LatCo: section 3.4, appendices B and C of the paper.

use serde::{Deserialize, Serialize};

use super::validate::Check;

/// What counts of a reward that is uncertain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The mean over the samples of the cost that the solver minimises, the squared softplus residual of section 4: the
    /// reward that is certain and costs as much stands for it. Losses count, large wins hardly do, so that a small
    /// error in how likely a win is changes little.
    #[default]
    ExpectedCost,
    /// The mean reward.
    ExpectedReward,
}

/// `[planner.gaussian_latco]`: as `[planner.latco]`, with a Gaussian for every state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianLatcoSection {
    /// Iterations of a plan made from nothing, and of one with fresh starts.
    pub iterations_cold: u32,
    /// Whether plans start from the previous one; without, each is made from nothing.
    pub warm_start: bool,
    /// Iterations of a plan that starts from the previous one.
    pub iterations_warm: u32,
    /// What counts of a reward that is uncertain. With a logit as reward head it is the mean probability, whatever this
    /// says.
    pub objective: Objective,
    /// Samples of every state, K of Algorithm 3; in pairs that mirror each other.
    pub samples: u32,
    /// Plans that are started and iterated together when there is no previous plan, or it
    /// promises too little; the best by expected return is kept. With a previous plan one of them is
    /// that plan, shifted.
    pub starts: u32,
    /// So many of the fresh starts are the best of sampled action sequences by expected return, the others noise.
    pub sampled_starts: u32,
    /// Action sequences that are sampled a round.
    pub sequences: u32,
    /// Samples of every state of a sampled sequence; in pairs that mirror each other.
    pub sequence_samples: u32,
    /// Rounds of sampling, each around the best of the one before, as far as half of the budget allows.
    pub sampling_rounds: u32,
    /// How many of the best a round keeps.
    pub sampling_elites: u32,
    /// While the shifted plan's expected return is below this, fresh starts are made beside it.
    pub starts_below_return: f64,
    /// Standard deviation of every state of a plan that starts from noise.
    pub initial_std: f64,
    /// Factor on the standard deviations that the model predicts: 0 plans for the mean state as `latco` does.
    pub std_scale: f64,
    /// Initial multiplier of the dynamics, lambda_0.
    pub dynamics_multiplier: f64,
    /// Initial multiplier of the action limits, nu_0.
    pub action_multiplier: f64,
    /// Violation that is aimed at, epsilon; of the means and of the deviations.
    pub tolerance: f64,
    /// Rate of the multiplier update, alpha of Eq. 10.
    pub multiplier_rate: f64,
    /// Damping of the Levenberg-Marquardt step.
    pub damping: f64,
    /// Factor on the multipliers at each warm start, as in `[planner.latco]`.
    pub multiplier_relaxation: f64,
    /// A plan counts as converged when the violations are below the tolerance and the summed expected
    /// reward changes by less than this between iterations.
    pub reward_tolerance: f64,
    /// Iterations without a better plan after which the solve stops as stalled.
    pub stall_iterations: u32,
    /// Every so many iterations (and at the last) the plan's clipped actions are valued in expectation;
    /// the best by that return is executed.
    pub rollout_every_iterations: u32,
}

impl Default for GaussianLatcoSection {
    fn default() -> Self {
        Self {
            iterations_cold: 50,
            warm_start: true,
            iterations_warm: 20,
            objective: Objective::ExpectedCost,
            samples: 50,
            starts: 2,
            sampled_starts: 1,
            sequences: 64,
            sequence_samples: 10,
            sampling_rounds: 4,
            sampling_elites: 12,
            starts_below_return: 1.0,
            initial_std: 1.0,
            std_scale: 1.0,
            dynamics_multiplier: 1.0,
            action_multiplier: 1.0,
            tolerance: 1e-2,
            multiplier_rate: 0.1,
            damping: 1e-3,
            multiplier_relaxation: 1.0,
            reward_tolerance: 1e-4,
            stall_iterations: 1000,
            rollout_every_iterations: 10,
        }
    }
}

/// Checks these parameters.
pub(super) fn check(section: &GaussianLatcoSection, check: &mut Check<'_>) {
    let field = |key: &str| format!("planner.gaussian_latco.{key}");
    for (key, count) in [
        ("iterations_cold", section.iterations_cold),
        ("iterations_warm", section.iterations_warm),
        ("stall_iterations", section.stall_iterations),
        ("rollout_every_iterations", section.rollout_every_iterations),
    ] {
        check.at_least(&field(key), count, 1);
    }
    check.within(&field("samples"), f64::from(section.samples), 2.0, 1000.0);
    check.within(&field("starts"), f64::from(section.starts), 1.0, 64.0);
    let sequences = f64::from(section.sequences);
    let sampled = f64::from(section.sampled_starts);
    let starts = f64::from(section.starts);
    check.within(&field("sampled_starts"), sampled, 0.0, starts);
    check.within(&field("sequences"), sequences, sampled.max(1.0), 10_000.0);
    let samples = f64::from(section.sequence_samples);
    check.within(&field("sequence_samples"), samples, 2.0, 1000.0);
    let elites = f64::from(section.sampling_elites);
    check.within(&field("sampling_elites"), elites, 1.0, sequences);
    let rounds = f64::from(section.sampling_rounds);
    check.within(&field("sampling_rounds"), rounds, 1.0, 1000.0);
    check.within(
        &field("starts_below_return"),
        section.starts_below_return,
        0.0,
        1e6,
    );
    check.within(
        &field("multiplier_relaxation"),
        section.multiplier_relaxation,
        0.0,
        1.0,
    );
    for (key, value) in [
        ("dynamics_multiplier", section.dynamics_multiplier),
        ("action_multiplier", section.action_multiplier),
        ("tolerance", section.tolerance),
        ("damping", section.damping),
    ] {
        check.positive(&field(key), value);
    }
    for (key, value) in [
        ("initial_std", section.initial_std),
        ("std_scale", section.std_scale),
        ("multiplier_rate", section.multiplier_rate),
        ("reward_tolerance", section.reward_tolerance),
    ] {
        check.not_negative(&field(key), value);
    }
}
