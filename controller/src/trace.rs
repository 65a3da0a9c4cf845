//! What was decided and why, kept in preallocated memory: the figures of every iteration of the
//! newest plan, for plots and reports.

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::time::Time;

/// Figures of one planner iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IterationTrace {
    /// Number of the iteration, from 1.
    pub iteration: u32,
    /// Number of the start that was iterated, from 0.
    pub start: u32,
    /// Time from the planner's start to the end of this iteration, by the planner's clock, in ms.
    pub elapsed_ms: f32,
    /// Mean over the steps of the squared dynamics violation `|z' - mu(z, a)|^2` (LatCo).
    pub dynamics_violation_mean: f32,
    /// The largest squared dynamics violation of the steps, `|z' - mu(z, a)|^2` (LatCo).
    pub dynamics_violation_max: f32,
    /// The largest action violation `max(0, a^2 - 1)` summed over an action (LatCo).
    pub action_violation_max: f32,
    /// Mean multiplier of the dynamics, lambda (LatCo).
    pub dynamics_multiplier_mean: f32,
    /// The largest multiplier of the dynamics (LatCo).
    pub dynamics_multiplier_max: f32,
    /// Mean multiplier of the actions, nu (LatCo).
    pub action_multiplier_mean: f32,
    /// Sum of the rewards to expect in the planned states, each within 0..1 (LatCo), or the mean
    /// return of the elites (CEM).
    pub planned_reward: f32,
    /// Clipped return of the plan's actions rolled out through the model; NaN where it was not
    /// evaluated.
    pub rollout_return: f32,
}

/// The iterations of one plan.
#[derive(Clone, Debug, Default)]
pub struct PlanTrace {
    /// Number of the plan.
    pub plan: u64,
    /// Time at which the planner began, by its clock.
    pub began: Time,
    iterations: Vec<IterationTrace>,
    dropped: u32,
}

impl PlanTrace {
    /// Makes a trace with room for the plans of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self::with_capacity(Self::lines(config))
    }

    /// The number of lines, one an iteration of each start, that a plan by this configuration may have: all of latent
    /// collocation, but at least 256 for the other planners, and no more than 16,384 (a megabyte) where time alone ends plans.
    #[must_use]
    pub fn lines(config: &Config) -> usize {
        let latco = &config.planner.latco;
        let lines = latco.iterations_cold.saturating_mul(latco.starts);
        lines.clamp(256, 16_384) as usize
    }

    /// Makes a trace with room for `capacity` iterations; more are counted and left out.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            plan: 0,
            began: Time(0),
            iterations: Vec::with_capacity(capacity),
            dropped: 0,
        }
    }

    /// Forgets the last plan.
    pub fn clear(&mut self, plan: u64, began: Time) {
        self.plan = plan;
        self.began = began;
        self.iterations.clear();
        self.dropped = 0;
    }

    /// Notes one iteration; counts it only when the memory is full.
    pub fn push(&mut self, iteration: IterationTrace) {
        if self.iterations.len() < self.iterations.capacity() {
            self.iterations.push(iteration);
        } else {
            self.dropped += 1;
        }
    }

    /// The iterations, oldest first.
    #[must_use]
    pub fn iterations(&self) -> &[IterationTrace] {
        &self.iterations
    }

    /// Number of iterations for which there was no room.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Makes this trace equal to `other` as far as there is room, without allocating.
    pub fn copy_from(&mut self, other: &PlanTrace) {
        self.clear(other.plan, other.began);
        for iteration in other.iterations() {
            self.push(*iteration);
        }
        self.dropped += other.dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_trace_counts_what_it_drops() {
        let mut trace = PlanTrace::with_capacity(2);
        for iteration in 1..=5 {
            trace.push(IterationTrace {
                iteration,
                ..Default::default()
            });
        }
        assert_eq!(trace.iterations().len(), 2);
        assert_eq!(trace.dropped(), 3);
        let mut copy = PlanTrace::with_capacity(2);
        copy.copy_from(&trace);
        assert_eq!(copy.iterations(), trace.iterations());
        assert_eq!(copy.dropped(), 3);
    }
}
