//! Shooting GD: Adam on the actions, multipliers on their limits.

use latco_controller::SetupError;
use latco_controller::config::Config;
use latco_controller::plan::{Goal, Noise, PlanRequest, PlanSizes, Quantum, Shift, StopCause};
use latco_controller::trace::IterationTrace;
use latco_models::Bundle;
use latco_solver::updated_multiplier;

use crate::adam::Adam;
use crate::limits;
use crate::method::Method;
use crate::unrolled::Unrolled;

/// Step size of Adam, the paper's (appendix D).
const LEARNING_RATE: f32 = 0.05;
/// Number of iterations between updates of the multipliers, the paper's.
const MULTIPLIER_EVERY: u32 = 5;
/// Initial value, rate, offset and tolerance of the multipliers of the action limits, those of LatCo.
const ACTION_MULTIPLIER: f32 = 1.0;
const MULTIPLIER_RATE: f32 = 0.1;
const LOG_OFFSET: f32 = 0.1;
const TOLERANCE: f32 = 1e-4;

/// Gradient ascent on the sum of the reward head's outputs less `nu_t |max(0, |a_t| - limit)|^2`.
pub struct Descent {
    action_size: usize,
    action_limit: f32,
    unrolled: Unrolled,
    noise: Noise,
    /// Actions of the plan, `[H, na]`.
    actions: Vec<f32>,
    /// Multipliers of the action limits, nu, `[H]`.
    multipliers: Vec<f32>,
    /// Gradient by the actions, `[H, na]`.
    gradient: Vec<f32>,
    adam: Adam,
    /// Weights of the rewards, all 1, `[H]`.
    weights: Vec<f32>,
}

impl Method for Descent {
    /// As often as LatCo's candidates.
    const VALUE_EVERY: u32 = 10;

    fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let len = sizes.horizon * sizes.action;
        Ok(Self {
            action_size: sizes.action,
            action_limit: bundle.manifest().action.limit,
            unrolled: Unrolled::new(bundle, sizes)?,
            noise: Noise::new(config.planner.seed),
            actions: vec![0.0; len],
            multipliers: vec![0.0; sizes.horizon],
            gradient: vec![0.0; len],
            adam: Adam::new(len),
            weights: vec![1.0; sizes.horizon],
        })
    }

    fn start(&mut self, _request: &PlanRequest<'_>, shift: Option<Shift>) {
        self.adam.reset();
        if let Some(shift) = shift {
            shift.apply(&mut self.actions, self.action_size);
            shift.apply(&mut self.multipliers, 1);
        } else {
            let limit = self.action_limit;
            self.noise.fill_uniform(&mut self.actions, limit);
            self.multipliers.fill(ACTION_MULTIPLIER);
        }
    }

    fn set_goal(&mut self, goal: Option<&Goal>) {
        self.unrolled.set_goal(goal);
    }

    fn actions(&self) -> &[f32] {
        &self.actions
    }

    fn improve(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
        _quantum: &mut Quantum<'_>,
    ) -> Result<(), StopCause> {
        (self.unrolled.roll(state, &self.actions)).map_err(|_| StopCause::ModelFailed)?;
        figures.planned_reward = self.unrolled.rewards().iter().sum();
        self.unrolled.pull_back(&self.weights, &mut self.gradient);
        let slope: f32 = self.gradient.iter().sum();
        if !(figures.planned_reward.is_finite() && slope.is_finite()) {
            return Err(StopCause::NonFinite);
        }
        self.climb();
        let update = figures.iteration.is_multiple_of(MULTIPLIER_EVERY);
        figures.action_violation_max = self.violation(update);
        let nu = &self.multipliers;
        figures.action_multiplier_mean = nu.iter().sum::<f32>() / nu.len() as f32;
        Ok(())
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
    }
}

impl Descent {
    /// Does a step of Adam.
    fn climb(&mut self) {
        for (index, slope) in self.gradient.iter_mut().enumerate() {
            let action = self.actions[index];
            let nu = self.multipliers[index / self.action_size];
            *slope -= limits::pull(action, self.action_limit, nu);
        }
        (self.adam).climb(LEARNING_RATE, &mut self.actions, &self.gradient);
    }

    /// The largest violation of the limits over the steps; updates the multipliers if asked to.
    fn violation(&mut self, update: bool) -> f32 {
        let mut largest = 0.0f32;
        let steps = self.actions.chunks_exact(self.action_size);
        for (multiplier, action) in self.multipliers.iter_mut().zip(steps) {
            let violation = limits::violation(action, self.action_limit);
            largest = largest.max(violation);
            if update {
                *multiplier = updated_multiplier(
                    *multiplier,
                    violation,
                    TOLERANCE,
                    LOG_OFFSET,
                    MULTIPLIER_RATE,
                );
            }
        }
        largest
    }
}
