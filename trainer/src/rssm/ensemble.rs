//! Heads beside the prior that predict the same from the same, and how much they disagree: little
//! where there are data, more the further a state is from them.
//!
//! Every head predicts the posterior mean of s from h', as the prior does, but starts from other
//! weights and learns from other episodes. Nothing else depends on them, and no gradient of theirs
//! reaches the model. As h' is part of z = [s, h], their disagreement is a function of z alone.

use burn::tensor::Tensor;
use chacha20::ChaCha8Rng;

use super::activation::Activation;
use super::layers::Mlp;
use super::params::{Leaves, Params};
use super::recurrent::Sizes;

/// What the names of the heads' parameters begin with.
pub const PREFIX: &str = "ensemble.";
/// Typical deviation of the prior, `[1, stoch]`: the unit of disagreement. 0 until training ends.
pub const DEVIATION: &str = "ensemble.deviation";
/// Disagreement that counts as far from the data, `[1, 1]`. 0 until training ends.
pub const REFERENCE: &str = "ensemble.reference";
/// Layers of a head.
pub const LAYERS: usize = 2;

/// Name of the parameters of a head.
pub fn head(index: usize) -> String {
    format!("{PREFIX}{index}")
}

/// The heads with the weights of one step.
pub struct Ensemble {
    heads: Vec<Mlp>,
    deviation: Tensor<2>,
    reference: Tensor<2>,
}

impl Ensemble {
    /// Creates the parameters of `count` heads.
    pub fn create(params: &mut Params, sizes: &Sizes, count: usize, rng: &mut ChaCha8Rng) {
        let widths = [sizes.feature(), sizes.hidden, sizes.stoch];
        for index in 0..count {
            Mlp::create(params, &head(index), &widths, rng);
        }
        params.add_zeros(DEVIATION, &[1, sizes.stoch]);
        params.add_zeros(REFERENCE, &[1, 1]);
    }

    /// The heads with these weights.
    pub fn new(leaves: &Leaves, count: usize) -> Self {
        Self {
            heads: (0..count)
                .map(|index| Mlp::new(leaves, &head(index), LAYERS, Activation::Elu))
                .collect(),
            deviation: leaves.get(DEVIATION),
            reference: leaves.get(REFERENCE),
        }
    }

    /// Squared error of the posterior means `[N, stoch]` that the heads predict from h'
    /// `[N, deter]`, sum over the heads. Head k learns from the rows where column k of `shares`
    /// `[N, heads]` is 1 rather than 0. No gradient reaches h' or the means.
    pub fn loss(&self, feature: Tensor<2>, mean: Tensor<2>, shares: &Tensor<2>) -> Tensor<1> {
        let (feature, mean) = (feature.detach(), mean.detach());
        let errors = self.heads.iter().enumerate().map(|(index, head)| {
            let share = shares.clone().narrow(1, index, 1);
            let rows = share.clone().sum().clamp_min(1.0);
            let error = (head.forward(feature.clone()) - mean.clone()).square();
            (error.mean_dim(1) * share).sum() / rows
        });
        errors
            .reduce(|sum, error| sum + error)
            .expect("an ensemble has heads")
    }

    /// Disagreement u of the heads about the s that goes with h' `[N, deter]`: variance over the
    /// heads, in units of the prior's typical variance, mean over the values of s, `[N, 1]`.
    pub fn disagreement(&self, feature: Tensor<2>) -> Tensor<2> {
        let predicted: Vec<Tensor<2>> = (self.heads.iter())
            .map(|head| head.forward(feature.clone()) / self.deviation.clone())
            .collect();
        let count = predicted.len() as f32;
        let sum = predicted.iter().cloned().reduce(|sum, x| sum + x);
        let mean = sum.expect("an ensemble has heads").div_scalar(count);
        let squares = predicted
            .into_iter()
            .map(|x| (x - mean.clone()).square().mean_dim(1));
        let total = squares.reduce(|sum, x| sum + x);
        total.expect("an ensemble has heads").div_scalar(count)
    }

    /// How far from the data, 0 to 1, for h' `[N, deter]`: 1 - 1 / (1 + x^2) with x = u / u_ref,
    /// `[N, 1]`. One half at the reference; the square leaves what is well known alone.
    pub fn distance(&self, feature: Tensor<2>) -> Tensor<2> {
        let x = self.disagreement(feature) / self.reference.clone();
        let near = x.square().add_scalar(1.0).recip();
        near.neg().add_scalar(1.0)
    }
}
