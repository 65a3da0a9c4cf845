//! The settings of collocation that do not depend on what its states are.

use crate::config::LatcoSection;

use super::super::optimiser::Schedule;
use super::super::starts::Sampling;

/// Settings of a [`super::Collocation`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) schedule: Schedule,
    /// Number of plans that are iterated together when there are fresh starts.
    pub(super) starts: usize,
    /// Number of these plans that start from sampled sequences.
    pub(super) sampled_starts: usize,
    pub(super) sampling: Sampling,
    /// Whether a plan that starts from the previous one samples as well.
    pub(super) warm_sampling: bool,
    /// Multipliers of the dynamics and of the action limits in a plan made from nothing.
    pub(super) first_multipliers: [f32; 2],
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
            warm_sampling: latco.warm_sampling,
            first_multipliers: [
                latco.dynamics_multiplier as f32,
                latco.action_multiplier as f32,
            ],
            tolerance,
            reward_tolerance: latco.reward_tolerance,
        }
    }
}
