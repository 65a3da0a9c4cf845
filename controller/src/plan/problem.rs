//! One planning problem with its answer: everything that is needed to solve it again.

use serde::{Deserialize, Serialize};

use super::batch::Iterate;
use super::decisions::Decisions;
use super::goal::GoalSlot;
use super::noise::NoiseState;
use super::report::PlanReport;
use super::solution::{PlanSizes, Solution};
use crate::constraints::Constraints;
use crate::trace::{IterationTrace, PlanTrace};

/// A planning problem, and what the planner made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Sizes of the plan.
    pub sizes: PlanSizes,
    /// The state at the plan's start, `[n]`.
    pub anchor: Vec<f32>,
    /// What the plan had to keep away from.
    pub constraints: Option<Constraints>,
    /// The state that the plan had to end in.
    pub goal: GoalSlot,
    /// Control periods since the start of the previous plan.
    pub elapsed_periods: Option<f64>,
    /// Whether there was a previous plan to start from.
    pub has_previous: bool,
    /// The previous plan before it was shifted; it has no meaning without one.
    pub previous: Iterate,
    /// The position in the noise.
    pub noise: NoiseState,
    /// The clock's decisions.
    pub decisions: Decisions,
    /// The planner's report.
    pub report: PlanReport,
    /// The answer.
    pub solution: Solution,
    /// The iterate that the next plan would have started from.
    pub last: Iterate,
    /// Figures of the iterations, as many as the trace had room for.
    pub iterations: Vec<IterationTrace>,
}

impl Problem {
    /// Makes memory for problems of these sizes, with the figures of up to `iterations` iterations.
    #[must_use]
    pub fn new(sizes: &PlanSizes, iterations: usize) -> Self {
        Self {
            sizes: *sizes,
            anchor: vec![0.0; sizes.state],
            constraints: None,
            goal: GoalSlot::new(sizes),
            elapsed_periods: None,
            has_previous: false,
            previous: Iterate::new(sizes),
            noise: NoiseState::default(),
            decisions: Decisions::default(),
            report: PlanReport::default(),
            solution: Solution::new(sizes),
            last: Iterate::new(sizes),
            iterations: Vec::with_capacity(iterations),
        }
    }

    /// Makes this problem equal to `other`, of the same sizes.
    ///
    /// # Real-time
    /// No allocation while `other` has no more iterations than there is room for.
    pub fn copy_from(&mut self, other: &Self) {
        self.sizes = other.sizes;
        self.anchor.copy_from_slice(&other.anchor);
        self.constraints.clone_from(&other.constraints);
        self.goal.set(other.goal.get());
        self.elapsed_periods = other.elapsed_periods;
        self.has_previous = other.has_previous;
        self.previous.copy_from(&other.previous);
        self.noise = other.noise;
        self.decisions = other.decisions;
        self.report = other.report;
        self.solution.copy_from(&other.solution);
        self.last.copy_from(&other.last);
        self.set_iterations(&other.iterations);
    }

    /// Keeps the figures of a trace, as far as there is room.
    pub(super) fn take_trace(&mut self, trace: &PlanTrace) {
        self.set_iterations(trace.iterations());
    }

    fn set_iterations(&mut self, iterations: &[IterationTrace]) {
        let kept = iterations.len().min(self.iterations.capacity());
        self.iterations.clear();
        self.iterations.extend_from_slice(&iterations[..kept]);
    }

    /// Whether every array has the length that the sizes ask for.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let sizes = &self.sizes;
        let solution = &self.solution;
        self.anchor.len() == sizes.state
            && self.previous.fits(sizes)
            && self.last.fits(sizes)
            && solution.actions.len() == sizes.horizon * sizes.action
            && solution.states.len() == (sizes.horizon + 1) * sizes.state
            && solution.rewards.len() == sizes.horizon
    }

    /// Describes the first value in the answer of `other` that is not the same bit for bit; measured times
    /// are left out.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        let same = |a: &[f32], b: &[f32]| {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len() && pairs.all(|(a, b)| a.to_bits() == b.to_bits())
        };
        for (index, (a, b)) in self.iterations.iter().zip(&other.iterations).enumerate() {
            if !same(&figures(a), &figures(b)) || (a.iteration, a.start) != (b.iteration, b.start) {
                let IterationTrace {
                    iteration, start, ..
                } = a;
                return Some(format!(
                    "iteration {iteration} of start {start} (line {index} of the trace)"
                ));
            }
        }
        let (a, b) = (self, other);
        let parts = [
            (
                "number of traced iterations",
                a.iterations.len() == b.iterations.len(),
            ),
            ("report", a.report == b.report),
            ("actions", same(&a.solution.actions, &b.solution.actions)),
            ("states", same(&a.solution.states, &b.solution.states)),
            ("rewards", same(&a.solution.rewards, &b.solution.rewards)),
            (
                "states of the last iterate",
                same(&a.last.states, &b.last.states),
            ),
            (
                "actions of the last iterate",
                same(&a.last.actions, &b.last.actions),
            ),
            (
                "multipliers",
                same(&a.last.dynamics_multipliers, &b.last.dynamics_multipliers)
                    && same(&a.last.action_multipliers, &b.last.action_multipliers),
            ),
        ];
        let first = parts.iter().find(|(_, equal)| !equal);
        first.map(|(name, _)| (*name).to_owned())
    }
}

/// The figures that are not measured times.
fn figures(trace: &IterationTrace) -> [f32; 8] {
    [
        trace.dynamics_violation_mean,
        trace.dynamics_violation_max,
        trace.action_violation_max,
        trace.dynamics_multiplier_mean,
        trace.dynamics_multiplier_max,
        trace.action_multiplier_mean,
        trace.planned_reward,
        trace.rollout_return,
    ]
}
