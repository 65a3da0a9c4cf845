//! A hundred thousand solves with random, extreme and undefined inputs: none panics, none gives a
//! number that is not finite, a failed one leaves everything as it was, and every cause of failure
//! is seen. (What the planner makes of them is in `planners.rs`.)

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use latco_reference::{Activation, Dense, Gru, Mlp, PriorStep, SolverModel};
use latco_solver::{
    Alone, BlockTridiagonal, Dims, GruSizes, LinearSolver, Model, Multipliers, Plan, PlanFault,
    Quantity, Reduced, Settings, Shape, Solver, StepError, StepReport,
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};

const SIZES: GruSizes = GruSizes {
    stoch: 2,
    deter: 4,
    action: 2,
    hidden: 5,
};
const UNITS: usize = 3;
const DIMS: Dims = Dims {
    stoch: SIZES.stoch,
    deter: SIZES.deter,
    action: SIZES.action,
    horizon: HORIZON,
};
const HORIZON: usize = 5;
const SOLVES: usize = 100_000;
const STEPS: usize = 3;
/// Solves that share a model.
const PER_MODEL: usize = 20;

/// Random numbers, mostly tame, some extreme, some undefined.
struct Numbers(ChaCha8Rng);

impl Numbers {
    fn uniform(&mut self) -> f64 {
        self.0.random_range(-1.0..1.0)
    }

    fn one_in(&mut self, odds: u32) -> bool {
        self.0.random_range(0..odds) == 0
    }

    /// A positive number: half of the time within a factor of 100 of 1, else of any magnitude.
    fn magnitude(&mut self, exponent: f64) -> f64 {
        let tame = self.one_in(2);
        10_f64.powf(self.uniform() * if tame { 2.0 } else { exponent })
    }

    /// One value, seldom infinite, undefined, 0 or the largest there is.
    fn value(&mut self, scale: f64) -> f32 {
        if !self.one_in(3000) {
            return (scale * self.uniform()) as f32;
        }
        let extremes = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 0.0];
        extremes[self.0.random_range(0..extremes.len())]
    }

    fn values(&mut self, len: usize, scale: f64) -> Vec<f32> {
        (0..len).map(|_| self.value(scale)).collect()
    }

    fn settings(&mut self) -> Settings {
        let mut positive = |exponent| self.magnitude(exponent).clamp(1e-38, 1e38);
        let mut settings = Settings {
            dynamics_tolerance: positive(20.0),
            action_tolerance: positive(20.0),
            damping: 1e-3 * positive(30.0),
            action_limit: positive(10.0),
            ..Settings::default()
        };
        if self.one_in(4) {
            settings.learning_rate = self.magnitude(1.0).min(0.9);
        }
        settings
    }
}

/// A model of these weights, in the order of their use.
fn model(all: &[f32], shape: &Shape) -> SolverModel<f32> {
    let GruSizes {
        stoch,
        deter,
        action,
        hidden,
    } = SIZES;
    let mut left = all.iter().copied();
    let mut dense = |inputs: usize, outputs: usize| {
        let kernel = left.by_ref().take(inputs * outputs).collect();
        Dense {
            kernel: Array2::from_shape_vec((inputs, outputs), kernel).unwrap(),
            bias: left.by_ref().take(outputs).collect(),
        }
    };
    let step = PriorStep {
        input: dense(stoch + action, hidden),
        gru: Some(Gru {
            input: dense(hidden, 3 * deter),
            recurrent: dense(deter, 3 * deter),
        }),
        prior: dense(deter, hidden),
        prior_mean: dense(hidden, stoch),
        prior_std: dense(hidden, stoch),
        min_std: 0.1,
    };
    let layers = vec![
        dense(stoch + deter, UNITS),
        dense(UNITS, UNITS),
        dense(UNITS, 1),
    ];
    let activation = Activation::Elu;
    SolverModel::new(step, Mlp { layers, activation }, shape).unwrap()
}

/// The plan of one solve.
#[derive(Clone, PartialEq)]
struct Numeric {
    states: Vec<f32>,
    actions: Vec<f32>,
    dynamics: Vec<f32>,
    limits: Vec<f32>,
}

impl Numeric {
    fn new(numbers: &mut Numbers, dims: &Dims) -> Self {
        let (states, actions) = (numbers.magnitude(25.0), numbers.magnitude(25.0));
        let (dynamics, limits) = (numbers.magnitude(36.0), numbers.magnitude(36.0));
        let mut positive = |scale| -> Vec<f32> {
            let values = numbers.values(dims.horizon, scale).into_iter();
            values.map(|v| v.abs().max(f32::MIN_POSITIVE)).collect()
        };
        let (dynamics, limits) = (positive(dynamics), positive(limits));
        Self {
            states: numbers.values(dims.states_len(), states),
            actions: numbers.values(dims.actions_len(), actions),
            dynamics,
            limits,
        }
    }

    fn is_finite(&self) -> bool {
        let arrays = [&self.states, &self.actions, &self.dynamics, &self.limits];
        arrays.into_iter().flatten().all(|v| v.is_finite())
    }

