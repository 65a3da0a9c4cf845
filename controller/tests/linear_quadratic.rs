//! Every planner on a linear-quadratic problem, whose optimum is known: a bundle of exported graphs
//! with linear dynamics and a reward that is a parabola.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use latco_controller::Time;
use latco_controller::config::{Config, Objective, PlannerKind, SolverKind};
use latco_controller::plan::{self, PlanRequest, PlanSizes, Solution};
use latco_controller::time::FrozenClock;
use latco_controller::trace::PlanTrace;
use latco_export::{RandomSpec, golden, random_weights, write_bundle_of_kind};
use latco_models::{Bundle, DynamicsKind, RewardRange};
use latco_reference::{Activation, Dense, Mlp};
use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2};

/// Positions and velocities in the plane, accelerations, steps.
const N: usize = 4;
const NA: usize = 2;
const H: usize = 8;
/// `z' = F z + B a`: a cart with friction, and a velocity that turns.
const F: [f64; N * N] = [
    1.0, 0.0, 0.3, 0.0, //
    0.0, 1.0, 0.0, 0.3, //
    0.0, 0.0, 0.8, 0.1, //
    0.0, 0.0, -0.1, 0.8,
];
const B: [f64; N * NA] = [0.1, 0.0, 0.0, 0.1, 0.6, 0.0, 0.0, 0.6];
/// `r = -STEEPNESS / 2 |WEIGHTS z - GOAL|^2`: to be at the goal, and slowly.
const WEIGHTS: [f64; N] = [1.0, 1.0, 0.6, 0.6];
const GOAL: [f64; N] = [0.25, -0.2, 0.0, 0.0];
const STEEPNESS: f64 = 2.0;
const START: [f64; N] = [-0.15, 0.1, 0.0, 0.0];

/// An ELU layer is linear in what is above 0: this is added before and taken off behind it.
const ABOVE: f32 = 16.0;
/// A parabola out of ELUs, `elu(x) + elu(-x) = x^2 / 2 - |x|^3 / 6 + ..`, is taken so far down.
const SMALL: f64 = 0.1;

/// The layer `y = matrix x + bias`.
fn dense(matrix: &DMatrix<f64>, bias: f32) -> Dense {
    let (out, inputs) = matrix.shape();
    Dense {
        kernel: Array2::from_shape_fn((inputs, out), |(i, o)| matrix[(o, i)] as f32),
        bias: Array1::from_elem(out, bias),
    }
}

fn bundle(folder: &std::path::Path) -> Bundle {
    let spec = RandomSpec {
        image: 16,
        stoch: N,
        deter: 0,
        hidden: N,
        units: 2 * N,
        action: NA,
        joints: NA,
        horizon: H,
        ..RandomSpec::keypoint()
    };
    let (mut weights, mut metadata) = random_weights(&spec, 1);
    let mut both = DMatrix::zeros(N, N + NA);
    both.columns_mut(0, N)
        .copy_from(&DMatrix::from_row_slice(N, N, &F));
    both.columns_mut(N, NA)
        .copy_from(&DMatrix::from_row_slice(N, NA, &B));
    weights.step.input = dense(&both, ABOVE);
    let same = DMatrix::<f64>::identity(N, N);
    weights.step.prior = dense(&same, 0.0);
    weights.step.prior_mean = dense(&same, -ABOVE);
    // No planner looks at the deviation.
    weights.step.prior_std = dense(&DMatrix::zeros(N, N), 0.0);

    let mut errors = DMatrix::zeros(2 * N, N);
    let mut offsets = Vec::new();
    for i in 0..N {
        for (row, sign) in [(2 * i, SMALL), (2 * i + 1, -SMALL)] {
            errors[(row, i)] = sign * WEIGHTS[i];
            offsets.push((-sign * GOAL[i]) as f32);
        }
    }
    let mut first = dense(&errors, 0.0);
    first.bias = Array1::from_vec(offsets);
    let sum = DMatrix::from_element(1, 2 * N, -STEEPNESS / (SMALL * SMALL));
    weights.reward = Mlp {
        layers: vec![first, dense(&sum, 0.0)],
        activation: Activation::Elu,
    };
    metadata.reward_range = RewardRange {
        low: -100.0,
        high: 1.0,
    };
    let vectors = golden::from_reference(&weights, &metadata, 2, 3).unwrap();
    write_bundle_of_kind(folder, &weights, &metadata, &vectors, DynamicsKind::Dense).unwrap();
    Bundle::load(folder, &Default::default()).unwrap()
}

