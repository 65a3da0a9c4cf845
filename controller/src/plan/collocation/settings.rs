//! The settings of collocation that do not depend on what its states are.

use crate::config::{GaussianLatcoSection, LatcoSection};

use super::super::optimiser::Schedule;
use super::super::starts::Sampling;
use super::super::warm_start::Relaxation;

/// Settings of a [`super::Collocation`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) schedule: Schedule,
    /// Number of plans that are iterated together when there are fresh starts.
    pub(super) starts: usize,
    /// Number of these plans that start from sampled sequences.
    pub(super) sampled_starts: usize,
    pub(super) sampling: Sampling,
    /// The change of the multipliers at a warm start, and their values without one.
    pub(super) relaxation: Relaxation,
    pub(super) tolerance: f64,
    pub(super) reward_tolerance: f64,
    pub(super) stall_iterations: u32,
}

impl From<&LatcoSection> for Settings {
    fn from(latco: &LatcoSection) -> Self {
        Self {
            schedule: Schedule {
                warm_start: latco.warm_start,
                iterations_cold: latco.iterations_cold,
                iterations_warm: latco.iterations_warm,
                value_every: latco.rollout_every_iterations,
                fresh_starts_below_return: Some(latco.starts_below_return),
            },
            starts: latco.starts as usize,
            sampled_starts: latco.sampled_starts as usize,
            sampling: Sampling {
                samples: latco.samples,
                elites: latco.sampling_elites,
                rounds: latco.sampling_rounds,
            },
            relaxation: Relaxation {
                factor: latco.multiplier_relaxation as f32,
                dynamics: latco.dynamics_multiplier as f32,
                action_limits: latco.action_multiplier as f32,
            },
            tolerance: latco.tolerance,
            reward_tolerance: latco.reward_tolerance,
            stall_iterations: latco.stall_iterations,
        }
    }
}

impl From<&GaussianLatcoSection> for Settings {
    fn from(gaussian: &GaussianLatcoSection) -> Self {
        Self {
            schedule: Schedule {
                warm_start: gaussian.warm_start,
                iterations_cold: gaussian.iterations_cold,
                iterations_warm: gaussian.iterations_warm,
                value_every: gaussian.rollout_every_iterations,
                fresh_starts_below_return: Some(gaussian.starts_below_return),
            },
            starts: gaussian.starts as usize,
            sampled_starts: gaussian.sampled_starts as usize,
            sampling: Sampling {
                samples: gaussian.sequences,
                elites: gaussian.sampling_elites,
                rounds: gaussian.sampling_rounds,
            },
            relaxation: Relaxation {
                factor: gaussian.multiplier_relaxation as f32,
                dynamics: gaussian.dynamics_multiplier as f32,
                action_limits: gaussian.action_multiplier as f32,
            },
            tolerance: gaussian.tolerance,
            reward_tolerance: gaussian.reward_tolerance,
            stall_iterations: gaussian.stall_iterations,
        }
    }
}
