//! A small network that reads true values off what a model knows.

use chacha20::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::fit::adam::{Adam, Update, annealed};
use crate::rssm::activation::Activation;
use crate::rssm::layers::Mlp;
use crate::rssm::params::{Params, tensor, to_vec};

/// Steps and batch of its training.
const STEPS: usize = 1500;
const BATCH: usize = 128;
/// Width of its two hidden layers.
const HIDDEN: usize = 64;

/// A trained probe.
pub(super) struct Probe {
    params: Params,
    inputs: usize,
    /// Mean and deviation of every value that is read.
    scale: Vec<(f32, f32)>,
}

impl Probe {
    /// Learns to read `truths` `[N, outputs]` off `rows` `[N, inputs]`.
    pub(super) fn fit(rows: &[f32], inputs: usize, truths: &[f32], outputs: usize) -> Self {
        let count = truths.len() / outputs;
        let scale: Vec<(f32, f32)> = (0..outputs)
            .map(|j| {
                let column = || {
                    truths
                        .iter()
                        .skip(j)
                        .step_by(outputs)
                        .map(|x| f64::from(*x))
                };
                let mean = column().sum::<f64>() / count as f64;
                let variance = column().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
                (mean as f32, variance.sqrt().max(1e-6) as f32)
            })
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut params = Params::default();
        let widths = [inputs, HIDDEN, HIDDEN, outputs];
        Mlp::create(&mut params, "probe", &widths, &mut rng);
        let mut adam = Adam::default();
        for step in 0..STEPS {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for _ in 0..BATCH {
                let row = rng.random_range(0..count);
                x.extend_from_slice(&rows[row * inputs..][..inputs]);
                let truth = &truths[row * outputs..][..outputs];
                y.extend((truth.iter().zip(&scale)).map(|(x, (mean, std))| (x - mean) / std));
            }
            let leaves = params.leaves(true);
            let output =
                Mlp::new(&leaves, "probe", 3, Activation::Elu).forward(tensor(x, [BATCH, inputs]));
            let loss = (output - tensor::<2>(y, [BATCH, outputs])).square().mean();
            let gradients = leaves.gradients(&mut loss.backward());
            let update = Update {
                learning_rate: annealed(3e-3, 1e-5, step, STEPS),
                epsilon: 1e-8,
                clip: 10.0,
            };
            adam.step(&mut params, &gradients, update);
        }
        Self {
            params,
            inputs,
            scale,
        }
    }

    /// What it reads off `rows` `[N, inputs]`, `[N, outputs]`.
    pub(super) fn read(&self, rows: &[f32]) -> Vec<f32> {
        let count = rows.len() / self.inputs;
        let network = Mlp::new(&self.params.leaves(false), "probe", 3, Activation::Elu);
        let output = to_vec(network.forward(tensor(rows.to_vec(), [count, self.inputs])));
        (output.iter().zip(self.scale.iter().cycle()))
            .map(|(x, (mean, std))| mean + std * x)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_in_the_rows_and_not_what_is_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (mut rows, mut inside, mut outside) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..2000 {
            let row: [f32; 3] = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
            rows.extend(row);
            inside.push(5.0 + row[0] * row[1] + row[2]);
            outside.push(rng.random_range(-1.0f32..1.0));
        }
        let error = |truths: &[f32]| {
            let probe = Probe::fit(&rows[..4500], 3, &truths[..1500], 1);
            let read = probe.read(&rows[4500..]);
            let distance = |(a, b): (&f32, &f32)| f64::from((a - b).abs());
            read.iter().zip(&truths[1500..]).map(distance).sum::<f64>() / 500.0
        };
        assert!(error(&inside) < 0.05, "{}", error(&inside));
        assert!(error(&outside) > 0.3, "{}", error(&outside));
    }
}
