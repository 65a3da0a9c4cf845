//! The solvers against dense f64 solves of the same systems, over random problems.

use std::convert::Infallible;

use latco_solver::{
    Alone, BlockTridiagonal, Crew, DenseJacobian, Dims, Goal, Inequalities, InequalityRows,
    LinearSolver, Model, Multipliers, Plan, Predictions, Reduced, Scalar, Settings, Shape, Slab,
    Solver, StepError, Trajectories,
};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

/// SplitMix64: a seed gives the same problem everywhere.
struct Numbers(u64);

impl Numbers {
    /// Uniform in -1..1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn many(&mut self, len: usize, scale: f64) -> Vec<f64> {
        (0..len).map(|_| scale * self.next()).collect()
    }
}

/// One linearised problem, all in f64 and exactly representable in f32.
#[derive(Debug)]
struct Problem {
    dims: Dims,
    state_jacobians: Vec<f64>,
    action_jacobians: Vec<f64>,
    means: Vec<f64>,
    rewards: Vec<f64>,
    gradients: Vec<f64>,
    states: Vec<f64>,
    actions: Vec<f64>,
    lambda: Vec<f64>,
    nu: Vec<f64>,
    /// Number of inequalities at each step.
    rows: usize,
    inequalities: Vec<f64>,
    inequality_slopes: Vec<f64>,
    /// The state to end in, if there is one.
    goal: Option<Vec<f64>>,
    settings: Settings,
}

/// Weights of the squared distance from the goal, and of the rewards beside it.
const GOAL: (f64, f64) = (0.75, 0.25);

impl Problem {
    fn new(seed: u64, dims: Dims, rows: usize) -> Self {
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        let mut numbers = Numbers(seed);
        let mut many = |len, scale| -> Vec<f64> {
            let values = numbers.many(len, scale).into_iter();
            values.map(|value| f64::from(value as f32)).collect()
        };
        let multipliers = |exponents: Vec<f64>| -> Vec<f64> {
            let values = exponents.into_iter().map(|e| 10_f64.powf(e) as f32);
            values.map(f64::from).collect()
        };
        Self {
            dims,
            // spectral radius near 1: gradients neither vanish nor explode over the horizon
            state_jacobians: many(h * n * n, 1.7 / (n as f64).sqrt()),
            action_jacobians: many(h * n * na, 1.0),
            means: many(h * n, 1.0),
            rewards: many(h, 3.0),
            gradients: many(h * n, 1.0),
            states: many((h + 1) * n, 1.0),
            // a third is outside the limit
            actions: many(h * na, 1.5),
            lambda: multipliers(many(h, 2.0)),
            nu: multipliers(many(h, 2.0)),
            rows,
            // a few are violated
            inequalities: (many(h * rows, 1.0).into_iter().map(|g| g - 0.5)).collect(),
            inequality_slopes: many(h * rows * na, 1.0),
            goal: None,
            settings: Settings {
                inequality_weight: 10.0,
                ..Settings::default()
            },
        }
    }

    /// The problem with a goal, or as it is.
    fn with_goal(self, seed: u64, has_goal: bool) -> Self {
        // all of the state, or a first part of it
        let len = 1 + seed as usize % self.dims.state();
        let values = Numbers(seed ^ 1).many(len, 1.0).into_iter();
        let goal = values.map(|value| f64::from(value as f32)).collect();
        Self {
            goal: has_goal.then_some(goal),
            ..self
        }
    }

    /// Weight of the squared residuals of the rewards.
    fn reward_weight(&self) -> f64 {
        self.goal.as_ref().map_or(1.0, |_| GOAL.1)
    }

    /// The distances of the last state from the goal; none without one.
    fn goal_residuals(&self) -> Vec<f64> {
        let last = &self.states[self.dims.horizon * self.dims.state()..];
        let goal = self.goal.iter().flatten();
        goal.zip(last).map(|(goal, z)| z - goal).collect()
    }

    fn limit_excess(&self, i: usize) -> (f64, f64) {
        let a = self.actions[i];
        ((a.abs() - 1.0).max(0.0), a.signum())
    }

