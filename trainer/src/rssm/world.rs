//! The world model of the two-stage recipe: recurrent core and heads on an image code.

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::fused::Activation;
use super::layers::Mlp;
use super::params::{Leaves, Params};
use super::recurrent::{Core, Sizes};

/// Sizes of core and heads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorldSizes {
    /// The recurrent core.
    pub core: Sizes,
    /// Width of the image code that is predicted; 0 if images are (PlaNet).
    pub code: usize,
    /// Values of joint states that are predicted; 0 without joints.
    pub joints: usize,
    /// Width of the hidden layers of the heads.
    pub units: usize,
}

/// Core and heads with the weights of one step.
pub struct World {
    /// Sizes.
    pub sizes: WorldSizes,
    /// Prior and posterior.
    pub core: Core,
    code: Option<Mlp>,
    joints: Option<Mlp>,
    reward: Mlp,
}

/// Predictions for rows of states.
pub struct Predictions {
    /// Image code, `[N, code]`.
    pub code: Option<Tensor<2>>,
    /// Normalised joints, `[N, joints]`.
    pub joints: Option<Tensor<2>>,
    /// Reward or its logit, `[N, 1]`.
    pub reward: Tensor<2>,
}

impl World {
    /// Creates the parameters (`core.*`, `code.*`, `joints.*`, `reward.*`).
    pub fn create(params: &mut Params, sizes: &WorldSizes, rng: &mut ChaCha8Rng) {
        Core::create(params, &sizes.core, rng);
        let state = sizes.core.stoch + sizes.core.deter;
        if sizes.code > 0 {
            let widths = [state, sizes.units, sizes.units, sizes.code];
            Mlp::create(params, "code", &widths, rng);
        }
        if sizes.joints > 0 {
            Mlp::create(params, "joints", &[state, sizes.units, sizes.joints], rng);
        }
        Mlp::create(params, "reward", &[state, sizes.units, sizes.units, 1], rng);
    }

    /// The model with these weights.
    pub fn new(leaves: &Leaves, sizes: WorldSizes) -> Self {
        let mlp = |name: &str, layers| Mlp::new(leaves, name, layers, Activation::Elu);
        Self {
            sizes,
            core: Core::new(leaves, sizes.core),
            code: (sizes.code > 0).then(|| mlp("code", 3)),
            joints: (sizes.joints > 0).then(|| mlp("joints", 2)),
            reward: mlp("reward", 3),
        }
    }

    /// What is predicted for states `[N, n]`.
    pub fn predict(&self, state: Tensor<2>) -> Predictions {
        Predictions {
            code: self.code.as_ref().map(|head| head.forward(state.clone())),
            joints: self.joints.as_ref().map(|head| head.forward(state.clone())),
            reward: self.reward.forward(state),
        }
    }

    /// r(z) for states `[N, n]`, `[N, 1]`.
    pub fn reward(&self, state: Tensor<2>) -> Tensor<2> {
        self.reward.forward(state)
    }

    /// The image code for states `[N, n]`, if the model predicts one.
    pub fn code(&self, state: Tensor<2>) -> Option<Tensor<2>> {
        self.code.as_ref().map(|head| head.forward(state))
    }

    /// Normalised joints for states `[N, n]`, if the model predicts them.
    pub fn joints(&self, state: Tensor<2>) -> Option<Tensor<2>> {
        self.joints.as_ref().map(|head| head.forward(state))
    }
}
