//! The Jacobian of an RSSM in factors against the finite differences of the same RSSM in plain arrays, and its products
//! against its matrices.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use latco_reference::{Activation, Dense, Gru, Mlp, PriorStep, SolverModel};
use latco_solver::{Alone, Dims, Model, Predictions, Scalar, Shape, Slab, Trajectories};
use ndarray::{Array2, NdFloat};

const DIMS: Dims = Dims {
    stoch: 3,
    deter: 18,
    action: 2,
    horizon: HORIZON,
};
const HIDDEN: usize = 7;
const UNITS: usize = 5;
const HORIZON: usize = 6;

/// A number of either kind.
trait Number: Scalar + NdFloat {}

impl<S: Scalar + NdFloat> Number for S {}

/// Weights in the order of their use, plan, rows.
struct Numbers<S>(Vec<S>);

impl<S: Number> Numbers<S> {
    fn new() -> Self {
        let mut state = 1_u64;
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            S::from_f64(((state >> 40) as f64 / (1 << 23) as f64 - 1.0) * 0.6)
        };
        Self((0..4000).map(next).collect())
    }

    fn model(&self, shape: &Shape) -> SolverModel<S> {
        let Dims {
            stoch,
            deter,
            action,
            ..
        } = DIMS;
        let mut left = self.0.iter().copied();
        let mut dense = |inputs: usize, outputs: usize| {
            let kernel = left.by_ref().take(inputs * outputs).collect();
            Dense {
                kernel: Array2::from_shape_vec((inputs, outputs), kernel).unwrap(),
                bias: left.by_ref().take(outputs).collect(),
            }
        };
        let step = PriorStep {
            input: dense(stoch + action, HIDDEN),
            gru: Some(Gru {
                input: dense(HIDDEN, 3 * deter),
                recurrent: dense(deter, 3 * deter),
            }),
            prior: dense(deter, HIDDEN),
            prior_mean: dense(HIDDEN, stoch),
            prior_std: dense(HIDDEN, stoch),
            min_std: S::ZERO,
        };
        let layers = vec![
            dense(DIMS.state(), UNITS),
            dense(UNITS, UNITS),
            dense(UNITS, 1),
        ];
        let activation = Activation::Elu;
        SolverModel::new(step, Mlp { layers, activation }, shape).unwrap()
    }

    /// `[N, H + 1, n]`, `[N, H, na]`
    fn plans(&self, plans: usize) -> (Vec<S>, Vec<S>) {
        let all = &self.0[2500..];
        let states = plans * DIMS.states_len();
        (
            all[..states].to_vec(),
            all[states..][..plans * DIMS.actions_len()].to_vec(),
        )
    }
}

fn shape(plans: usize, parts: usize) -> Shape {
    Shape {
        plans,
        parts,
        ..Shape::of(DIMS)
    }
}

/// Means, rewards and gradients at plans.
struct Outputs<S>(Vec<S>, Vec<S>, Vec<S>);

fn evaluate<S: Number>(model: &mut SolverModel<S>, states: &[S], actions: &[S]) -> Outputs<S> {
    let rows = model.plans() * HORIZON;
    let mut means = vec![S::ZERO; rows * DIMS.state()];
    let (mut rewards, mut gradients) = (vec![S::ZERO; rows], means.clone());
    let plans = Trajectories { states, actions };
    let mut predictions = Predictions {
        means: &mut means,
        rewards: &mut rewards,
        gradients: &mut gradients,
    };
    model
        .evaluate(&mut Alone, &plans, &mut predictions)
        .unwrap();
    Outputs(means, rewards, gradients)
}

/// `F_t`, `B_t` of every step of every plan, and the means.
fn jacobians(plans: usize) -> (Vec<Vec<f64>>, Vec<Vec<f64>>, Vec<f64>) {
    let numbers = Numbers::<f64>::new();
    let shape = shape(plans, 1);
    let mut model = numbers.model(&shape);
    let (z, a) = numbers.plans(plans);
    let Outputs(means, ..) = evaluate(&mut model, &z, &a);
    let n = DIMS.state();
    let (mut all_f, mut all_b) = (Vec::new(), Vec::new());
    for i in 0..plans * HORIZON {
        let (mut f, mut b) = (vec![0.0; n * n], vec![0.0; n * DIMS.action]);
        model.jacobian(i / HORIZON, i % HORIZON, &mut f, &mut b);
        all_f.push(f);
        all_b.push(b);
    }
    (all_f, all_b, means)
}

