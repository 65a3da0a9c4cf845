//! Stage two of the two-stage recipe: the RSSM on image codes and joints.

use burn::tensor::{Device, Tensor};
use chacha20::ChaCha8Rng;
use rand::SeedableRng;

use super::config::{ModelConfig, TrainingConfig};
use super::ensemble::{self, shares};
use super::objective::{DrawnLoss, Losses, Objective, RewardScale};
use super::rows::Rows;
use super::sequences::{Sequences, Targets, prediction_loss};
use crate::rssm::params::{Leaves, Params, tensor_on};
use crate::rssm::world::{World, WorldSizes};

/// Stream of random numbers of this stage.
const STAGE: u64 = 2;

/// Parameters before the first step.
pub fn create(sizes: &WorldSizes, seed: u64) -> Params {
    let mut params = Params::default();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    World::create(&mut params, sizes, &mut rng);
    params
}

/// A batch of sequences with codes and joints.
pub struct CodeBatch {
    /// Embedded observations, `[rows, embed]`.
    pub embed: Tensor<2>,
    /// Actions, rewards and random numbers.
    pub sequences: Sequences,
    /// Which heads of an ensemble learn from which rows, if there is one, `[rows, heads]` of 0 and 1.
    pub shares: Option<Tensor<2>>,
}

/// The loss of the RSSM on codes and joints.
pub struct CodeWorld<'a> {
    /// What it is trained on.
    pub rows: &'a Rows<'a>,
    /// Sizes of the model.
    pub sizes: WorldSizes,
    /// Reward heads.
    pub model: &'a ModelConfig,
    /// Batches and weights of the losses.
    pub training: &'a TrainingConfig,
}

impl Objective for CodeWorld<'_> {
    fn stream(&self) -> u64 {
        STAGE
    }

    fn batch(&self) -> usize {
        self.training.batch
    }

    fn draw<'a>(
        &'a self,
        count: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
        scale: &mut RewardScale,
    ) -> std::io::Result<DrawnLoss<'a>> {
        let drawn = self.batch_of(count, device, rng, scale);
        Ok(Box::new(move |leaves| self.loss_of(leaves, drawn)))
    }

    fn settle(&self, params: &mut Params, device: &Device) {
        if self.sizes.ensemble > 0 {
            ensemble::calibrate(params, self.sizes, self.rows, device);
        }
    }
}

impl CodeWorld<'_> {
    fn batch_of(
        &self,
        count: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
        scale: &mut RewardScale,
    ) -> CodeBatch {
        let Self {
            rows,
            sizes,
            training,
            ..
        } = *self;
        let stoch = sizes.core.stoch;
        let (drawn, sequences) =
            Sequences::draw(rows.frames, count, training, stoch, device, rng, scale);
        let mut embed = Vec::with_capacity(drawn.len() * sizes.core.embed);
        for frame in &drawn {
            rows.embed(*frame, &mut embed);
        }
        CodeBatch {
            embed: tensor_on(device, embed, [drawn.len(), sizes.core.embed]),
            sequences,
            shares: (sizes.ensemble > 0).then(|| {
                let (starts, length) = (&drawn[..count], training.sequence);
                let shares = shares(rows.frames, starts, length, sizes.ensemble);
                tensor_on(device, shares, [drawn.len(), sizes.ensemble])
            }),
        }
    }

    /// The loss of sequences of `training.sequence` frames, and its parts before
    /// weighting.
    pub fn loss_of(&self, leaves: &Leaves, drawn: CodeBatch) -> (Tensor<1>, Losses) {
        let Self {
            rows,
            sizes,
            model,
            training,
        } = *self;
        let (batch, length) = (drawn.sequences.batch, training.sequence);
        let CodeBatch {
            embed,
            sequences,
            shares,
        } = drawn;
        let settings = (model, training);
        let squared = |x: Tensor<2>, y: Tensor<2>| (x - y).square().mean();
        let targets = Targets {
            code: Some(embed.clone().narrow(1, 0, rows.code)),
            joints: (sizes.joints > 0).then(|| embed.clone().narrow(1, rows.code, sizes.joints)),
            reward: sequences.rewards.clone(),
        };
        let world = World::new(leaves, sizes);
        let (unrolled, divergence, measured) = sequences.filter(&world.core, embed, training);
        let predicted = world.predict(unrolled.state());
        let (mut loss, mut losses) = prediction_loss(predicted, &targets, settings, squared);
        loss = loss + divergence;
        losses.extend(measured);
        if training.rollout_steps > 0 {
            let steps = training.rollout_steps;
            let rows = (length - steps) * batch;
            let from = unrolled.posterior.state().narrow(0, 0, rows);
            let actions: Vec<_> = (0..steps)
                .map(|k| sequences.after.clone().narrow(0, k * batch, rows))
                .collect();
            let states = Tensor::cat(world.core.rollout(from, &actions), 0);
            let shifted = |x: &Tensor<2>| {
                let parts = (1..=steps).map(|k| x.clone().narrow(0, k * batch, rows));
                Tensor::cat(parts.collect(), 0)
            };
            let targets = Targets {
                code: targets.code.as_ref().map(shifted),
                joints: targets.joints.as_ref().map(shifted),
                reward: shifted(&targets.reward),
            };
            let predicted = world.predict(states);
            let (rollout, parts) = prediction_loss(predicted, &targets, settings, squared);
            loss = loss + rollout.mul_scalar(training.rollout_weight as f32);
            let names = [
                ("code", "rollout_code"),
                ("joints", "rollout_joints"),
                ("reward", "rollout_reward"),
                ("reward_logit", "rollout_reward_logit"),
            ];
            for (name, value) in parts {
                if let Some((_, renamed)) = names.iter().find(|(plain, _)| *plain == name) {
                    losses.push((renamed, value));
                }
            }
        }
        if let (Some(heads), Some(feature), Some(shares)) =
            (&world.ensemble, unrolled.posterior.deter, shares)
        {
            let error = heads.loss(feature, unrolled.posterior.mean, &shares);
            losses.push(("ensemble", error.clone().into_scalar()));
            // Adds its gradient but not its value: the held-out loss stays that of the model.
            loss = loss + (error.clone() - error.detach());
        }
        (loss, losses)
    }
}
