//! Records of the published solver: which arrays they have, and the model that these describe.

use latco_reference::{Activation, Dense, Gru, Mlp, PriorStep};
use latco_solver::Dims;
use ndarray::{Array1, Array2};

/// The sizes of a record.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Stochastic part of a state, ns.
    pub stoch: usize,
    /// Deterministic part of a state, nd.
    pub deter: usize,
    /// Width of the dense layers of the prior step.
    pub hidden: usize,
    /// Width of the layers of the reward head.
    pub units: usize,
    /// Actions, na.
    pub action: usize,
    /// Steps of a plan, H.
    pub horizon: usize,
    /// Recorded iterations.
    pub iterations: usize,
}

impl Sizes {
    /// The sizes of a plan.
    #[must_use]
    pub fn dims(&self) -> Dims {
        Dims {
            stoch: self.stoch,
            deter: self.deter,
            action: self.action,
            horizon: self.horizon,
        }
    }

    /// The arrays that the solver starts from, weights and plan, with their shapes.
    #[must_use]
    pub fn inputs(&self) -> Vec<(&'static str, Vec<usize>)> {
        let &Self {
            stoch,
            deter,
            hidden,
            units,
            action,
            horizon,
            ..
        } = self;
        let (n, width) = (stoch + deter, stoch + deter + action);
        vec![
            ("rssm/img1/kernel", vec![stoch + action, hidden]),
            ("rssm/img1/bias", vec![hidden]),
            ("rssm/img2/kernel", vec![deter, hidden]),
            ("rssm/img2/bias", vec![hidden]),
            ("rssm/img3/kernel", vec![hidden, 2 * stoch]),
            ("rssm/img3/bias", vec![2 * stoch]),
            ("rssm/gru/kernel", vec![hidden, 3 * deter]),
            ("rssm/gru/recurrent_kernel", vec![deter, 3 * deter]),
            ("rssm/gru/bias", vec![2, 3 * deter]),
            ("reward/h0/kernel", vec![n, units]),
            ("reward/h0/bias", vec![units]),
            ("reward/h1/kernel", vec![units, units]),
            ("reward/h1/bias", vec![units]),
            ("reward/hout/kernel", vec![units, 1]),
            ("reward/hout/bias", vec![1]),
            ("z0", vec![n]),
            ("plan0", vec![horizon + 1, width]),
        ]
    }

    /// The arrays of what the solver made of each iteration, with their shapes.
    #[must_use]
    pub fn outputs(&self) -> Vec<(&'static str, Vec<usize>)> {
        let (iterations, horizon) = (self.iterations, self.horizon);
        let width = self.stoch + self.deter + self.action;
        vec![
            ("plans", vec![iterations, horizon + 1, width]),
            ("lam", vec![iterations, horizon]),
            ("nu", vec![iterations, horizon]),
            ("dyn_viol", vec![iterations, horizon]),
            ("act_viol", vec![iterations, horizon]),
            ("reward", vec![iterations, horizon + 1]),
        ]
    }

    /// The prior step and the reward head of a record, whose arrays `values` gives row-major.
    ///
    /// # Panics
    /// If an array has another length than [`Sizes::inputs`] says.
    pub fn model<'a>(
        &self,
        values: impl Fn(&'static str) -> &'a [f64],
    ) -> (PriorStep<f64>, Mlp<f64>) {
        let dense = |kernel: &[f64], bias: &[f64]| {
            let shape = (kernel.len() / bias.len(), bias.len());
            Dense {
                kernel: Array2::from_shape_vec(shape, kernel.to_vec())
                    .expect("a kernel has a row for each input"),
                bias: Array1::from(bias.to_vec()),
            }
        };
        let layer = |kernel, bias| dense(values(kernel), values(bias));
        let (input_bias, recurrent_bias) = values("rssm/gru/bias").split_at(3 * self.deter);
        let [prior_mean, prior_std] = layer("rssm/img3/kernel", "rssm/img3/bias").halves();
        let step = PriorStep {
            input: layer("rssm/img1/kernel", "rssm/img1/bias"),
            gru: Some(Gru {
                input: dense(values("rssm/gru/kernel"), input_bias),
                recurrent: dense(values("rssm/gru/recurrent_kernel"), recurrent_bias),
            }),
            prior: layer("rssm/img2/kernel", "rssm/img2/bias"),
            prior_mean,
            prior_std,
            // Planning is by means; records have no least deviation.
            min_std: 0.0,
        };
        let reward = Mlp {
            layers: vec![
                layer("reward/h0/kernel", "reward/h0/bias"),
                layer("reward/h1/kernel", "reward/h1/bias"),
                layer("reward/hout/kernel", "reward/hout/bias"),
            ],
            activation: Activation::Elu,
        };
        (step, reward)
    }
}
