//! LatCo by steps of first order: the paper's ablation "no second order" (Rybkin et al. 2021, section
//! 5.4 and appendix B).
//!
//! Adam climbs the Lagrangian, Eq. 8, in states and actions; the multipliers go up by gradient ascent
//! every few iterations:
//!
//! ```text
//! L      = sum_t [ r(z_t) - lambda_t (|z_{t+1} - mu(z_t, a_t)|^2 - eps) - nu_t (|max(0, |a_t| - limit)|^2 - eps) ]
//! lambda = max(0, lambda + rate (|z_{t+1} - mu(z_t, a_t)|^2 - eps)),  nu alike
//! ```

use heapless::Vec as Few;
use latco_controller::config::LatcoSection;
use latco_controller::plan::{
    Anchor, Anytime, Batch, Collocation, OnnxModel, PlanSizes, Planner, Stepper, StopCause,
    Threads, lm,
};
use latco_controller::{Config, SetupError};
use latco_models::{Bundle, RunError};
use latco_solver::{
    Crew, Cut, MAX_PARTS, Model, PlanFault, Predictions, Quantity, Settings, Shape, Slab,
    StepReport, Trajectories,
};

use crate::adam::Adam;
use crate::limits;

/// Step size of Adam, the paper's (appendix B).
const LEARNING_RATE: f32 = 0.05;
/// Number of iterations between updates of the multipliers, the paper's.
const MULTIPLIER_EVERY: u32 = 5;

/// Makes LatCo by such steps, by the settings of `[planner.latco]`.
///
/// # Errors
/// ONNX Runtime's or the solver's reason.
pub(crate) fn make(
    config: &Config,
    bundle: &Bundle,
    sizes: &PlanSizes,
) -> Result<Box<dyn Planner>, SetupError> {
    let (settings, latco) = (lm(config, bundle).settings, &config.planner.latco);
    let stepper = |model: &OnnxModel, shape: Shape| -> Result<Box<dyn Stepper<OnnxModel>>, _> {
        let cut = model.cut(shape.parts);
        Ok(Box::new(FirstOrder::new(shape, cut, settings, latco)))
    };
    let collocation = Collocation::with_stepper(config, bundle, sizes, stepper)?;
    Ok(Box::new(Anytime::new(config, bundle, sizes, collocation)?))
}

/// A stepper that changes several plans by steps of first order.
pub struct FirstOrder {
    shape: Shape,
    settings: Settings,
    multiplier_rate: f32,
    iteration: u32,
    /// Predictions mu(z_t, a_t), then the defects `z_{t+1} - mu(z_t, a_t)`, `[N, H, n]`.
    defects: Vec<f32>,
    /// Rewards along the plans, `[N, H]`.
    rewards: Vec<f32>,
    /// Slopes of the Lagrangian by the states `[N, H, n]` and actions `[N, H, na]`.
    state_slopes: Vec<f32>,
    action_slopes: Vec<f32>,
    state_steps: Vec<Adam>,
    action_steps: Vec<Adam>,
    /// One row for each plan and, behind them, two for each, by parts of the columns.
    rows: Vec<Vec<f32>>,
    cut: Cut,
    /// Slopes of one step by the actions, `[N, na]`.
    pulled: Vec<f32>,
    /// Violations of the dynamics and of the action limits of one plan, `[H]`.
    violations: [Vec<f32>; 2],
    outcomes: Vec<Result<StepReport, PlanFault>>,
}

impl FirstOrder {
    /// Allocates all memory for plans of this shape.
    #[must_use]
    pub fn new(shape: Shape, cut: Cut, settings: Settings, latco: &LatcoSection) -> Self {
        let (plans, dims) = (shape.plans, shape.dims);
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        Self {
            shape,
            settings,
            multiplier_rate: latco.multiplier_rate as f32,
            iteration: 0,
            defects: vec![0.0; plans * h * n],
            rewards: vec![0.0; plans * h],
            state_slopes: vec![0.0; plans * h * n],
            action_slopes: vec![0.0; plans * h * na],
            state_steps: vec![Adam::new(h * n); plans],
            action_steps: vec![Adam::new(h * na); plans],
            rows: (0..cut.parts())
                .map(|part| vec![0.0; 3 * plans * cut.stride(part)])
                .collect(),
            cut,
            pulled: vec![0.0; plans * na],
            violations: [vec![0.0; h], vec![0.0; h]],
            outcomes: vec![Ok(StepReport::default()); plans],
        }
    }