/// The problem in f64: states are linear in the actions of the whole plan.
struct Exact {
    /// Errors `WEIGHTS z_t - GOAL` without any action, and their derivatives by all actions, t = 1..H.
    errors: Vec<(DVector<f64>, DMatrix<f64>)>,
}

impl Exact {
    fn new() -> Self {
        let f = DMatrix::from_row_slice(N, N, &F);
        let b = DMatrix::from_row_slice(N, NA, &B);
        let weights = DMatrix::from_diagonal(&DVector::from_row_slice(&WEIGHTS));
        let goal = DVector::from_row_slice(&GOAL);
        let mut z = DVector::from_row_slice(&START);
        let mut by_actions = DMatrix::zeros(N, H * NA);
        let errors = (0..H).map(|t| {
            z = &f * &z;
            by_actions = &f * &by_actions;
            let mut own = by_actions.columns_mut(t * NA, NA);
            own += &b;
            (&weights * &z - &goal, &weights * &by_actions)
        });
        Self {
            errors: errors.collect(),
        }
    }

    /// Rewards of a plan, and their gradients.
    fn rewards(&self, actions: &DVector<f64>) -> Vec<(f64, DVector<f64>)> {
        (self.errors.iter())
            .map(|(without, by_actions)| {
                let error = without + by_actions * actions;
                let reward = -0.5 * STEEPNESS * error.norm_squared();
                (reward, by_actions.tr_mul(&error) * -STEEPNESS)
            })
            .collect()
    }

    fn total(&self, actions: &DVector<f64>) -> f64 {
        self.rewards(actions).iter().map(|(reward, _)| reward).sum()
    }

    /// The actions of least `sum_t phi(r_t)`, by Newton steps; `phi` gives the first and the second
    /// derivative.
    fn optimum(&self, phi: impl Fn(f64) -> (f64, f64)) -> DVector<f64> {
        let mut actions = DVector::zeros(H * NA);
        for _ in 0..50 {
            let mut gradient = DVector::zeros(H * NA);
            let mut hessian = DMatrix::zeros(H * NA, H * NA);
            for ((reward, slope), (_, by_actions)) in
                self.rewards(&actions).iter().zip(&self.errors)
            {
                let (first, second) = phi(*reward);
                gradient += first * slope;
                hessian += second * slope * slope.transpose();
                hessian -= first * STEEPNESS * by_actions.tr_mul(by_actions);
            }
            actions -= hessian
                .cholesky()
                .expect("a convex problem")
                .solve(&gradient);
        }
        actions
    }

    /// The plan of the largest sum of rewards.
    fn of_rewards(&self) -> DVector<f64> {
        self.optimum(|_| (-1.0, 0.0))
    }

    /// The plan of the least sum of squares of `softplus(-r)`, which LatCo, Gauss-Newton and iLQR
    /// minimise.
    fn of_squares(&self) -> DVector<f64> {
        self.optimum(|r| {
            let rho = (-r).max(0.0) + (-r.abs()).exp().ln_1p();
            let slope = -1.0 / (1.0 + r.exp());
            let bend = -slope * (1.0 + slope);
            (2.0 * rho * slope, 2.0 * (slope * slope + rho * bend))
        })
    }
}

