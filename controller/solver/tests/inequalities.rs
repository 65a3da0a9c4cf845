//! Inequalities of plans: satisfied where they can be, at a point that satisfies the Karush-Kuhn-Tucker conditions, and without
//! any effect where they are not active.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::convert::Infallible;

use latco_solver::{
    Alone, BlockTridiagonal, Crew, DenseJacobian, Dims, Inequalities, InequalityRows, Model,
    Multipliers, Plan, Predictions, Reduced, Settings, SetupError, Shape, Slab, Solver, StepReport,
    Trajectories,
};
use proptest::prelude::*;

const DIMS: Dims = Dims {
    stoch: 2,
    deter: 0,
    action: 2,
    horizon: 12,
};
/// Way of a point in a step under the action 1.
const STEP: f64 = 0.2;

/// A point in the plane that is moved by its actions from the origin, and rewarded for being near the goal.
struct Point {
    goal: [f64; 2],
}

impl Point {
    fn dense(&self) -> DenseJacobian<'static, f64> {
        const STATE: [f64; 4 * DIMS.horizon] = repeated([1.0, 0.0, 0.0, 1.0]);
        const ACTION: [f64; 4 * DIMS.horizon] = repeated([STEP, 0.0, 0.0, STEP]);
        DenseJacobian {
            dims: DIMS,
            state: &STATE,
            action: &ACTION,
        }
    }
}

const fn repeated(matrix: [f64; 4]) -> [f64; 4 * DIMS.horizon] {
    let mut all = [0.0; 4 * DIMS.horizon];
    let mut i = 0;
    while i < all.len() {
        all[i] = matrix[i % 4];
        i += 1;
    }
    all
}

impl Model<f64> for Point {
    type Error = Infallible;

    fn dims(&self) -> Dims {
        DIMS
    }

    fn evaluate<C: Crew>(
        &mut self,
        _: &mut C,
        plans: &Trajectories<'_, f64>,
        predictions: &mut Predictions<'_, f64>,
    ) -> Result<(), Infallible> {
        for t in 0..DIMS.horizon {
            let (mut reward, from) = (1.0, 2 * t);
            for axis in 0..2 {
                let i = from + axis;
                predictions.means[i] = plans.states[i] + STEP * plans.actions[i];
                let away = plans.states[i + 2] - self.goal[axis];
                reward -= away * away;
                predictions.gradients[i] = -2.0 * away;
            }
            predictions.rewards[t] = reward;
        }
        Ok(())
    }

    fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, f64>],
        actions: &mut [f64],
    ) {
        self.dense().transpose_product(crew, t, slabs, actions);
    }

    fn product<C: Crew>(&mut self, _: &mut C, t: usize, dz: &[f64], da: &[f64], out: &mut [f64]) {
        self.dense().product(t, dz, da, out);
    }

    fn jacobian(&mut self, b: usize, t: usize, state: &mut [f64], action: &mut [f64]) {
        self.dense().jacobian(b, t, state, action);
    }
}

/// What the point has to keep away from, and the half-plane that it has to stay in.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Middle and radius of a disc.
    disc: ([f64; 2], f64),
    /// Normal and offset: `normal' place <= offset`.
    plane: ([f64; 2], f64),
}

impl Inequalities<f64> for Bounds {
    fn rows(&self) -> usize {
        2
    }

    fn evaluate(&self, actions: &[f64], rows: &mut InequalityRows<'_, f64>) {
        let mut place = [0.0; 2];
        for (t, action) in actions.chunks_exact(2).enumerate() {
            place = [place[0] + STEP * action[0], place[1] + STEP * action[1]];
            let (middle, radius) = self.disc;
            let away = [place[0] - middle[0], place[1] - middle[1]];
            let distance = away[0].hypot(away[1]).max(1e-9);
            let (normal, offset) = self.plane;
            rows.values[2 * t] = radius - distance;
            rows.values[2 * t + 1] = normal[0] * place[0] + normal[1] * place[1] - offset;
            for axis in 0..2 {
                rows.slopes[4 * t + axis] = -STEP * away[axis] / distance;
                rows.slopes[4 * t + 2 + axis] = STEP * normal[axis];
            }
        }
    }
}

