//! Dense layers and multi-layer perceptrons over named parameters.

use burn::tensor::Tensor;
use chacha20::ChaCha8Rng;

use super::activation::Activation;
use super::fused::dense;
use super::params::{Leaves, Params};

/// A dense layer, y = activation(x kernel + bias).
#[derive(Clone)]
pub struct Dense {
    kernel: Tensor<2>,
    bias: Tensor<2>,
    activation: Activation,
}

impl Dense {
    /// The layer of the parameters `NAME.kernel` and `NAME.bias`.
    pub fn new(leaves: &Leaves, name: &str, activation: Activation) -> Self {
        Self {
            kernel: leaves.get(&format!("{name}.kernel")),
            bias: leaves.get(&format!("{name}.bias")),
            activation,
        }
    }

    /// x `[N, in]` to `[N, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        dense(x, self.kernel.clone(), self.bias.clone(), self.activation)
    }
}

/// Dense layers with one hidden activation and a linear last layer.
#[derive(Clone)]
pub struct Mlp {
    layers: Vec<Dense>,
}

impl Mlp {
    /// Creates the parameters `NAME.0` .. `NAME.{k - 1}` for widths `[in, hidden.., out]`.
    pub fn create(params: &mut Params, name: &str, widths: &[usize], rng: &mut ChaCha8Rng) {
        for (index, pair) in widths.windows(2).enumerate() {
            params.add_dense(&format!("{name}.{index}"), pair[0], pair[1], rng);
        }
    }

    /// The network of `layers` dense layers called `NAME`.
    pub fn new(leaves: &Leaves, name: &str, layers: usize, hidden: Activation) -> Self {
        let layers = (0..layers)
            .map(|index| {
                let activation = if index + 1 == layers {
                    Activation::Linear
                } else {
                    hidden
                };
                Dense::new(leaves, &format!("{name}.{index}"), activation)
            })
            .collect();
        Self { layers }
    }

    /// x `[N, in]` to `[N, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }
}