    /// Damping in the units of the squared residuals.
    fn normaliser(&self) -> f64 {
        let mean = |v: &[f64]| v.iter().map(|x| x.sqrt()).sum::<f64>() / v.len() as f64;
        mean(&self.lambda) + mean(&self.nu) + 1.0
    }

    fn damping(&self) -> f64 {
        0.5 * self.settings.damping * self.normaliser().powi(2)
    }

    fn jacobians(&self, t: usize) -> (DMatrix<f64>, DMatrix<f64>) {
        let (n, na) = (self.dims.state(), self.dims.action);
        (
            DMatrix::from_row_slice(n, n, &self.state_jacobians[t * n * n..][..n * n]),
            DMatrix::from_row_slice(n, na, &self.action_jacobians[t * n * na..][..n * na]),
        )
    }

    fn defect(&self, t: usize) -> DVector<f64> {
        let n = self.dims.state();
        DVector::from_fn(n, |i, _| {
            self.states[(t + 1) * n + i] - self.means[t * n + i]
        })
    }

    /// `softplus(-r)` and its derivative by `r`, for the reward of `z_{t+1}`.
    fn reward_residual(&self, t: usize) -> (f64, f64) {
        let r = self.rewards[t];
        ((-r).exp().ln_1p(), -1.0 / (1.0 + r.exp()))
    }

    /// Solves `min |J x + r|^2 + damping |x|^2`, row by row given as (weight, row, residual).
    fn least_squares(&self, size: usize, rows: &[(f64, DVector<f64>, f64)]) -> DVector<f64> {
        let mut jacobian = DMatrix::zeros(rows.len(), size);
        let mut residual = DVector::zeros(rows.len());
        for (i, (weight, row, value)) in rows.iter().enumerate() {
            jacobian
                .row_mut(i)
                .copy_from(&(row.transpose() * weight.sqrt()));
            residual[i] = weight.sqrt() * value;
        }
        let mut matrix = jacobian.tr_mul(&jacobian);
        for i in 0..size {
            matrix[(i, i)] += self.damping();
        }
        let factor = matrix
            .cholesky()
            .expect("damped normal equations are positive definite");
        -factor.solve(&jacobian.tr_mul(&residual))
    }

    /// The reduced solver's step, densely: unknowns `(w, da)`. Returns `dz_1..dz_H`, `da`.
    ///
    /// It is made with the inequalities that are violated before it, and again with those that it would leave violated, four
    /// times at most.
    fn dense_reduced(&self) -> (Vec<f64>, Vec<f64>) {
        let (na, mut active) = (self.dims.action, Vec::new());
        let mut step = (Vec::new(), vec![0.0; self.actions.len()]);
        for _ in 0..4 {
            let value = |i: usize| {
                let slope = self.inequality_slopes[i * na..][..na].iter().cycle();
                let until = (i / self.rows + 1) * na;
                let change = slope.zip(&step.1[..until]).map(|(k, da)| k * da);
                self.inequalities[i] + change.sum::<f64>()
            };
            let new: Vec<bool> = (0..self.inequalities.len())
                .map(|i| value(i) > 0.0)
                .collect();
            if new == active && !step.0.is_empty() {
                break;
            }
            active = new;
            step = self.dense_reduced_with(&active);
        }
        step
    }