#[test]
fn jacobians_and_gradients_are_the_finite_differences() {
    const STEP: f64 = 1e-6;
    let numbers = Numbers::<f64>::new();
    let shape = shape(2, 1);
    let mut model = numbers.model(&shape);
    let (z, a) = numbers.plans(2);
    let (n, na) = (DIMS.state(), DIMS.action);
    let (f, b, _) = jacobians(2);
    let Outputs(_, _, gradients) = evaluate(&mut model, &z, &a);
    for column in 0..n + na {
        let [above, below] = [STEP, -STEP].map(|step| {
            let (mut z, mut a) = (z.clone(), a.clone());
            if column < n {
                z.chunks_exact_mut(n).for_each(|z| z[column] += step);
            } else {
                a.chunks_exact_mut(na).for_each(|a| a[column - n] += step);
            }
            evaluate(&mut model, &z, &a)
        });
        for t in 0..2 * HORIZON {
            for i in 0..n {
                let numeric = (above.0[t * n + i] - below.0[t * n + i]) / (2.0 * STEP);
                let own = if column < n {
                    f[t][i * n + column]
                } else {
                    b[t][i * na + column - n]
                };
                assert!(
                    (numeric - own).abs() < 1e-8,
                    "{t} {i} {column}: {numeric} {own}"
                );
            }
            if column < n {
                let numeric = (above.1[t] - below.1[t]) / (2.0 * STEP);
                assert!((numeric - gradients[t * n + column]).abs() < 1e-8);
            }
        }
    }
}

/// Both products against the matrices, at every step (so for every number of rows).
fn products_match<S: Number>(plans: usize, parts: usize, tolerance: f64) {
    let numbers = Numbers::<S>::new();
    let shape = shape(plans, parts);
    let mut model = numbers.model(&shape);
    let (z, a) = numbers.plans(plans);
    let (n, na) = (DIMS.state(), DIMS.action);
    let Outputs(means, ..) = evaluate(&mut model, &z, &a);
    let (f, b, expected_means) = jacobians(plans);
    let close = |found: S, expected: f64| {
        assert!(
            (found.to_f64() - expected).abs() < tolerance,
            "{plans} {parts}: {found:?} {expected}"
        );
    };
    means
        .iter()
        .zip(&expected_means)
        .for_each(|(&found, &expected)| close(found, expected));

    let cut = model.cut(parts);
    assert_eq!(cut.parts(), parts);
    for t in 0..HORIZON {
        let k = HORIZON - t;
        let rows = &numbers.0[7..][..plans * k * n];
        // the rows cut into slabs
        let memory: Vec<Vec<S>> = (0..parts)
            .map(|p| {
                let mut memory = vec![S::ZERO; plans * k * cut.stride(p)];
                for (row, out) in rows.chunks(n).zip(memory.chunks_mut(cut.stride(p))) {
                    out[..cut.width(p)].copy_from_slice(&row[cut.first(p)..][..cut.width(p)]);
                }
                memory
            })
            .collect();
        let mut states: Vec<Vec<S>> = (0..parts)
            .map(|p| vec![S::from_f64(f64::NAN); plans * (k + 1) * cut.stride(p)])
            .collect();
        let mut actions = vec![S::from_f64(f64::NAN); plans * k * na];
        let mut slabs: Vec<Slab<'_, S>> = memory
            .iter()
            .zip(&mut states)
            .enumerate()
            .map(|(p, (rows, states))| Slab {
                first: cut.first(p),
                width: cut.width(p),
                stride: cut.stride(p),
                rows,
                states,
            })
            .collect();
        model.transpose_product(&mut Alone, t, &mut slabs, &mut actions);
        let mut only = vec![S::ZERO; plans * k * na];
        slabs.iter_mut().for_each(|slab| slab.states = &mut []);
        model.transpose_product(&mut Alone, t, &mut slabs, &mut only);
        assert_eq!(only, actions);

        let sum = |r: usize, m: &[f64], width: usize, j: usize| -> f64 {
            (0..n)
                .map(|i| rows[r * n + i].to_f64() * m[i * width + j])
                .sum()
        };
        for r in 0..plans * k {
            let (plan, step) = (r / k, r / k * HORIZON + t);
            for p in 0..parts {
                let out = &states[p][(r + plan + 1) * cut.stride(p)..][..cut.stride(p)];
                for (j, &found) in out[..cut.width(p)].iter().enumerate() {
                    close(found, sum(r, &f[step], n, cut.first(p) + j));
                }
            }
            (0..na).for_each(|j| close(actions[r * na + j], sum(r, &b[step], na, j)));
        }

        let mut out = vec![S::from_f64(f64::NAN); plans * n];
        model.product(&mut Alone, t, &z, &a, &mut out);
        for (i, &found) in out.iter().enumerate() {
            let (plan, i) = (i / n, i % n);
            let step = plan * HORIZON + t;
            let dz = &z[(plan * (HORIZON + 1) + t) * n..][..n];
            let da = &a[step * na..][..na];
            let from_z: f64 = (0..n).map(|j| f[step][i * n + j] * dz[j].to_f64()).sum();
            let from_a: f64 = (0..na).map(|j| b[step][i * na + j] * da[j].to_f64()).sum();
            close(found, from_z + from_a);
        }
    }
}

#[test]
fn products_are_those_of_the_matrices() {
    for plans in [1, 3] {
        for parts in [1, 2, 3] {
            products_match::<f64>(plans, parts, 1e-12);
            products_match::<f32>(plans, parts, 2e-5);
        }
    }
}