    /// Does one step of all plans from the state `anchor`. A plan whose slopes are not finite is left as it
    /// was.
    ///
    /// # Errors
    /// An error when the model cannot be evaluated; all plans are left as they were.
    fn step_all(
        &mut self,
        model: &mut OnnxModel,
        crew: &mut impl Crew,
        anchor: &[f32],
        batch: &mut Batch,
    ) -> Result<(), RunError> {
        let dims = self.shape.dims;
        for plan in 0..self.shape.plans {
            batch.plan_mut(plan).states[..dims.state()].copy_from_slice(anchor);
        }
        let plans = Trajectories {
            states: &batch.states[..self.shape.plans * dims.states_len()],
            actions: &batch.actions[..self.action_slopes.len()],
        };
        let mut predictions = Predictions {
            means: &mut self.defects,
            rewards: &mut self.rewards,
            gradients: &mut self.state_slopes,
        };
        model.evaluate(crew, &plans, &mut predictions)?;
        self.measure_defects(batch);
        self.pull_back(model, crew, batch);
        self.iteration = self.iteration.saturating_add(1);
        for plan in 0..self.shape.plans {
            self.outcomes[plan] = self.change(plan, batch);
        }
        Ok(())
    }

    /// Turns the predictions into defects.
    fn measure_defects(&mut self, batch: &Batch) {
        let dims = self.shape.dims;
        let of_plan = dims.horizon * dims.state();
        for (plan, defects) in self.defects.chunks_exact_mut(of_plan).enumerate() {
            let next = &batch.states_of(plan)[dims.state()..];
            for (defect, next) in defects.iter_mut().zip(next) {
                *defect = next - *defect;
            }
        }
    }

    /// Takes the pull of the constraints on states and actions off the slopes of the reward.
    fn pull_back(&mut self, model: &mut OnnxModel, crew: &mut impl Crew, batch: &Batch) {
        let (dims, plans) = (self.shape.dims, self.shape.plans);
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        for t in (0..h).rev() {
            let mut slabs: Few<Slab<'_, f32>, MAX_PARTS> = Few::new();
            for (part, memory) in self.rows.iter_mut().enumerate() {
                let (first, width) = (self.cut.first(part), self.cut.width(part));
                let stride = self.cut.stride(part);
                let (rows, states) = memory.split_at_mut(plans * stride);
                for (plan, row) in rows.chunks_exact_mut(stride).enumerate() {
                    let weight = 2.0 * batch.multipliers_of(plan).0[t];
                    let at = (plan * h + t) * n + first;
                    let defects = &self.defects[at..][..width];
                    let slopes = &mut self.state_slopes[at..][..width];
                    for ((row, defect), slope) in row.iter_mut().zip(defects).zip(slopes) {
                        *row = weight * defect;
                        *slope -= *row;
                    }
                }
                // no more parts than MAX_PARTS, see Cut
                let _ = slabs.push(Slab {
                    first,
                    width,
                    stride,
                    rows,
                    states: if t > 0 { states } else { &mut [] },
                });
            }
            model.transpose_product(crew, t, &mut slabs, &mut self.pulled);
            for plan in 0..plans {
                if t > 0 {
                    let at = (plan * h + t - 1) * n;
                    for slab in &slabs {
                        // Row 0 of each plan's two is not written.
                        let pulled = &slab.states[(2 * plan + 1) * slab.stride..][..slab.width];
                        let slopes = &mut self.state_slopes[at + slab.first..][..slab.width];
                        for (slope, pulled) in slopes.iter_mut().zip(pulled) {
                            *slope += pulled;
                        }
                    }
                }
                let nu = batch.multipliers_of(plan).1[t];
                let limit = self.settings.action_limit as f32;
                let at = (plan * h + t) * na;
                let actions = &batch.actions[at..][..na];
                let slopes = &mut self.action_slopes[at..][..na];
                let pulled = &self.pulled[plan * na..][..na];
                for ((slope, action), pulled) in slopes.iter_mut().zip(actions).zip(pulled) {
                    *slope = pulled - limits::pull(*action, limit, nu);
                }
            }
        }
    }