    /// The step with these inequalities as equations.
    fn dense_reduced_with(&self, active: &[bool]) -> (Vec<f64>, Vec<f64>) {
        let (h, n, na) = (self.dims.horizon, self.dims.state(), self.dims.action);
        let size = h * (n + na);
        let unit = |i: usize| DVector::from_fn(size, |j, _| f64::from(u8::from(i == j)));
        let mut rows = Vec::new();
        // dz_t as a matrix on the unknowns
        let mut state = DMatrix::zeros(n, size);
        let mut states = Vec::new();
        for t in 0..h {
            let (f, b) = self.jacobians(t);
            let mut next = f * &state;
            next.columns_mut(h * n + t * na, na).copy_from(&b);
            for i in 0..n {
                next[(i, t * n + i)] += 1.0;
                rows.push((self.lambda[t], unit(t * n + i), self.defect(t)[i]));
            }
            for j in 0..na {
                let (excess, sign) = self.limit_excess(t * na + j);
                if excess > 0.0 {
                    rows.push((self.nu[t], unit(h * n + t * na + j) * sign, excess));
                }
            }
            for (i, _) in (active.iter().enumerate()).filter(|(_, active)| **active) {
                if i / self.rows == t {
                    let slope = &self.inequality_slopes[i * na..][..na];
                    let mut row = DVector::zeros(size);
                    for (j, &slope) in slope.iter().cycle().take((t + 1) * na).enumerate() {
                        row[h * n + j] = slope;
                    }
                    let weight = self.settings.inequality_weight;
                    rows.push((weight, row, self.inequalities[i]));
                }
            }
            let (residual, slope) = self.reward_residual(t);
            let gradient = DVector::from_row_slice(&self.gradients[t * n..][..n]) * slope;
            rows.push((self.reward_weight(), next.tr_mul(&gradient), residual));
            states.push(next.clone());
            state = next;
        }
        for (i, residual) in self.goal_residuals().into_iter().enumerate() {
            rows.push((GOAL.0, state.row(i).transpose(), residual));
        }
        let x = self.least_squares(size, &rows);
        let dz = states
            .iter()
            .flat_map(|m| (m * &x).iter().copied().collect::<Vec<_>>());
        (
            dz.collect(),
            x.rows(h * n, h * na).iter().copied().collect(),
        )
    }

    /// The published step, densely: unknowns `(z, a)` with the first state pinned.
    fn dense_published(&self) -> (Vec<f64>, Vec<f64>) {
        let (h, n, na) = (self.dims.horizon, self.dims.state(), self.dims.action);
        let size = (h + 1) * n + h * na;
        let mut rows = Vec::new();
        for i in 0..n {
            let mut row = DVector::zeros(size);
            row[i] = 1.0;
            rows.push(((1000.0 * self.normaliser()).powi(2), row, 0.0));
        }
        for t in 0..h {
            let (f, b) = self.jacobians(t);
            for i in 0..n {
                let mut row = DVector::zeros(size);
                row.rows_mut(t * n, n).copy_from(&-f.row(i).transpose());
                row.rows_mut((h + 1) * n + t * na, na)
                    .copy_from(&-b.row(i).transpose());
                row[(t + 1) * n + i] = 1.0;
                rows.push((self.lambda[t], row, self.defect(t)[i]));
            }
            for j in 0..na {
                let (excess, sign) = self.limit_excess(t * na + j);
                if excess > 0.0 {
                    let mut row = DVector::zeros(size);
                    row[(h + 1) * n + t * na + j] = sign;
                    rows.push((self.nu[t], row, excess));
                }
            }
            let (residual, slope) = self.reward_residual(t);
            let mut row = DVector::zeros(size);
            for i in 0..n {
                row[(t + 1) * n + i] = slope * self.gradients[t * n + i];
            }
            rows.push((self.reward_weight(), row, residual));
        }
        for (i, residual) in self.goal_residuals().into_iter().enumerate() {
            let mut row = DVector::zeros(size);
            row[h * n + i] = 1.0;
            rows.push((GOAL.0, row, residual));
        }
        let x = self.least_squares(size, &rows);
        (
            x.rows(n, h * n).iter().copied().collect(),
            x.rows((h + 1) * n, h * na).iter().copied().collect(),
        )
    }

