//! Stage two of the two-stage recipe: the RSSM on image codes and joints.

use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::{ModelConfig, RewardHeads, TrainingConfig};
use super::dataset::{normals, sequence_starts};
use super::ensemble::{self, shares};
use super::objective::{Losses, Objective, RewardScale};
use super::rows::Rows;
use crate::rssm::overshooting::Overshooting;
use crate::rssm::params::{Leaves, Params, tensor_on};
use crate::rssm::recurrent::balanced_kl;
use crate::rssm::world::{Predictions, World, WorldSizes};

/// Stream of random numbers of this stage.
const STAGE: u64 = 2;

/// Parameters before the first step.
pub fn create(sizes: &WorldSizes, seed: u64) -> Params {
    let mut params = Params::default();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    World::create(&mut params, sizes, &mut rng);
    params
}

/// Targets of rows of states.
struct Targets {
    code: Tensor<2>,
    joints: Option<Tensor<2>>,
    reward: Tensor<2>,
}

/// A batch of sequences, in rows `t * batch + b`.
pub struct CodeBatch {
    /// Embedded observations, `[rows, embed]`.
    pub embed: Tensor<2>,
    /// Actions before the observations, `[rows, action]`; zero in the first step.
    pub before: Tensor<2>,
    /// Actions after them, `[rows, action]`.
    pub after: Tensor<2>,
    /// Rewards, `[rows, 1]`.
    pub rewards: Tensor<2>,
    /// Standard normal numbers that draw the samples of the posterior, `[rows, stoch]`.
    pub noise: Tensor<2>,
    /// Those of latent overshooting, if it is used; see [`Overshooting::noise`].
    pub overshooting: Option<Tensor<2>>,
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

    fn loss(
        &self,
        leaves: &Leaves,
        rng: &mut ChaCha8Rng,
        scale: &mut RewardScale,
    ) -> std::io::Result<(Tensor<1>, Losses)> {
        Ok(self.loss_of(leaves, self.draw(leaves, rng, scale)))
    }

    fn settle(&self, params: &mut Params, device: &Device) {
        if self.sizes.ensemble > 0 {
            ensemble::calibrate(params, self.sizes, self.rows, device);
        }
    }
}