/// The textbook's recursion for the same: backward for the cost to go `z'Pz / 2 + p'z`, forward with
/// its gains.
fn riccati() -> DVector<f64> {
    let f = DMatrix::from_row_slice(N, N, &F);
    let b = DMatrix::from_row_slice(N, NA, &B);
    let weights = DMatrix::from_diagonal(&DVector::from_row_slice(&WEIGHTS));
    let q = STEEPNESS * weights.tr_mul(&weights);
    let pull = -STEEPNESS * weights.tr_mul(&DVector::from_row_slice(&GOAL));
    let (mut p, mut linear) = (DMatrix::zeros(N, N), DVector::zeros(N));
    let mut gains = Vec::new();
    for _ in 0..H {
        p += &q;
        linear += &pull;
        let inverse = (b.tr_mul(&p) * &b).try_inverse().expect("controllable");
        let gain = -&inverse * b.tr_mul(&p) * &f;
        let offset = -&inverse * b.tr_mul(&linear);
        let closed = &f + &b * &gain;
        linear = closed.tr_mul(&(&p * &b * &offset + &linear));
        p = f.tr_mul(&p) * &closed;
        gains.push((gain, offset));
    }
    let mut z = DVector::from_row_slice(&START);
    let mut actions = DVector::zeros(H * NA);
    for (t, (gain, offset)) in gains.iter().rev().enumerate() {
        let a = gain * &z + offset;
        z = &f * &z + &b * &a;
        actions.rows_mut(t * NA, NA).copy_from(&a);
    }
    actions
}

fn rms(a: &DVector<f64>, b: &DVector<f64>) -> f64 {
    (a - b).norm() / (a.len() as f64).sqrt()
}

#[test]
fn riccati_and_newton_agree_and_the_optimum_is_within_the_limits() {
    let exact = Exact::new();
    let newton = exact.of_rewards();
    assert!(rms(&riccati(), &newton) < 1e-9);
    assert!(newton.amax() < 0.95, "{newton}");
    assert!(exact.of_squares().amax() < 0.95);
}

#[test]
fn the_exported_graphs_are_the_problem() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(folder.path());
    let mut dynamics = bundle.dynamics(1).unwrap();
    let mut reward = bundle.reward(1).unwrap();
    let mut z = DVector::from_row_slice(&START);
    for t in 0..H {
        let a = DVector::from_fn(NA, |j, _| ((t + 3 * j) as f64).sin());
        for (to, from) in dynamics.state_mut().iter_mut().zip(&z) {
            *to = *from as f32;
        }
        for (to, from) in dynamics.action_mut().iter_mut().zip(&a) {
            *to = *from as f32;
        }
        dynamics.run().unwrap();
        let (f, b) = (
            DMatrix::from_row_slice(N, N, &F),
            DMatrix::from_row_slice(N, NA, &B),
        );
        z = &f * &z + &b * &a;
        for (found, expected) in dynamics.mean().iter().zip(&z) {
            assert!((f64::from(*found) - expected).abs() < 1e-5);
        }
        reward.state_mut().copy_from_slice(dynamics.mean());
        reward.run().unwrap();
        let error = (0..N).map(|i| (WEIGHTS[i] * z[i] - GOAL[i]).powi(2));
        let expected = -0.5 * STEEPNESS * error.sum::<f64>();
        let found = f64::from(reward.reward()[0]);
        let allowed = 2e-3 + 0.03 * expected.abs();
        assert!((found - expected).abs() < allowed, "{found} {expected}");
    }
}

/// What a planner has to reach.
struct Case {
    name: &'static str,
    config: Config,
    /// Whether it minimises the sum of squares, or else maximises the sum of rewards.
    squares: bool,
    /// Largest root mean square difference of the actions from its optimum.
    actions: f64,
    /// Largest part of the gain over standing still that is missed.
    regret: f64,
}

