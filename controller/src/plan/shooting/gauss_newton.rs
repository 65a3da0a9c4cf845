//! Shooting GN: Gauss-Newton on the actions, by LatCo's own solver with dynamics that do not give.
//!
//! With all defects 0 and a multiplier of the dynamics so large that defects stay 0, the step of the
//! reduced solver is the Gauss-Newton step of the same sum of squares over the actions alone. After
//! each step the states are rolled out again.

use latco_models::Bundle;

use super::super::batch::Batch;
use super::super::budget::Cut;
use super::super::contract::PlanRequest;
use super::super::engine::Engine;
use super::super::noise::Noise;
use super::super::report::StopCause;
use super::super::rollout::PriorSteps;
use super::super::solution::PlanSizes;
use super::super::warm_start::Shift;
use super::method::{Method, Schedule};
use crate::config::{Config, Optimiser, PlannerKind, ShootingGnSection, SolverKind};
use crate::error::SetupError;
use crate::trace::IterationTrace;

/// Multiplier of the dynamics: a change of a defect costs this much more than one of an action.
const STIFF: f32 = 1e6;

/// Gauss-Newton steps on LatCo's sum of squares.
pub(in crate::plan) struct GaussNewton {
    settings: ShootingGnSection,
    action_size: usize,
    action_limit: f32,
    engine: Engine,
    batch: Batch,
    prior: PriorSteps,
    noise: Noise,
}

impl Method for GaussNewton {
    const KIND: PlannerKind = PlannerKind::ShootingGn;

    fn make(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
    ) -> Result<(Self, Schedule), SetupError> {
        let settings = config.planner.shooting_gn.clone();
        let schedule = Schedule {
            warm_start: settings.warm_start,
            iterations_cold: settings.iterations_cold,
            iterations_warm: settings.iterations_warm,
            rollout_every: settings.rollout_every_iterations,
        };
        let mut planner = config.planner.clone();
        planner.latco.optimiser = Optimiser::LevenbergMarquardt;
        planner.latco.solver = SolverKind::Reduced;
        planner.latco.action_multiplier = settings.action_multiplier;
        // The solver's damping is in units of the residuals divided by this.
        let normaliser = f64::from(STIFF).sqrt() + settings.action_multiplier.sqrt() + 1.0;
        planner.latco.damping = 2.0 * settings.damping / (normaliser * normaliser);
        let method = Self {
            settings,
            action_size: sizes.action,
            action_limit: bundle.manifest().action.limit,
            engine: Engine::new(bundle, sizes, &planner, 1)?,
            batch: Batch::new(sizes, 1),
            prior: PriorSteps::new(bundle, sizes)?,
            noise: Noise::new(config.planner.seed),
        };
        Ok((method, schedule))
    }

    fn start(&mut self, _request: &PlanRequest<'_>, shift: Option<Shift>) {
        let plan = self.batch.plan_mut(0);
        if let Some(shift) = shift {
            shift.apply(plan.actions, self.action_size);
            shift.apply(plan.action_limits, 1);
        } else {
            self.noise.fill_uniform(plan.actions, self.action_limit);
            (plan.action_limits).fill(self.settings.action_multiplier as f32);
        }
    }

    fn actions(&self) -> &[f32] {
        &self.batch.actions
    }

    fn improve(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
        _cut: &mut Cut<'_>,
    ) -> Result<(), StopCause> {
        let plan = self.batch.plan_mut(0);
        plan.states[..state.len()].copy_from_slice(state);
        (self.prior.fill(0, plan.states, plan.actions)).map_err(|_| StopCause::ModelFailed)?;
        plan.dynamics.fill(STIFF);
        self.engine.reset();
        self.engine.step(state, &mut self.batch);
        let report = self.engine.outcome(0)?;
        figures.planned_reward = self.engine.rewards(0).iter().sum();
        figures.action_violation_max = report.action_violation_max as f32;
        let (_, nu) = self.batch.multipliers_of(0);
        figures.action_multiplier_mean = nu.iter().sum::<f32>() / nu.len() as f32;
        Ok(())
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
    }
}
