//! Shooting GD: Adam on the actions, multipliers on their limits.

use latco_controller::SetupError;
use latco_controller::config::{Config, ShootingGdSection};
use latco_controller::plan::{Noise, PlanRequest, PlanSizes, Quantum, Schedule, Shift, StopCause};
use latco_controller::trace::IterationTrace;
use latco_models::Bundle;
use latco_solver::updated_multiplier;

use crate::adam::Adam;
use crate::limits;
use crate::method::Method;
use crate::unrolled::Unrolled;

/// Offset in the update of the multipliers, as in LatCo's.
const LOG_OFFSET: f32 = 0.1;

/// Gradient ascent on the sum of the reward head's outputs less `nu_t |max(0, |a_t| - limit)|^2`.
pub struct Descent {
    settings: ShootingGdSection,
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
    fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let settings = config.planner.shooting_gd.clone();
        let len = sizes.horizon * sizes.action;
        Ok(Self {
            settings,
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

    fn schedule(&self) -> Schedule {
        let settings = &self.settings;
        Schedule {
            warm_start: settings.warm_start,
            iterations_cold: settings.iterations_cold,
            iterations_warm: settings.iterations_warm,
            value_every: settings.rollout_every_iterations,
            fresh_starts_below_return: None,
        }
    }

    fn start(&mut self, _request: &PlanRequest<'_>, shift: Option<Shift>) {
        self.adam.reset();
        if let Some(shift) = shift {
            shift.apply(&mut self.actions, self.action_size);
            shift.apply(&mut self.multipliers, 1);
        } else {
            let limit = self.action_limit;
            self.noise.fill_uniform(&mut self.actions, limit);
            self.multipliers
                .fill(self.settings.action_multiplier as f32);
        }
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
        let update = figures
            .iteration
            .is_multiple_of(self.settings.multiplier_every);
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
        let rate = self.settings.learning_rate as f32;
        (self.adam).climb(rate, &mut self.actions, &self.gradient);
    }

    /// The largest violation of the limits over the steps; updates the multipliers if asked to.
    fn violation(&mut self, update: bool) -> f32 {
        let tolerance = self.settings.tolerance as f32;
        let rate = self.settings.multiplier_rate as f32;
        let mut largest = 0.0f32;
        let steps = self.actions.chunks_exact(self.action_size);
        for (multiplier, action) in self.multipliers.iter_mut().zip(steps) {
            let violation = limits::violation(action, self.action_limit);
            largest = largest.max(violation);
            if update {
                *multiplier =
                    updated_multiplier(*multiplier, violation, tolerance, LOG_OFFSET, rate);
            }
        }
        largest
    }
}