    /// Measures a plan, and changes it and, when it is time, its multipliers.
    fn change(&mut self, plan: usize, batch: &mut Batch) -> Result<StepReport, PlanFault> {
        let dims = self.shape.dims;
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        let limit = self.settings.action_limit as f32;
        let of_states = plan * h * n..(plan + 1) * h * n;
        let of_actions = plan * h * na..(plan + 1) * h * na;
        let state_slopes = &self.state_slopes[of_states.clone()];
        let action_slopes = &self.action_slopes[of_actions];
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if !(finite(state_slopes) && finite(action_slopes)) {
            return Err(PlanFault::NonFinite(Quantity::Step));
        }
        let iterate = batch.plan_mut(plan);
        let [dynamics, actions] = &mut self.violations;
        let defects = self.defects[of_states].chunks_exact(n);
        for (violation, defect) in dynamics.iter_mut().zip(defects) {
            *violation = defect.iter().map(|d| d * d).sum();
        }
        for (violation, action) in actions.iter_mut().zip(iterate.actions.chunks_exact(na)) {
            *violation = limits::violation(action, limit);
        }
        let mut report = StepReport::default();
        let rewards = &self.rewards[plan * h..][..h];
        report.measure(&self.settings, rewards, dynamics, actions, &[]);

        if self.iteration.is_multiple_of(MULTIPLIER_EVERY) {
            let rate = self.multiplier_rate;
            let tolerance = self.settings.dynamics_tolerance as f32;
            for (multiplier, violation) in iterate.dynamics.iter_mut().zip(&*dynamics) {
                limits::raise(multiplier, *violation, tolerance, rate);
            }
            let tolerance = self.settings.action_tolerance as f32;
            let steps = iterate.actions.chunks_exact(na);
            for (multiplier, action) in iterate.action_limits.iter_mut().zip(steps) {
                let violation = limits::squared_excess(action, limit);
                limits::raise(multiplier, violation, tolerance, rate);
            }
        }
        let largest = |multipliers: &[f32]| {
            let largest = multipliers.iter().copied().fold(0.0, f32::max);
            f64::from(largest)
        };
        report.dynamics_multiplier_max = largest(iterate.dynamics);
        report.action_multiplier_max = largest(iterate.action_limits);
        let rate = LEARNING_RATE;
        self.state_steps[plan].climb(rate, &mut iterate.states[n..], state_slopes);
        self.action_steps[plan].climb(rate, iterate.actions, action_slopes);
        Ok(report)
    }
}

impl Stepper<OnnxModel> for FirstOrder {
    fn reset(&mut self) {
        self.iteration = 0;
        for adam in self.state_steps.iter_mut().chain(&mut self.action_steps) {
            adam.reset();
        }
    }

    fn step(
        &mut self,
        model: &mut OnnxModel,
        threads: &mut Threads,
        anchor: Anchor<'_>,
        batch: &mut Batch,
    ) -> Result<(), StopCause> {
        (self.step_all(model, threads, anchor.state, batch)).map_err(|_| StopCause::ModelFailed)
    }

    fn outcome(&self, plan: usize) -> Result<StepReport, StopCause> {
        self.outcomes[plan].map_err(|_| StopCause::NonFinite)
    }

    fn rewards(&self, plan: usize) -> &[f32] {
        let h = self.shape.dims.horizon;
        &self.rewards[plan * h..][..h]
    }
}

#[cfg(test)]
mod tests {
    use latco_export::{RandomSpec, write_random_bundle};
    use latco_models::Bundle;
    use latco_solver::{Alone, Dims};

    use super::*;
    use latco_controller::Config;
    use latco_controller::plan::{Noise, PlanSizes};

    struct Fixture {
        model: OnnxModel,
        optimiser: FirstOrder,
        batch: Batch,
        sizes: PlanSizes,
    }