/// A plan after many iterations, with the values and multipliers of its inequalities.
struct Solved {
    states: Vec<f64>,
    actions: Vec<f64>,
    report: StepReport,
    values: Vec<f64>,
    multipliers: Vec<f64>,
}

/// Multipliers that stay, so that the problem stays the same, and damping by which undamped Gauss-Newton steps do not overshoot
/// a curved reward for ever.
fn settings() -> Settings {
    Settings {
        learning_rate: 0.0,
        initial_dynamics_multiplier: 100.0,
        initial_action_multiplier: 100.0,
        inequality_weight: 1e3,
        damping: 1e-2,
        ..Settings::default()
    }
}

fn solve(goal: [f64; 2], bounds: Option<&Bounds>, iterations: usize) -> Solved {
    let shape = Shape::of(DIMS).with_inequalities(bounds.map_or(0, Inequalities::rows));
    let arena = vec![f64::NAN; Solver::<f64, Reduced, Vec<f64>>::len(&shape)];
    let mut solver = Solver::<f64, Reduced, _>::new_in(shape, settings(), arena).unwrap();
    let mut model = Point { goal };
    let mut states = vec![0.0; DIMS.states_len()];
    let mut actions = vec![0.0; DIMS.actions_len()];
    let (mut lambda, mut nu) = ([0.0; DIMS.horizon], [0.0; DIMS.horizon]);
    let mut multipliers = Multipliers {
        dynamics: &mut lambda,
        actions: &mut nu,
    };
    multipliers.reset(&settings());
    let mut report = StepReport::default();
    for _ in 0..iterations {
        let mut plan = Plan {
            anchor: &[0.0; 2],
            states: &mut states,
            actions: &mut actions,
            inequalities: bounds.map(|bounds| bounds as &dyn Inequalities<f64>),
            goal: None,
        };
        let stepped = solver.step(&mut model, &mut Alone, &mut plan, &mut multipliers);
        report = stepped.unwrap();
    }
    let (values, of_values) = solver.inequalities(0);
    Solved {
        report,
        values: values.to_vec(),
        multipliers: of_values.to_vec(),
        states,
        actions,
    }
}

/// The minimised sum of squares without the inequalities.
fn cost(goal: [f64; 2], states: &[f64], actions: &[f64]) -> f64 {
    let mut cost = 0.0;
    for t in 0..DIMS.horizon {
        let mut reward = 1.0;
        for i in 2 * t..2 * t + 2 {
            let defect = states[i + 2] - states[i] - STEP * actions[i];
            let excess = (actions[i].abs() - 1.0).max(0.0);
            cost += 100.0 * (defect * defect + excess * excess);
            reward -= (states[i + 2] - goal[i % 2]).powi(2);
        }
        cost += (-reward).exp().ln_1p().powi(2);
    }
    cost
}

/// The slope of the cost by every state but the first, and by every action.
fn slopes(goal: [f64; 2], states: &[f64], actions: &[f64]) -> (Vec<f64>, Vec<f64>) {
    const BY: f64 = 1e-6;
    let both = [states, actions].concat();
    let at = |all: &[f64]| cost(goal, &all[..states.len()], &all[states.len()..]);
    let mut slopes = (0..both.len()).map(|i| {
        let (mut more, mut less) = (both.clone(), both.clone());
        more[i] += BY;
        less[i] -= BY;
        (at(&more) - at(&less)) / (2.0 * BY)
    });
    let of_states = slopes.by_ref().take(states.len()).skip(2).collect();
    (of_states, slopes.collect())
}

