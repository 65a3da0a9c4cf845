//! The published rule written out densely, independent of the solver: central differences for
//! every derivative, one dense normal-equation solve a step. Makes small golden files.

use std::path::Path;

use latco_reference::reward::head;
use latco_reference::step::prior;
use latco_reference::{Mlp, PriorStep};
pub(crate) use latco_tests::record::Sizes;
use nalgebra::{DMatrix, DVector};
use ndarray::{ArrayD, ArrayView2, IxDyn};
use ndarray_npy::NpzWriter;

/// Arrays of the format by name, with their shapes.
pub(crate) struct Record(pub(crate) Vec<(&'static str, Vec<usize>, Vec<f64>)>);

impl Record {
    pub(crate) fn array(&mut self, name: &str) -> &mut (&'static str, Vec<usize>, Vec<f64>) {
        let mut arrays = self.0.iter_mut();
        arrays
            .find(|(other, ..)| *other == name)
            .expect("an array of the format")
    }

    fn values(&self, name: &str) -> &[f64] {
        &self
            .0
            .iter()
            .find(|(other, ..)| *other == name)
            .expect("an array of the format")
            .2
    }

    /// As the published files: numbers in f32, sizes in i32.
    pub(crate) fn write(&self, path: &Path) {
        let mut npz = NpzWriter::new(std::fs::File::create(path).unwrap());
        for (name, shape, values) in &self.0 {
            let array = ArrayD::from_shape_vec(IxDyn(shape), values.clone()).unwrap();
            if *name == "meta" {
                npz.add_array(*name, &array.mapv(|value| value as i32))
                    .unwrap();
            } else {
                npz.add_array(*name, &array.mapv(|value| value as f32))
                    .unwrap();
            }
        }
        npz.finish().unwrap();
    }
}

fn row(values: &[f64]) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((1, values.len()), values).expect("one row")
}

struct Model {
    sizes: Sizes,
    step: PriorStep<f64>,
    head: Mlp<f64>,
    start: Vec<f64>,
}

impl Model {
    fn new(sizes: Sizes, record: &Record) -> Self {
        let (step, head) = sizes.model(|name| record.values(name));
        Self {
            sizes,
            step,
            head,
            start: record.values("z0").to_vec(),
        }
    }

    /// `mu(z, a)` for `x = [z, a]`.
    fn prior(&self, x: &[f64]) -> Vec<f64> {
        let (state, action) = x.split_at(self.state());
        prior(&self.step, row(state), row(action))
            .mean
            .into_raw_vec_and_offset()
            .0
    }

    fn reward(&self, z: &[f64]) -> f64 {
        head(&self.head, row(z)).0[0]
    }

    /// All residuals of the published problem at a plan `[H + 1, n + na]`.
    fn residuals(&self, plan: &[f64], lambda: &[f64], nu: &[f64]) -> Vec<f64> {
        let (n, width) = (self.state(), self.state() + self.sizes.action);
        let mean = |v: &[f64]| v.iter().map(|x| x.sqrt()).sum::<f64>() / v.len() as f64;
        let scale = 1.0 / (mean(lambda) + mean(nu) + 1.0);
        let z0 = &self.start;
        let mut residuals: Vec<f64> = (0..n).map(|i| 1000.0 * (plan[i] - z0[i])).collect();
        for t in 0..self.sizes.horizon {
            let (now, next) = (&plan[t * width..][..width], &plan[(t + 1) * width..][..n]);
            let mu = self.prior(now);
            residuals.extend((0..n).map(|i| scale * lambda[t].sqrt() * (next[i] - mu[i])));
            let excess = now[n..].iter().map(|a| (a.abs() - 1.0).max(0.0));
            residuals.extend(excess.map(|excess| scale * nu[t].sqrt() * excess));
            residuals.push(scale * (-self.reward(next)).exp().ln_1p());
        }
        residuals
    }

    fn state(&self) -> usize {
        self.sizes.stoch + self.sizes.deter
    }

    /// The plan after one step.
    fn step(&self, plan: &[f64], lambda: &[f64], nu: &[f64], damping: f64) -> Vec<f64> {
        const H: f64 = 1e-6;
        let residual = DVector::from_vec(self.residuals(plan, lambda, nu));
        let mut jacobian = DMatrix::zeros(residual.len(), plan.len());
        let mut moved = plan.to_vec();
        for (i, &value) in plan.iter().enumerate() {
            moved[i] = value + H;
            let above = DVector::from_vec(self.residuals(&moved, lambda, nu));
            moved[i] = value - H;
            let below = DVector::from_vec(self.residuals(&moved, lambda, nu));
            moved[i] = value;
            jacobian.set_column(i, &((above - below) / (2.0 * H)));
        }
        let mut matrix = 2.0 * jacobian.tr_mul(&jacobian);
        for i in 0..plan.len() {
            matrix[(i, i)] += damping;
        }
        let gradient = 2.0 * jacobian.tr_mul(&residual);
        let change = matrix.lu().solve(&gradient).expect("a damped system");
        plan.iter()
            .zip(change.iter())
            .map(|(value, change)| value - change)
            .collect()
    }
}

/// A record of random weights and a random first plan; `number` gives numbers around 0.
pub(crate) fn record(sizes: Sizes, epsilon: f64, mut number: impl FnMut() -> f64) -> Record {
    let (horizon, n) = (sizes.horizon, sizes.dims().state());
    let width = n + sizes.action;
    let damping = f64::from(1e-3_f32);
    let epsilon = f64::from(epsilon as f32);
    let mut record = Record(Vec::new());
    for (name, shape) in sizes.inputs() {
        let scale = match (name, shape.len()) {
            ("plan0", _) => 1.5,
            ("z0", _) | (_, 1) => 0.5,
            _ => 1.5 / (shape[0] as f64).sqrt(),
        };
        let len = shape.iter().product();
        let values = (0..len)
            .map(|_| f64::from((scale * number()) as f32))
            .collect();
        record.0.push((name, shape, values));
    }
    let z0 = record.values("z0").to_vec();
    record.array("plan0").2[..n].copy_from_slice(&z0);

    let mut plan = record.values("plan0").to_vec();
    let (mut lambda, mut nu) = (vec![1.0; horizon], vec![1.0; horizon]);
    let mut outputs: [Vec<f64>; 6] = Default::default();
    let model = Model::new(sizes, &record);
    for _ in 0..sizes.iterations {
        plan = model.step(&plan, &lambda, &nu, damping);
        let rows: Vec<&[f64]> = plan.chunks_exact(width).collect();
        let dynamics: Vec<f64> = rows
            .windows(2)
            .map(|pair| {
                let mu = model.prior(pair[0]);
                mu.iter().zip(pair[1]).map(|(mu, z)| (z - mu).powi(2)).sum()
            })
            .collect();
        let actions: Vec<f64> = rows[..horizon]
            .iter()
            .map(|row| row[n..].iter().map(|a| (a * a - 1.0).max(0.0)).sum())
            .collect();
        let update = |multiplier: &mut f64, violation: &f64| {
            *multiplier *= 1.0 + 0.1 * ((violation + 0.1 * epsilon) / epsilon).log10();
        };
        lambda
            .iter_mut()
            .zip(&dynamics)
            .for_each(|(m, v)| update(m, v));
        nu.iter_mut().zip(&actions).for_each(|(m, v)| update(m, v));
        let rewards: Vec<f64> = rows.iter().map(|row| model.reward(&row[..n])).collect();
        let now = [&plan, &lambda, &nu, &dynamics, &actions, &rewards];
        outputs
            .iter_mut()
            .zip(now)
            .for_each(|(all, now)| all.extend(now));
    }
    for ((name, shape), values) in sizes.outputs().into_iter().zip(outputs) {
        record.0.push((name, shape, values));
    }
    let Sizes {
        stoch,
        deter,
        hidden,
        units,
        action,
        iterations,
        ..
    } = sizes;
    let meta = [stoch, deter, hidden, units, action, horizon, iterations].map(|v| v as f64);
    record.0.push(("meta", vec![7], meta.to_vec()));
    record.0.push(("eps", vec![], vec![epsilon]));
    record.0.push(("damping", vec![], vec![damping]));
    record
}