    /// Two plans of noise, with multipliers that are all different.
    fn fixture(deter: usize) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let spec = RandomSpec {
            image: 32,
            stoch: 4,
            deter,
            hidden: 16,
            horizon: 5,
            ..RandomSpec::keypoint()
        };
        write_random_bundle(folder.path(), &spec, 5).unwrap();
        let bundle = Bundle::load(folder.path(), &Default::default()).unwrap();
        let config = Config::default();
        let sizes = PlanSizes::new(&config, bundle.manifest());
        let dims = Dims {
            stoch: 4,
            deter,
            action: sizes.action,
            horizon: sizes.horizon,
        };
        let shape = Shape::of(dims).with_plans(2);
        let model = OnnxModel::new(&bundle, shape).unwrap();
        let cut = model.cut(shape.parts);
        let optimiser = FirstOrder::new(shape, cut, Settings::default(), &config.planner.latco);
        let mut batch = Batch::new(&sizes, 2);
        let mut noise = Noise::new(3);
        noise.fill(&mut batch.states);
        noise.fill(&mut batch.actions);
        batch.actions.iter_mut().for_each(|action| *action *= 1.3);
        let count = batch.dynamics.len();
        batch.dynamics = (0..count).map(|i| 0.5 + 0.3 * i as f32).collect();
        batch.action_limits = (0..count).map(|i| 2.0 - 0.1 * i as f32).collect();
        Fixture {
            model,
            optimiser,
            batch,
            sizes,
        }
    }

    impl Fixture {
        /// Eq. 8 of one plan, but for the constants.
        fn lagrangian(&mut self, plan: usize) -> f64 {
            let (n, na, h) = (self.sizes.state, self.sizes.action, self.sizes.horizon);
            let anchor = self.batch.states_of(0)[..n].to_vec();
            let mut unchanged = self.batch.clone();
            (self.optimiser)
                .step_all(&mut self.model, &mut Alone, &anchor, &mut unchanged)
                .unwrap();
            let (lambda, nu) = self.batch.multipliers_of(plan);
            let sum = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            (0..h)
                .map(|t| {
                    let step = plan * h + t;
                    let beyond: Vec<f32> = (self.batch.actions[step * na..][..na].iter())
                        .map(|a| limits::excess(*a, 1.0))
                        .collect();
                    f64::from(self.optimiser.rewards[step])
                        - f64::from(lambda[t]) * sum(&self.optimiser.defects[step * n..][..n])
                        - f64::from(nu[t]) * sum(&beyond)
                })
                .sum()
        }
    }

    #[test]
    fn slopes_are_those_of_the_lagrangian() {
        for deter in [12, 0] {
            let mut fixture = fixture(deter);
            let (n, na, h) = (
                fixture.sizes.state,
                fixture.sizes.action,
                fixture.sizes.horizon,
            );
            fixture.lagrangian(0);
            let slopes = fixture.optimiser.state_slopes.clone();
            let by_actions = fixture.optimiser.action_slopes.clone();
            let step = 1e-2;
            let mut check = |plan: usize, is_state: bool, index: usize, found: f32| {
                let mut value = |by: f32| {
                    let iterate = fixture.batch.plan_mut(plan);
                    let values = if is_state {
                        iterate.states
                    } else {
                        iterate.actions
                    };
                    let before = values[index];
                    values[index] += by;
                    let value = fixture.lagrangian(plan);
                    let iterate = fixture.batch.plan_mut(plan);
                    let values = if is_state {
                        iterate.states
                    } else {
                        iterate.actions
                    };
                    values[index] = before;
                    value
                };
                let expected = (value(step) - value(-step)) / f64::from(2.0 * step);
                assert!(
                    (f64::from(found) - expected).abs() < 0.02 * expected.abs().max(1.0),
                    "deter {deter}, plan {plan}, {is_state} {index}: {found} {expected}"
                );
            };
            for plan in 0..2 {
                for index in 0..h * n {
                    check(plan, true, n + index, slopes[plan * h * n + index]);
                }
                for index in 0..h * na {
                    check(plan, false, index, by_actions[plan * h * na + index]);
                }
            }
        }
    }

    #[test]
    fn a_plan_that_is_not_finite_is_left_alone_and_named() {
        let mut fixture = fixture(12);
        let anchor = fixture.batch.states_of(0)[..fixture.sizes.state].to_vec();
        fixture.batch.plan_mut(1).actions[2] = f32::NAN;
        let before = fixture.batch.states_of(1)[anchor.len()..].to_vec();
        let Fixture {
            model,
            optimiser,
            batch,
            ..
        } = &mut fixture;
        optimiser
            .step_all(model, &mut Alone, &anchor, batch)
            .unwrap();
        assert!(optimiser.outcome(0).is_ok());
        assert_eq!(optimiser.outcome(1), Err(StopCause::NonFinite));
        assert_eq!(batch.states_of(1)[anchor.len()..], before);
    }
}
