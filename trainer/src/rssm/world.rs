//! The world model of the two-stage recipe: recurrent core and heads on an image code.

use burn::tensor::Tensor;
use chacha20::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::activation::Activation;
use super::ensemble::Ensemble;
use super::layers::Mlp;
use super::params::{Leaves, Params};
use super::recurrent::{Core, Sizes};
use crate::fit::config::{RewardHeads, RewardKind};

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
    /// Which reward heads there are.
    pub reward: RewardHeads,
    /// Head that [`World::reward`] uses, one of those of `reward`.
    pub plan_with: RewardKind,
    /// Number of heads beside the prior; 0 for none.
    pub ensemble: usize,
    /// What [`World::reward`] takes off in a state far from the data; 0 for nothing.
    pub penalty: f32,
}

impl WorldSizes {
    /// Name of the parameters of the reward head that plans use.
    pub fn planned_head(&self) -> &'static str {
        match (self.reward, self.plan_with) {
            (RewardHeads::Both, RewardKind::BernoulliLogit) => LOGIT,
            _ => REWARD,
        }
    }
}

/// Number of layers of a reward head.
pub const REWARD_LAYERS: usize = 3;
/// Parameters of the last layer of the head that regresses.
pub const LAST_REWARD_LAYER: &str = "reward.2";
/// Parameters of the only reward head, or of the one that regresses.
const REWARD: &str = "reward";
/// Parameters of the head that gives the logit where there are both.
const LOGIT: &str = "reward_logit";

/// Core and heads with the weights of one step.
pub struct World {
    /// Sizes of core and heads, as the model was made with.
    pub sizes: WorldSizes,
    /// Prior and posterior.
    pub core: Core,
    code: Option<Mlp>,
    joints: Option<Mlp>,
    regression: Option<Mlp>,
    logit: Option<Mlp>,
    /// Heads beside the prior, if there are any.
    pub ensemble: Option<Ensemble>,
}

/// Predictions for rows of states.
pub struct Predictions {
    /// Image code, `[N, code]`.
    pub code: Option<Tensor<2>>,
    /// Normalised joints, `[N, joints]`.
    pub joints: Option<Tensor<2>>,
    /// Reward, `[N, 1]`.
    pub reward: Option<Tensor<2>>,
    /// Logit of a 0/1 reward, `[N, 1]`.
    pub logit: Option<Tensor<2>>,
}

impl World {
    /// Creates the parameters: those of the [`Core`], `code.*`, `joints.*`, `reward.*`, `reward_logit.*` and
    /// `ensemble.*`.
    pub fn create(params: &mut Params, sizes: &WorldSizes, rng: &mut ChaCha8Rng) {
        Core::create(params, &sizes.core, rng);
        let state = sizes.core.state();
        if sizes.code > 0 {
            let widths = [state, sizes.units, sizes.units, sizes.code];
            Mlp::create(params, "code", &widths, rng);
        }
        if sizes.joints > 0 {
            Mlp::create(params, "joints", &[state, sizes.units, sizes.joints], rng);
        }
        let widths = [state, sizes.units, sizes.units, 1];
        Mlp::create(params, REWARD, &widths, rng);
        if sizes.reward == RewardHeads::Both {
            Mlp::create(params, LOGIT, &widths, rng);
        }
        // Last, so that all else starts from the same weights as without.
        if sizes.ensemble > 0 {
            Ensemble::create(params, &sizes.core, sizes.ensemble, rng);
        }
    }

    /// The model with these weights.
    pub fn new(leaves: &Leaves, sizes: WorldSizes) -> Self {
        let mlp = |name: &str, layers| Mlp::new(leaves, name, layers, Activation::Elu);
        let head = |name| Some(mlp(name, REWARD_LAYERS));
        let (regression, logit) = match sizes.reward {
            RewardHeads::Regression => (head(REWARD), None),
            RewardHeads::BernoulliLogit => (None, head(REWARD)),
            RewardHeads::Both => (head(REWARD), head(LOGIT)),
        };
        Self {
            sizes,
            core: Core::new(leaves, sizes.core),
            code: (sizes.code > 0).then(|| mlp("code", 3)),
            joints: (sizes.joints > 0).then(|| mlp("joints", 2)),
            regression,
            logit,
            ensemble: (sizes.ensemble > 0).then(|| Ensemble::new(leaves, sizes.ensemble)),
        }
    }

    /// What is predicted for states `[N, n]`. Where there are both reward heads, the gradient of
    /// the regression does not reach the state.
    pub fn predict(&self, state: Tensor<2>) -> Predictions {
        let for_regression = match self.sizes.reward {
            RewardHeads::Both => state.clone().detach(),
            _ => state.clone(),
        };
        Predictions {
            code: self.code.as_ref().map(|head| head.forward(state.clone())),
            joints: self.joints.as_ref().map(|head| head.forward(state.clone())),
            reward: (self.regression.as_ref()).map(|head| head.forward(for_regression)),
            logit: self.logit.as_ref().map(|head| head.forward(state)),
        }
    }

    /// r(z) for states `[N, n]` by the head that plans use, less the penalty on states far from
    /// the data, `[N, 1]`.
    pub fn reward(&self, state: Tensor<2>) -> Tensor<2> {
        let reward = self.plain_reward(state.clone());
        match &self.ensemble {
            Some(ensemble) if self.sizes.penalty > 0.0 => {
                let feature = self.sizes.core.deter_of(state);
                reward - ensemble.distance(feature).mul_scalar(self.sizes.penalty)
            }
            _ => reward,
        }
    }

    fn plain_reward(&self, state: Tensor<2>) -> Tensor<2> {
        let head = match self.sizes.plan_with {
            RewardKind::Regression => &self.regression,
            RewardKind::BernoulliLogit => &self.logit,
        };
        head.as_ref()
            .expect("the configuration plans with a head that the model has")
            .forward(state)
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
