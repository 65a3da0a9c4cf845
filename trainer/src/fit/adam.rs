//! Adam with a limit on the norm of the whole gradient.

use serde::{Deserialize, Serialize};

use crate::rssm::ensemble;
use crate::rssm::params::Params;

/// State of the optimiser for one parameter set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    step: u64,
    first: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
}

/// Settings of one update.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Step size.
    pub learning_rate: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Largest norm of the gradient over all parameters; a larger one is scaled down to it. The
    /// heads of an ensemble, which nothing else depends on, are limited apart from all else.
    pub clip: f32,
}

impl Adam {
    const BETA1: f32 = 0.9;
    const BETA2: f32 = 0.999;

    /// Updates the parameters; returns the norm of the gradient, without the heads of an ensemble,
    /// before it was limited. A gradient that is not finite changes nothing.
    pub fn step(&mut self, params: &mut Params, gradients: &[Vec<f32>], update: Update) -> f32 {
        if self.first.is_empty() {
            let zeros = || gradients.iter().map(|g| vec![0.0; g.len()]).collect();
            (self.first, self.second) = (zeros(), zeros());
        }
        let apart = |name: &str| name.starts_with(ensemble::PREFIX);
        let norm_of = |of_ensemble: bool| {
            let named = params.entries.iter().zip(gradients);
            named
                .filter(|(parameter, _)| apart(&parameter.name) == of_ensemble)
                .flat_map(|(_, gradient)| gradient)
                .map(|g| f64::from(*g) * f64::from(*g))
                .sum::<f64>()
                .sqrt() as f32
        };
        let norms = [norm_of(false), norm_of(true)];
        let norm = norms[0];
        if !norm.is_finite() {
            return norm;
        }
        self.step += 1;
        let scales = norms.map(|norm| {
            if norm > update.clip {
                update.clip / norm
            } else {
                1.0
            }
        });
        let steps = self.step.min(100_000) as i32;
        let rate = update.learning_rate / (1.0 - Self::BETA1.powi(steps));
        let correction = 1.0 / (1.0 - Self::BETA2.powi(steps));
        for (index, parameter) in params.entries.iter_mut().enumerate() {
            let group = usize::from(apart(&parameter.name));
            if !norms[group].is_finite() {
                continue;
            }
            let scale = scales[group];
            let moments = self.first[index].iter_mut().zip(&mut self.second[index]);
            let values = parameter.values.iter_mut().zip(&gradients[index]);
            for ((value, gradient), (first, second)) in values.zip(moments) {
                let gradient = gradient * scale;
                *first = Self::BETA1 * *first + (1.0 - Self::BETA1) * gradient;
                *second = Self::BETA2 * *second + (1.0 - Self::BETA2) * gradient * gradient;
                *value -= rate * *first / ((*second * correction).sqrt() + update.epsilon);
            }
        }
        norm
    }
}

/// Cosine from `first` to `last` over `steps`.
pub fn annealed(first: f64, last: f64, step: usize, steps: usize) -> f32 {
    let done = (step as f64 / steps.max(1) as f64).min(1.0);
    (last + 0.5 * (first - last) * (1.0 + (std::f64::consts::PI * done).cos())) as f32
}
