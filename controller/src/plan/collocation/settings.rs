//! The settings of collocation that do not depend on what its states are.

use crate::config::LatcoSection;

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
}

impl Settings {
    /// The settings of `[planner.latco]`, with what `samples` sampled sequences a round and a `tolerance` of its own make of
    /// them.
    pub(super) fn new(latco: &LatcoSection, samples: u32, tolerance: f64) -> Self {
        Self {
            schedule: Schedule {
                fresh_starts_below_return: Some(latco.starts_below_return),
                ..Schedule::new(latco, latco.rollout_every_iterations)
            },
            starts: latco.starts as usize,
            sampled_starts: latco.sampled_starts as usize,
            sampling: Sampling {
                samples,
                rounds: latco.sampling_rounds,
            },
            relaxation: Relaxation {
                factor: latco.multiplier_relaxation as f32,
                dynamics: latco.dynamics_multiplier as f32,
                action_limits: latco.action_multiplier as f32,
            },
            tolerance,
            reward_tolerance: latco.reward_tolerance,
        }
    }
}