fn cases() -> Vec<Case> {
    let case = |name, kind, squares, actions, regret, change: fn(&mut Config)| {
        let mut config = Config::default();
        config.planner.kind = kind;
        let latco = &mut config.planner.latco;
        (latco.starts, latco.sampled_starts) = (1, 0);
        latco.iterations_cold = 1500;
        (latco.tolerance, latco.reward_tolerance) = (1e-6, 0.0);
        latco.damping = 0.1;
        latco.rollout_every_iterations = 1;
        change(&mut config);
        Case {
            name,
            config,
            squares,
            actions,
            regret,
        }
    };
    vec![
        case("latco", PlannerKind::Latco, true, 0.06, 0.01, |_| ()),
        case(
            "latco, block-tridiagonal",
            PlannerKind::Latco,
            true,
            0.02,
            0.005,
            |config| config.planner.latco.solver = SolverKind::BlockTridiagonal,
        ),
        // Its expectation is that of 50 samples, and it comes near slowly.
        case(
            "gaussian_latco",
            PlannerKind::GaussianLatco,
            true,
            0.2,
            0.02,
            |config| {
                let gaussian = &mut config.planner.gaussian_latco;
                gaussian.objective = Objective::ExpectedReward;
                gaussian.tolerance = 1e-6;
                let latco = &mut config.planner.latco;
                (latco.iterations_cold, latco.rollout_every_iterations) = (6000, 20);
            },
        ),
        // Penalties that stay: the dynamics give by slope / (2 lambda), which is the regret. Multipliers
        // that rise by steps of the violation get there far more slowly.
        case(
            "latco_first_order",
            PlannerKind::LatcoFirstOrder,
            false,
            0.05,
            0.015,
            |config| {
                let latco = &mut config.planner.latco;
                (latco.dynamics_multiplier, latco.multiplier_rate) = (30.0, 0.0);
                latco.iterations_cold = 20_000;
            },
        ),
        // Without a least deviation the Gaussian shrinks before it is there.
        case("cem", PlannerKind::Cem, false, 0.03, 0.002, |config| {
            let cem = &mut config.planner.cem;
            (cem.iterations, cem.samples, cem.elites) = (80, 600, 60);
            cem.min_std = 0.02;
        }),
        case("mppi", PlannerKind::Mppi, false, 0.03, 0.002, |config| {
            let cem = &mut config.planner.cem;
            (cem.iterations, cem.samples, cem.elites) = (80, 600, 60);
            cem.min_std = 0.02;
        }),
        case(
            "shooting_gd",
            PlannerKind::ShootingGd,
            false,
            0.02,
            0.002,
            |_| (),
        ),
        // The squares do not vanish at the optimum, so that steps of Gauss-Newton go too far.
        case(
            "shooting_gn",
            PlannerKind::ShootingGn,
            true,
            0.1,
            0.005,
            |config| config.planner.latco.iterations_cold = 3000,
        ),
        case(
            "sampled_gn",
            PlannerKind::SampledGn,
            true,
            0.1,
            0.005,
            |config| config.planner.latco.iterations_cold = 3000,
        ),
        case("ilqr", PlannerKind::Ilqr, true, 0.06, 0.01, |config| {
            config.planner.latco.iterations_cold = 500;
        }),
    ]
}

#[test]
fn every_planner_reaches_the_optimum() {
    latco_baselines::add();
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(folder.path());
    let exact = Exact::new();
    let of_rewards = exact.of_rewards();
    let best = exact.total(&of_rewards);
    let gain = best - exact.total(&DVector::zeros(H * NA));
    let mut kinds = Vec::new();
    let mut missed = Vec::new();
    for case in cases() {
        let sizes = PlanSizes::new(&case.config, bundle.manifest());
        let mut planner = plan::make(&case.config, &bundle, &sizes).unwrap();
        let mut solution = Solution::new(&sizes);
        let mut trace = PlanTrace::with_capacity(5000);
        let state = START.map(|z| z as f32);
        let request = PlanRequest {
            state: &state,
            elapsed_periods: None,
            constraints: None,
            goal: None,
            deadline: None,
            replay: None,
        };
        trace.clear(1, Time(0));
        let report = planner.plan(&request, &FrozenClock(Time(0)), &mut solution, &mut trace);
        let found = DVector::from_iterator(H * NA, solution.actions.iter().map(|&a| a.into()));
        let own = if case.squares {
            exact.of_squares()
        } else {
            of_rewards.clone()
        };
        let (distance, regret) = (rms(&found, &own), (best - exact.total(&found)) / gain);
        eprintln!(
            "{:<25} {:>5} iterations, {:?}: actions off by {distance:.4}, {:.3} % of the gain missed",
            case.name,
            report.iterations,
            report.stop,
            100.0 * regret
        );
        if !(distance < case.actions && regret < case.regret) {
            missed.push(case.name);
        }
        kinds.push(case.config.planner.kind);
    }
    assert!(missed.is_empty(), "{missed:?}");
    // One only draws; the other's noise keeps it from any optimum.
    kinds.extend([PlannerKind::SamplingOnly, PlannerKind::Grasp]);
    assert!(PlannerKind::ALL.iter().all(|kind| kinds.contains(kind)));
}