    fn bits(&self) -> Vec<u32> {
        let arrays = [&self.states, &self.actions, &self.dynamics, &self.limits];
        arrays.into_iter().flatten().map(|v| v.to_bits()).collect()
    }
}

fn is_finite(report: &StepReport) -> bool {
    [
        report.dynamics_violation_max,
        report.dynamics_violation_mean,
        report.action_violation_max,
        report.action_violation_mean,
        report.reward_sum,
        report.reward_cost,
        report.step_rms,
        report.dynamics_multiplier_max,
        report.action_multiplier_max,
    ]
    .iter()
    .all(|value| value.is_finite())
}

/// A few steps of one plan; counts how each ended.
fn solve<L: LinearSolver, M: Model<f32>>(
    numbers: &mut Numbers,
    model: &mut M,
    arena: &mut [f32],
    seen: &mut BTreeMap<String, usize>,
) {
    let dims = DIMS;
    let settings = numbers.settings();
    arena.fill(f32::NAN); // nothing may depend on what was there
    let mut solver = Solver::<f32, L, _>::new_in(Shape::of(dims), settings, arena).unwrap();
    let mut plan = Numeric::new(numbers, &dims);
    let scale = numbers.magnitude(25.0);
    let anchor = numbers.values(dims.state(), scale);
    for _ in 0..STEPS {
        let before = plan.clone();
        let stepped = solver.step(
            model,
            &mut Alone,
            &mut Plan {
                anchor: &anchor,
                states: &mut plan.states,
                actions: &mut plan.actions,
                inequalities: None,
                goal: None,
            },
            &mut Multipliers {
                dynamics: &mut plan.dynamics,
                actions: &mut plan.limits,
            },
        );
        let name = match stepped {
            Ok(report) => {
                assert!(plan.is_finite(), "{settings:?}: a plan that is not finite");
                assert!(is_finite(&report), "{settings:?}: {report:?}");
                assert!(plan.dynamics.iter().chain(&plan.limits).all(|m| *m > 0.0));
                "stepped".to_owned()
            }
            Err(error) => {
                // Row 0 of the states belongs to the solver.
                let n = dims.state();
                let (mut now, mut then) = (plan.clone(), before);
                now.states[..n].fill(0.0);
                then.states[..n].fill(0.0);
                assert_eq!(now.bits(), then.bits(), "a failed step changes nothing");
                match error {
                    StepError::Plan(PlanFault::NotPositiveDefinite { stage }) => {
                        assert!(stage <= HORIZON);
                        "not positive definite".to_owned()
                    }
                    StepError::Plan(PlanFault::NonFinite(quantity)) => {
                        format!("not finite: {quantity:?}")
                    }
                    other => unreachable!(
                        "neither the model nor the layout can fail: {}",
                        kind(&other)
                    ),
                }
            }
        };
        let failed = name != "stepped";
        *seen.entry(name).or_default() += 1;
        if failed {
            return;
        }
    }
}

fn kind<E>(error: &StepError<E>) -> &'static str {
    match error {
        StepError::Model(_) => "model",
        StepError::Layout(_) => "layout",
        StepError::Plan(_) => "plan",
    }
}

#[test]
fn a_hundred_thousand_solves_never_panic_and_never_give_what_is_not_finite() {
    let mut numbers = Numbers(ChaCha8Rng::seed_from_u64(4));
    let shape = Shape::of(DIMS);
    let mut reduced = vec![0.0; Solver::<f32, Reduced, &mut [f32]>::len(&shape)];
    let mut tridiagonal = vec![0.0; Solver::<f32, BlockTridiagonal, &mut [f32]>::len(&shape)];
    let mut seen = [BTreeMap::new(), BTreeMap::new()];
    for _ in 0..SOLVES / PER_MODEL {
        let scale = numbers.magnitude(12.0);
        let mut all = numbers.values(400, scale);
        if !numbers.one_in(10) {
            // Most models are sound, only large or small.
            all.iter_mut()
                .for_each(|w| *w = if w.is_finite() { *w } else { 1.0 });
        }
        let mut model = model(&all, &shape);
        for number in 0..PER_MODEL {
            if number % 2 == 0 {
                solve::<Reduced, _>(&mut numbers, &mut model, &mut reduced, &mut seen[0]);
            } else {
                solve::<BlockTridiagonal, _>(
                    &mut numbers,
                    &mut model,
                    &mut tridiagonal,
                    &mut seen[1],
                );
            }
        }
    }
    println!("reduced {:?}\nblock tridiagonal {:?}", seen[0], seen[1]);
    let quantities = [
        Quantity::Plan,
        Quantity::Means,
        Quantity::Rewards,
        Quantity::Step,
        Quantity::Multipliers,
    ];
    for seen in &seen {
        let count = |name: &str| seen.get(name).copied().unwrap_or(0);
        assert!(count("stepped") > SOLVES / 10);
        assert!(count("not positive definite") > 100);
        for quantity in quantities {
            assert!(
                count(&format!("not finite: {quantity:?}")) > 10,
                "{quantity:?}"
            );
        }
    }
}