    /// The step of a solver: `dz_1..dz_H`, `da`.
    fn solve<S: Scalar, L: LinearSolver>(&self) -> (Vec<f64>, Vec<f64>) {
        let cast = |values: &[f64]| values.iter().map(|&v| S::from_f64(v)).collect::<Vec<S>>();
        let n = self.dims.state();
        let mut model = Fixed {
            dims: self.dims,
            state_jacobians: cast(&self.state_jacobians),
            action_jacobians: cast(&self.action_jacobians),
            means: cast(&self.means),
            rewards: cast(&self.rewards),
            gradients: cast(&self.gradients),
        };
        let (mut states, mut actions) = (cast(&self.states), cast(&self.actions));
        let (mut lambda, mut nu) = (cast(&self.lambda), cast(&self.nu));
        let anchor = states[..n].to_vec();
        // any value may be in the arena
        let shape = (Shape::of(self.dims).with_inequalities(self.rows))
            .with_goal(self.goal.as_ref().map_or(0, Vec::len));
        let goal = self.goal.as_deref().map(cast);
        let inequalities = Given {
            rows: self.rows,
            values: cast(&self.inequalities),
            slopes: cast(&self.inequality_slopes),
        };
        let arena = vec![S::from_f64(f64::NAN); Solver::<S, L, Vec<S>>::len(&shape)];
        let mut solver =
            Solver::<S, L, _>::new_in(shape, self.settings, arena).expect("the sizes fit");
        let mut plan = Plan {
            anchor: &anchor,
            states: &mut states,
            actions: &mut actions,
            inequalities: Some(&inequalities),
            goal: goal.as_deref().map(|state| Goal {
                state,
                weight: S::from_f64(GOAL.0),
                reward_weight: S::from_f64(GOAL.1),
            }),
        };
        let mut multipliers = Multipliers {
            dynamics: &mut lambda,
            actions: &mut nu,
        };
        solver
            .step(&mut model, &mut Alone, &mut plan, &mut multipliers)
            .expect("a step from finite numbers");
        let change = |new: &[S], old: &[f64]| {
            new.iter()
                .zip(old)
                .map(|(new, old)| new.to_f64() - old)
                .collect::<Vec<_>>()
        };
        (
            change(&states[n..], &self.states[n..]),
            change(&actions, &self.actions),
        )
    }
}

/// Inequalities that are the same everywhere.
#[derive(Debug)]
struct Given<S> {
    rows: usize,
    values: Vec<S>,
    slopes: Vec<S>,
}

impl<S: Scalar> Inequalities<S> for Given<S> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn evaluate(&self, _: &[S], rows: &mut InequalityRows<'_, S>) {
        rows.values.copy_from_slice(&self.values);
        rows.slopes.copy_from_slice(&self.slopes);
    }
}

/// A model that is the same everywhere.
struct Fixed<S> {
    dims: Dims,
    state_jacobians: Vec<S>,
    action_jacobians: Vec<S>,
    means: Vec<S>,
    rewards: Vec<S>,
    gradients: Vec<S>,
}

impl<S: Scalar> Fixed<S> {
    fn dense(&self) -> DenseJacobian<'_, S> {
        DenseJacobian {
            dims: self.dims,
            state: &self.state_jacobians,
            action: &self.action_jacobians,
        }
    }
}

impl<S: Scalar> Model<S> for Fixed<S> {
    type Error = Infallible;

    fn dims(&self) -> Dims {
        self.dims
    }

    fn evaluate<C: Crew>(
        &mut self,
        _: &mut C,
        _: &Trajectories<'_, S>,
        predictions: &mut Predictions<'_, S>,
    ) -> Result<(), Infallible> {
        predictions.means.copy_from_slice(&self.means);
        predictions.rewards.copy_from_slice(&self.rewards);
        predictions.gradients.copy_from_slice(&self.gradients);
        Ok(())
    }

    fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, S>],
        actions: &mut [S],
    ) {
        self.dense().transpose_product(crew, t, slabs, actions);
    }

    fn product<C: Crew>(&mut self, _: &mut C, t: usize, dz: &[S], da: &[S], out: &mut [S]) {
        self.dense().product(t, dz, da, out);
    }

    fn jacobian(&mut self, b: usize, t: usize, state: &mut [S], action: &mut [S]) {
        self.dense().jacobian(b, t, state, action);
    }
}

/// Largest difference relative to the largest change.
fn distance(found: &(Vec<f64>, Vec<f64>), expected: &(Vec<f64>, Vec<f64>)) -> f64 {
    let relative = |found: &[f64], expected: &[f64]| {
        let scale = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        error.fold(0.0, f64::max) / scale
    };
    relative(&found.0, &expected.0).max(relative(&found.1, &expected.1))
}

