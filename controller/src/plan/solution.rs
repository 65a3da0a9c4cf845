//! Plans as a planner finds them, and with their times as the executor follows them.

use std::time::Duration;

use latco_models::Manifest;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::time::Time;

/// Sizes of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSizes {
    /// Number of steps that the planner decides, H.
    pub horizon: usize,
    /// Number of steps before them that are committed.
    pub lead: usize,
    /// Length of a state, n.
    pub state: usize,
    /// Length of an action, na.
    pub action: usize,
    /// Number of elements of a state that a goal is compared in, n; 0 without goals.
    pub goal: usize,
}

impl PlanSizes {
    /// The sizes of the plans that a controller with this configuration makes with a bundle.
    #[must_use]
    pub fn new(config: &Config, manifest: &Manifest) -> Self {
        Self {
            horizon: manifest.dims.horizon,
            lead: config.control.lead_periods as usize,
            state: manifest.dims.state(),
            action: manifest.dims.action,
            goal: match config.goal.weight > 0.0 {
                true => manifest.dims.state(),
                false => 0,
            },
        }
    }
}

/// The solution that a planner finds, in preallocated memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Solution {
    /// Actions in normalised units inside the limit, `[H, na]`.
    pub actions: Vec<f32>,
    /// Planned states `[H + 1, n]`; row 0 is the state asked for.
    pub states: Vec<f32>,
    /// Predicted rewards under `actions` (rollout through the prior), `[H]`.
    pub rewards: Vec<f32>,
    /// Sum of `rewards`, each within the range of the reward.
    pub predicted_return: f32,
}

impl Solution {
    /// Makes a solution of zeros.
    #[must_use]
    pub fn new(sizes: &PlanSizes) -> Self {
        Self {
            actions: vec![0.0; sizes.horizon * sizes.action],
            states: vec![0.0; (sizes.horizon + 1) * sizes.state],
            rewards: vec![0.0; sizes.horizon],
            predicted_return: 0.0,
        }
    }

    /// Sets it to no motion at all in `state` `[n]`: the answer if nothing better is found.
    pub(crate) fn stand_still(&mut self, state: &[f32]) {
        self.actions.fill(0.0);
        self.rewards.fill(0.0);
        for row in self.states.chunks_exact_mut(state.len()) {
            row.copy_from_slice(state);
        }
        self.predicted_return = 0.0;
    }

    /// Makes this solution equal to `other`, of the same sizes, without allocating.
    pub fn copy_from(&mut self, other: &Self) {
        self.actions.copy_from_slice(&other.actions);
        self.states.copy_from_slice(&other.states);
        self.rewards.copy_from_slice(&other.rewards);
        self.predicted_return = other.predicted_return;
    }

    /// Whether every number is finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let all = |values: &[f32]| values.iter().all(|v| v.is_finite());
        all(&self.actions) && all(&self.states) && all(&self.rewards)
    }
}

/// A time-stamped plan in preallocated memory, as the executor follows it.
///
/// Action `t` applies from `start + t * period` for one period. The first `lead` actions were
/// committed before the plan was made: they are what the robot does while the planner thinks.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of the plan, counted from 1 for each controller; 0 means that there is none yet.
    pub number: u64,
    /// Stamp of the image that the plan is based on.
    pub stamp: Time,
    /// Time at which the first action applies.
    pub start: Time,
    /// Control period.
    pub period: Duration,
    /// Time until which the plan may be followed.
    pub valid_until: Time,
    /// Whether the planner gave up after repeated failures, so that the robot has to stop.
    pub abandoned: bool,
    /// Number of the clock's time line that its times belong to; a clock that jumps begins another one.
    pub timeline: u64,
    /// Actions in normalised units inside the limit, `[L, na]`, L = lead + H.
    pub actions: Vec<f32>,
    /// Imagined states `[L + 1, n]`; row 0 is the belief of the image.
    pub states: Vec<f32>,
    /// Predicted rewards of the states after the committed actions, under the plan's actions
    /// (rollout through the prior), `[H]`.
    pub rewards: Vec<f32>,
    /// Sum of `rewards`, each within the range of the reward, by which plans are compared.
    pub predicted_return: f32,
    lead: usize,
    action_size: usize,
    state_size: usize,
}