impl CodeWorld<'_> {
    fn draw(&self, leaves: &Leaves, rng: &mut ChaCha8Rng, scale: &mut RewardScale) -> CodeBatch {
        let Self {
            rows,
            sizes,
            training,
            ..
        } = *self;
        let frames = rows.frames;
        let (batch, length) = (training.batch, training.sequence);
        let starts = sequence_starts(
            frames,
            batch,
            length,
            training.at_start,
            training.recent_share,
            rng,
        );
        let count = batch * length;
        let na = frames.action_width;
        let mut embed = Vec::with_capacity(count * sizes.core.embed);
        let mut before = Vec::with_capacity(count * na);
        let mut after = Vec::with_capacity(count * na);
        let mut rewards = Vec::with_capacity(count);
        for t in 0..length {
            for start in &starts {
                let frame = start + t;
                rows.embed(frame, &mut embed);
                match t {
                    0 => before.resize(before.len() + na, 0.0),
                    _ => before.extend_from_slice(&frames.actions[(frame - 1) * na..][..na]),
                }
                after.extend_from_slice(&frames.actions[frame * na..][..na]);
                rewards.push(frames.reward_targets()[frame]);
            }
        }
        scale.apply(&mut rewards);
        let stoch = sizes.core.stoch;
        CodeBatch {
            embed: leaves.tensor(embed, [count, sizes.core.embed]),
            before: leaves.tensor(before, [count, na]),
            after: leaves.tensor(after, [count, na]),
            rewards: leaves.tensor(rewards, [count, 1]),
            noise: leaves.tensor(normals(count * stoch, rng), [count, stoch]),
            overshooting: overshooting_noise(training, stoch, leaves.device(), rng),
            shares: (sizes.ensemble > 0).then(|| {
                let shares = shares(frames, &starts, length, sizes.ensemble);
                leaves.tensor(shares, [count, sizes.ensemble])
            }),
        }
    }

    /// The loss of `training.batch` sequences of `training.sequence` frames, and its parts before
    /// weighting.
    pub fn loss_of(&self, leaves: &Leaves, drawn: CodeBatch) -> (Tensor<1>, Losses) {
        let Self {
            rows,
            sizes,
            model,
            training,
        } = *self;
        let (batch, length) = (training.batch, training.sequence);
        let CodeBatch {
            embed,
            before,
            after,
            rewards,
            noise,
            overshooting: overshooting_noise,
            shares,
        } = drawn;
        let targets = Targets {
            code: embed.clone().narrow(1, 0, rows.code),
            joints: (sizes.joints > 0).then(|| embed.clone().narrow(1, rows.code, sizes.joints)),
            reward: rewards,
        };

        let world = World::new(leaves, sizes);
        let unrolled = world.core.unroll(embed, before, noise, batch);
        let (kl, measured_kl) = balanced_kl(
            &unrolled.posterior,
            &unrolled.prior,
            training.kl_balance as f32,
            training.free_nats as f32,
        );
        let state = unrolled.state();
        let (mut loss, mut losses) =
            prediction_loss(world.predict(state), &targets, model, training);
        loss = loss + kl.mul_scalar(training.kl_weight as f32);
        losses.push(("kl", measured_kl.into_scalar()));
        if let Some(noise) = overshooting_noise {
            let (overshot, measured) =
                overshooting(training, &after, noise).loss(&world.core, &unrolled);
            loss = loss + overshot.mul_scalar(training.overshooting_weight as f32);
            losses.push(("overshooting", measured.into_scalar()));
        }

        if training.rollout_steps > 0 {
            let steps = training.rollout_steps;
            let rows = (length - steps) * batch;
            let from = unrolled.posterior.state().narrow(0, 0, rows);
            let actions: Vec<_> = (0..steps)
                .map(|k| after.clone().narrow(0, k * batch, rows))
                .collect();
            let states = Tensor::cat(world.core.rollout(from, &actions), 0);
            let shifted = |x: &Tensor<2>| {
                let parts = (1..=steps).map(|k| x.clone().narrow(0, k * batch, rows));
                Tensor::cat(parts.collect(), 0)
            };
            let targets = Targets {
                code: shifted(&targets.code),
                joints: targets.joints.as_ref().map(shifted),
                reward: shifted(&targets.reward),
            };
            let (rollout, parts) =
                prediction_loss(world.predict(states), &targets, model, training);
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

/// Noise for latent overshooting, if it is used.
pub fn overshooting_noise(
    training: &TrainingConfig,
    stoch: usize,
    device: &Device,
    rng: &mut ChaCha8Rng,
) -> Option<Tensor<2>> {
    let distance = training.overshooting;
    (distance > 0).then(|| {
        let rows = Overshooting::noise_rows(distance, training.sequence, training.batch);
        tensor_on(device, normals(rows * stoch, rng), [rows, stoch])
    })
}

/// Latent overshooting with that noise; `after` are the actions after each row.
pub fn overshooting<'a>(
    training: &TrainingConfig,
    after: &'a Tensor<2>,
    noise: Tensor<2>,
) -> Overshooting<'a> {
    Overshooting {
        distance: training.overshooting,
        batch: training.batch,
        actions: after,
        noise,
        free_nats: training.free_nats as f32,
    }
}

fn prediction_loss(
    predicted: Predictions,
    targets: &Targets,
    model: &ModelConfig,
    training: &TrainingConfig,
) -> (Tensor<1>, Losses) {
    let squared = |x: Tensor<2>, y: &Tensor<2>| (x - y.clone()).square().mean();
    let mut terms = Vec::new();
    if let Some(reward) = predicted.reward {
        let error = squared(reward, &targets.reward);
        terms.push(("reward", error, training.reward_weight));
    }
    if let Some(logit) = predicted.logit {
        let error = cross_entropy(logit, targets.reward.clone());
        terms.push((logit_name(model), error, training.reward_weight));
    }
    if let Some(code) = predicted.code {
        let error = squared(code, &targets.code);
        terms.push(("code", error, training.image_weight));
    }
    if let (Some(joints), Some(target)) = (predicted.joints, &targets.joints) {
        terms.push(("joints", squared(joints, target), training.joints_weight));
    }
    weighted(terms)
}

/// The weighted sum of losses, and their values before weighting.
///
/// # Panics
/// Without any loss.
pub fn weighted(terms: Vec<(&'static str, Tensor<1>, f64)>) -> (Tensor<1>, Losses) {
    let values = terms
        .iter()
        .map(|(name, value, _)| (*name, value.clone().into_scalar()));
    let losses = values.collect();
    let sum = terms
        .into_iter()
        .map(|(_, value, weight)| value.mul_scalar(weight as f32))
        .reduce(|sum, term| sum + term)
        .expect("every model has losses");
    (sum, losses)
}

/// Name of the loss of the head that gives a logit.
pub fn logit_name(model: &ModelConfig) -> &'static str {
    match model.reward {
        RewardHeads::Both => "reward_logit",
        _ => "reward",
    }
}

/// -log p(target) of a 0/1 target with that logit, mean over rows.
pub fn cross_entropy(logit: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    (crate::rssm::fused::softplus(logit.clone()) - logit * target).mean()
}
