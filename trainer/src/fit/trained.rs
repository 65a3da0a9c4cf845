//! A trained model of either recipe: what reports, gates and the exporter use.

use std::io;

use burn::tensor::Tensor;

use super::checkpoint::{Checkpoint, DataFacts};
use super::config::{FitConfig, Recipe};
use super::dataset::Frames;
use super::rows::normalised;
use super::{autoencoder, planet};
use crate::rssm::device::cpu;
use crate::rssm::params::{Leaves, Params, tensor, to_vec};
use crate::rssm::recurrent::Sizes;
use crate::rssm::world::{LAST_REWARD_LAYER, World, WorldSizes};
use crate::rssm::{conv, keypoint};

/// A trained model: configuration, facts about its data, and weights.
pub struct Model {
    /// Configuration it was trained with.
    pub config: FitConfig,
    /// Facts about the data.
    pub facts: DataFacts,
    /// Weights of the world model; with PlaNet's recipe of encoder and decoder as well.
    pub world: Params,
    /// Weights of the keypoint autoencoder, whitening folded in; two-stage recipe only.
    pub autoencoder: Option<Params>,
}

impl Model {
    /// The model of a checkpoint; it predicts rewards in their own unit.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        let mut world = checkpoint.world_params().clone();
        if checkpoint.config.training.normalise_reward {
            checkpoint.rewards.fold(&mut world, LAST_REWARD_LAYER);
        }
        Self {
            config: checkpoint.config.clone(),
            facts: checkpoint.facts.clone(),
            world,
            autoencoder: checkpoint.autoencoder.clone(),
        }
    }

    /// Sizes of the world model.
    pub fn sizes(&self) -> WorldSizes {
        world_sizes(&self.config, &self.facts)
    }

    /// Sizes of the keypoint autoencoder.
    pub fn keypoint_sizes(&self) -> keypoint::KeypointSizes {
        keypoint_sizes(&self.config, &self.facts)
    }

    /// Leaves of the world model, without gradients.
    pub fn leaves(&self) -> Leaves {
        self.world.leaves(false)
    }

    /// The world model, without gradients.
    pub fn build(&self) -> World {
        World::new(&self.leaves(), self.sizes())
    }

    /// Image codes or features of frames, `[frames, code]`.
    ///
    /// # Errors
    /// Images that were set aside and cannot be read.
    pub fn codes(&self, frames: &Frames) -> io::Result<Vec<f32>> {
        match &self.autoencoder {
            Some(params) => autoencoder::codes(params, self.keypoint_sizes(), frames, &cpu()),
            None => planet::features(&self.world, frames),
        }
    }

    /// Embedded observations of frames, `[frames, embed]`.
    ///
    /// # Errors
    /// Images that were set aside and cannot be read.
    pub fn embed(&self, frames: &Frames) -> io::Result<Vec<f32>> {
        let codes = self.codes(frames)?;
        let joints = normalised(
            &frames.joints,
            &self.facts.joints_mean,
            &self.facts.joints_std,
        );
        let width = self.facts.joints_mean.len();
        if width == 0 {
            return Ok(codes);
        }
        let code = codes.len() / frames.len().max(1);
        let rows = codes.chunks_exact(code).zip(joints.chunks_exact(width));
        Ok(rows
            .flat_map(|(code, joints)| code.iter().chain(joints).copied())
            .collect())
    }

    /// Images of states `[N, n]`: `[N * height * width * 3]` RGB interleaved in 0..1.
    pub fn decode(&self, state: Tensor<2>) -> Vec<f32> {
        let images = match &self.autoencoder {
            Some(params) => {
                let world = self.build();
                let joints = match self.keypoint_sizes().decoder_joints {
                    0 => None,
                    _ => world.joints(state.clone()),
                };
                let code = world
                    .code(state)
                    .expect("the two-stage model predicts codes");
                to_vec(keypoint::Head::decoder(&params.leaves(false)).forward(code, joints))
            }
            None => {
                let planes = conv::Decoder::new(&self.leaves()).forward(state);
                to_vec(planes.permute([0, 2, 3, 1]))
                    .into_iter()
                    .map(|x| x + 0.5)
                    .collect()
            }
        };
        images.into_iter().map(|x| x.clamp(0.0, 1.0)).collect()
    }

    /// Posterior mean and deviation of images seen after `state` `[N, n]` and `action`:
    /// what the `observe` graph computes. Returns `[N, n]` and `[N, stoch]`.
    ///
    /// # Errors
    /// Images that were set aside and cannot be read.
    pub fn observe(
        &self,
        frames: &Frames,
        state: Tensor<2>,
        action: Tensor<2>,
    ) -> io::Result<(Tensor<2>, Tensor<2>)> {
        let sizes = self.sizes().core;
        let world = self.build();
        let embed = tensor(self.embed(frames)?, [frames.len(), sizes.embed]);
        let h = world.core.advance(state, action);
        let belief = world.core.posterior(h, embed);
        Ok((belief.state(), belief.std))
    }
}

/// Sizes of the world model for a configuration and data.
pub fn world_sizes(config: &FitConfig, facts: &DataFacts) -> WorldSizes {
    let joints = facts.joints_mean.len();
    let (code, embed) = match config.recipe {
        Recipe::TwoStage => (config.autoencoder.code, config.autoencoder.code),
        Recipe::Planet => (0, conv::EMBED),
    };
    WorldSizes {
        core: Sizes {
            stoch: config.model.stoch,
            deter: config.model.deter,
            hidden: config.model.hidden,
            embed: embed + joints,
            action: facts.action_scale.len(),
            min_std: config.model.min_std as f32,
        },
        code,
        joints,
        units: config.model.units,
        reward: config.model.reward,
        plan_with: config.model.plan_with,
        ensemble: config.model.ensemble,
        penalty: config.model.penalty as f32,
    }
}

/// Sizes of the keypoint autoencoder for a configuration and data.
pub fn keypoint_sizes(config: &FitConfig, facts: &DataFacts) -> keypoint::KeypointSizes {
    let c = &config.autoencoder;
    keypoint::KeypointSizes {
        height: facts.height,
        width: facts.width,
        keypoints: c.keypoints,
        hidden: c.hidden,
        code: c.code,
        decoder: c.decoder,
        decoder_joints: if c.decoder_joints {
            facts.joints_mean.len()
        } else {
            0
        },
    }
}