impl Plan {
    /// Makes an empty plan.
    #[must_use]
    pub fn new(sizes: &PlanSizes, period: Duration) -> Self {
        let steps = sizes.horizon + sizes.lead;
        Self {
            number: 0,
            stamp: Time(0),
            start: Time(0),
            period,
            valid_until: Time(0),
            abandoned: false,
            timeline: 0,
            actions: vec![0.0; steps * sizes.action],
            states: vec![0.0; (steps + 1) * sizes.state],
            rewards: vec![0.0; sizes.horizon],
            predicted_return: 0.0,
            lead: sizes.lead,
            action_size: sizes.action,
            state_size: sizes.state,
        }
    }

    /// Number of all steps, L: the committed ones and the H planned ones.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.lead + self.rewards.len()
    }

    /// Number of steps that were committed before the plan was made.
    #[must_use]
    pub fn lead(&self) -> usize {
        self.lead
    }

    /// Length of a state, n.
    #[must_use]
    pub fn state_size(&self) -> usize {
        self.state_size
    }

    /// Length of an action, na.
    #[must_use]
    pub fn action_size(&self) -> usize {
        self.action_size
    }

    /// The action of step `step`, `[na]`.
    #[must_use]
    pub fn action(&self, step: usize) -> &[f32] {
        &self.actions[step * self.action_size..(step + 1) * self.action_size]
    }

    /// The imagined state at step `step`, `[n]`.
    #[must_use]
    pub fn state(&self, step: usize) -> &[f32] {
        &self.states[step * self.state_size..(step + 1) * self.state_size]
    }

    /// The step whose action applies at `time`; `None` before the start, after the last step, after the
    /// validity, or when there is no plan.
    #[must_use]
    pub fn step_at(&self, time: Time) -> Option<usize> {
        if self.number == 0 || time < self.start || time >= self.valid_until {
            return None;
        }
        let step = (time.0 - self.start.0) / (self.period.as_nanos().max(1) as i64);
        (step < self.steps() as i64).then_some(step as usize)
    }

    /// The end of the last step.
    #[must_use]
    pub fn end(&self) -> Time {
        self.start + self.period * self.steps() as u32
    }

    /// Makes this plan equal to `other`, of the same sizes, without allocating.
    pub fn copy_from(&mut self, other: &Plan) {
        self.number = other.number;
        self.stamp = other.stamp;
        self.start = other.start;
        self.period = other.period;
        self.valid_until = other.valid_until;
        self.abandoned = other.abandoned;
        self.timeline = other.timeline;
        self.actions.copy_from_slice(&other.actions);
        self.states.copy_from_slice(&other.states);
        self.rewards.copy_from_slice(&other.rewards);
        self.predicted_return = other.predicted_return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_picked_by_time() {
        let sizes = PlanSizes {
            horizon: 2,
            lead: 1,
            state: 2,
            action: 1,
            goal: 0,
        };
        let mut plan = Plan::new(&sizes, Duration::from_millis(100));
        assert_eq!(plan.step_at(Time(0)), None, "there is no plan");
        plan.number = 1;
        plan.start = Time::from_seconds(1.0);
        plan.valid_until = plan.end();
        assert_eq!(plan.step_at(Time::from_seconds(0.999)), None);
        assert_eq!(plan.step_at(Time::from_seconds(1.0)), Some(0));
        assert_eq!(plan.step_at(Time::from_seconds(1.099)), Some(0));
        assert_eq!(plan.step_at(Time::from_seconds(1.1)), Some(1));
        assert_eq!(plan.step_at(Time::from_seconds(1.299)), Some(2));
        assert_eq!(plan.step_at(Time::from_seconds(1.3)), None);
        plan.valid_until = Time::from_seconds(1.15);
        assert_eq!(plan.step_at(Time::from_seconds(1.2)), None, "not valid");
    }
}