fn sizes() -> impl Strategy<Value = Dims> {
    (2..=40_usize, 1..=20_usize, 1..=8_usize, 0.0..1.0_f64).prop_map(
        |(n, horizon, action, share)| {
            let stoch = (share * n as f64) as usize;
            Dims {
                stoch,
                deter: n - stoch,
                action,
                horizon,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_reduced_step_is_the_dense_step(
        seed in any::<u64>(),
        dims in sizes(),
        rows in 0..4_usize,
        has_goal in any::<bool>(),
    ) {
        let problem = Problem::new(seed, dims, rows).with_goal(seed, has_goal);
        let dense = problem.dense_reduced();
        let double = distance(&problem.solve::<f64, Reduced>(), &dense);
        prop_assert!(double < 1e-9, "f64 differs by {double:e}");
        // rounding may decide whether an inequality is active
        if rows == 0 {
            let single = distance(&problem.solve::<f32, Reduced>(), &dense);
            let most = if has_goal { 1e-3 } else { 1e-4 };
            prop_assert!(single < most, "f32 differs by {single:e}");
        }
    }

    #[test]
    fn a_block_tridiagonal_step_is_the_dense_published_step(
        seed in any::<u64>(),
        dims in sizes().prop_filter("dense cost", |d| d.state() * d.horizon < 300),
        has_goal in any::<bool>(),
    ) {
        let problem = Problem::new(seed, dims, 0).with_goal(seed, has_goal);
        let dense = problem.dense_published();
        let double = distance(&problem.solve::<f64, BlockTridiagonal>(), &dense);
        prop_assert!(double < 1e-7, "f64 differs by {double:e}");
    }

    /// A number that is not finite anywhere is an error that leaves plan and multipliers alone.
    #[test]
    fn bad_numbers_change_nothing(
        seed in any::<u64>(),
        place in 0..8_usize,
        bad in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ) {
        let dims = Dims { stoch: 2, deter: 3, action: 2, horizon: 4 };
        let mut p = Problem::new(seed, dims, 0);
        let arrays = [
            &mut p.states, &mut p.actions, &mut p.lambda, &mut p.nu, &mut p.means,
            &mut p.rewards, &mut p.gradients, &mut p.action_jacobians,
        ];
        let array = &mut *arrays.into_iter().nth(place).unwrap();
        let index = seed as usize % array.len();
        array[index] = bad;
        let cast = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        let mut model = Fixed {
            dims,
            state_jacobians: cast(&p.state_jacobians),
            action_jacobians: cast(&p.action_jacobians),
            means: cast(&p.means),
            rewards: cast(&p.rewards),
            gradients: cast(&p.gradients),
        };
        let anchor = [0.0; 5];
        let (mut states, mut actions) = (cast(&p.states), cast(&p.actions));
        states[..5].copy_from_slice(&anchor);
        prop_assume!(states.iter().any(|v| !v.is_finite()) || place > 0);
        let (mut lambda, mut nu) = (cast(&p.lambda), cast(&p.nu));
        let bits = |arrays: [&[f32]; 4]| arrays.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let before = bits([&states, &actions, &lambda, &nu]);
        let shape = Shape::of(dims);
        let arena = vec![0.0; Solver::<f32, Reduced, Vec<f32>>::len(&shape)];
        let mut solver = Solver::<f32, Reduced, _>::new_in(shape, p.settings, arena).unwrap();
        let mut plan = Plan { anchor: &anchor, states: &mut states, actions: &mut actions, inequalities: None, goal: None };
        let mut multipliers = Multipliers { dynamics: &mut lambda, actions: &mut nu };
        let result = solver.step(&mut model, &mut Alone, &mut plan, &mut multipliers);
        prop_assert!(
            matches!(result, Err(StepError::Plan(_))),
            "{result:?}"
        );
        prop_assert_eq!(before, bits([&states, &actions, &lambda, &nu]));
    }
}