fn angle() -> impl Strategy<Value = f64> {
    0.0..std::f64::consts::TAU
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    /// The goal lies beyond a wall that the point has to stay in front of: a convex set, in which the minimum is known by its
    /// conditions.
    #[test]
    fn a_plan_converges_to_a_point_that_satisfies_the_kkt_conditions(
        toward in angle(), far in 0.4..1.5_f64, tilt in -0.6..0.6_f64, wall in 0.1..0.35_f64,
    ) {
        let goal = [far * toward.cos(), far * toward.sin()];
        let normal = [(toward + tilt).cos(), (toward + tilt).sin()];
        let bounds = Bounds { disc: ([9.0, 9.0], 0.1), plane: (normal, wall) };
        let solved = solve(goal, Some(&bounds), 3000);
        let tolerance = settings().inequality_tolerance;
        prop_assert!(solved.report.inequality_violation_max < 0.1 * tolerance, "{:?}", solved.report);
        let (of_states, mut of_actions) = slopes(goal, &solved.states, &solved.actions);
        let mut largest: f64 = 0.0;
        for t in 0..DIMS.horizon {
            let (value, multiplier) = (solved.values[2 * t + 1], solved.multipliers[2 * t + 1]);
            prop_assert!(multiplier >= 0.0 && (multiplier * value).abs() < 1e-3, "{value} {multiplier}");
            prop_assert_eq!(solved.multipliers[2 * t], 0.0, "the disc is far away");
            largest = largest.max(multiplier);
            for i in 0..2 * (t + 1) {
                of_actions[i] += 2.0 * multiplier * STEP * normal[i % 2];
            }
        }
        prop_assert!(largest > 0.0, "the wall holds nothing back");
        let steepest = of_states.iter().chain(&of_actions).fold(0.0_f64, |m, g| m.max(g.abs()));
        prop_assert!(steepest < 1e-2, "slope {steepest}");
    }

    /// A disc between start and goal, which is no convex set: the plan goes round it.
    #[test]
    fn a_plan_keeps_out_of_a_disc_on_its_way(
        toward in angle(), aside in prop_oneof![-0.12..-0.02_f64, 0.02..0.12_f64],
    ) {
        let at = |along: f64, aside: f64| {
            let (sin, cos) = toward.sin_cos();
            [along * cos - aside * sin, along * sin + aside * cos]
        };
        let goal = at(1.4, 0.0);
        let bounds = Bounds { disc: (at(0.7, aside), 0.25), plane: ([1.0, 0.0], 9.0) };
        let free = solve(goal, None, 400);
        let solved = solve(goal, Some(&bounds), 400);
        let violation = solved.report.inequality_violation_max;
        prop_assert!(violation < 2.0 * settings().inequality_tolerance, "{violation}");
        let away = |solved: &Solved| {
            let end = &solved.states[DIMS.states_len() - 2..];
            (end[0] - goal[0]).hypot(end[1] - goal[1])
        };
        prop_assert!(away(&solved) < away(&free) + 0.1, "{} {}", away(&solved), away(&free));
    }

    #[test]
    fn inequalities_that_are_not_active_change_no_bit(toward in angle(), far in 0.4..1.5_f64) {
        let goal = [far * toward.cos(), far * toward.sin()];
        let bounds = Bounds { disc: ([9.0, 9.0], 0.1), plane: ([1.0, 0.0], 9.0) };
        let (without, with) = (solve(goal, None, 60), solve(goal, Some(&bounds), 60));
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&without.states), bits(&with.states));
        prop_assert_eq!(bits(&without.actions), bits(&with.actions));
    }
}

#[test]
fn a_bound_that_cannot_be_kept_leaves_a_finite_plan_and_a_bounded_multiplier() {
    // However the point moves, it is outside by 1.
    let bounds = Bounds {
        disc: ([9.0, 9.0], 0.1),
        plane: ([0.0, 0.0], -1.0),
    };
    let solved = solve([1.0, 0.0], Some(&bounds), 2000);
    assert!(solved.actions.iter().all(|a| a.is_finite()));
    assert!(solved.report.inequality_violation_max == 1.0 && !solved.report.feasible);
    assert!(solved.report.inequality_multiplier_max <= settings().inequality_weight);
}

#[test]
fn the_block_tridiagonal_solver_refuses_inequalities() {
    let shape = Shape::of(DIMS).with_inequalities(1);
    let arena = vec![0.0; Solver::<f64, BlockTridiagonal, Vec<f64>>::len(&shape)];
    let refused = Solver::<f64, BlockTridiagonal, _>::new_in(shape, settings(), arena);
    assert!(matches!(refused, Err(SetupError::Inequalities)));
}
