//! PlaNet's recipe: encoder, decoder, RSSM and reward head trained jointly by the evidence lower
//! bound, image likelihood of unit variance.

use burn::tensor::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::{ModelConfig, TrainingConfig};
use super::dataset::{Frames, normals, sequence_starts};
use super::objective::{Losses, Objective, RewardScale};
use super::world::{cross_entropy, logit_name, overshooting, overshooting_noise, weighted};
use crate::rssm::conv::{self, Decoder, EMBED, Encoder, IMAGE_SIZE};
use crate::rssm::params::{Leaves, Params, to_vec};
use crate::rssm::recurrent::balanced_kl;
use crate::rssm::world::{World, WorldSizes};

/// Stream of random numbers of this stage.
const STAGE: u64 = 3;
/// Frames encoded at once when nothing is trained.
const ENCODE_BATCH: usize = 128;

/// Parameters before the first step.
pub fn create(sizes: &WorldSizes, seed: u64) -> Params {
    let mut params = Params::default();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    conv::create_encoder(&mut params, &mut rng);
    conv::create_decoder(&mut params, sizes.core.stoch + sizes.core.deter, &mut rng);
    World::create(&mut params, sizes, &mut rng);
    params
}

/// A batch of sequences, in rows `t * batch + b`.
pub struct ImageBatch {
    /// Images in -0.5..0.5, `[rows, 3, 64, 64]`.
    pub images: Tensor<4>,
    /// Normalised joints, `[rows, joints]`; none if images alone are observed.
    pub joints: Option<Tensor<2>>,
    /// Actions before the images, `[rows, action]`; zero in the first step.
    pub before: Tensor<2>,
    /// Actions after them, `[rows, action]`.
    pub after: Tensor<2>,
    /// Rewards, `[rows, 1]`.
    pub rewards: Tensor<2>,
    /// Standard normal numbers that draw the samples of the posterior, `[rows, stoch]`.
    pub noise: Tensor<2>,
    /// Those of latent overshooting, if it is used; see `Overshooting::noise`.
    pub overshooting: Option<Tensor<2>>,
}

/// The evidence lower bound on images and joints.
pub struct JointWorld<'a> {
    /// Episodes.
    pub frames: &'a Frames,
    /// Normalised joints, `[frames, joints]`; empty without joints.
    pub joints: &'a [f32],
    /// Sizes of the model.
    pub sizes: WorldSizes,
    /// Reward heads.
    pub model: &'a ModelConfig,
    /// Batches and weights of the losses.
    pub training: &'a TrainingConfig,
}

impl Objective for JointWorld<'_> {
    fn stream(&self) -> u64 {
        STAGE
    }

    fn loss(
        &self,
        leaves: &Leaves,
        rng: &mut ChaCha8Rng,
        scale: &mut RewardScale,
    ) -> std::io::Result<(Tensor<1>, Losses)> {
        Ok(self.loss_of(leaves, self.draw(leaves, rng, scale)?))
    }
}

impl JointWorld<'_> {
    fn draw(
        &self,
        leaves: &Leaves,
        rng: &mut ChaCha8Rng,
        scale: &mut RewardScale,
    ) -> std::io::Result<ImageBatch> {
        let Self {
            frames,
            sizes,
            training,
            ..
        } = *self;
        let (batch, length) = (training.batch, training.sequence);
        let starts = sequence_starts(
            frames,
            batch,
            length,
            training.at_start,
            training.recent_share,
            rng,
        );
        let order: Vec<usize> = (0..length)
            .flat_map(|t| starts.iter().map(move |s| s + t))
            .collect();
        let count = order.len();
        let na = frames.action_width;
        let before = order.iter().enumerate().flat_map(|(row, frame)| {
            (0..na).map(move |j| {
                if row < batch {
                    0.0
                } else {
                    frames.actions[(frame - 1) * na + j]
                }
            })
        });
        let after = order
            .iter()
            .flat_map(|f| &frames.actions[f * na..][..na])
            .copied();
        let mut rewards: Vec<f32> = order.iter().map(|f| frames.reward_targets()[*f]).collect();
        scale.apply(&mut rewards);
        let stoch = sizes.core.stoch;
        Ok(ImageBatch {
            images: leaves.tensor(frames.planes(&order)?, [count, 3, IMAGE_SIZE, IMAGE_SIZE]),
            joints: self.joints_of(leaves, &order),
            before: leaves.tensor(before.collect(), [count, na]),
            after: leaves.tensor(after.collect(), [count, na]),
            rewards: leaves.tensor(rewards, [count, 1]),
            noise: leaves.tensor(normals(count * stoch, rng), [count, stoch]),
            overshooting: overshooting_noise(training, stoch, leaves.device(), rng),
        })
    }

    /// The loss of `training.batch` sequences of `training.sequence` frames, and its parts before
    /// weighting.
    pub fn loss_of(&self, leaves: &Leaves, drawn: ImageBatch) -> (Tensor<1>, Losses) {
        let Self {
            sizes, training, ..
        } = *self;
        let ImageBatch {
            images,
            joints,
            before,
            after,
            rewards,
            noise,
            overshooting: overshooting_noise,
        } = drawn;
        let count = images.dims()[0];
        let world = World::new(leaves, sizes);
        let code = Encoder::new(leaves).forward(images.clone());
        let embed = match &joints {
            Some(joints) => Tensor::cat(vec![code, joints.clone()], 1),
            None => code,
        };
        let unrolled = world.core.unroll(embed, before, noise, training.batch);
        let (balance, free) = (training.kl_balance as f32, training.free_nats as f32);
        let (kl, measured_kl) = balanced_kl(&unrolled.posterior, &unrolled.prior, balance, free);
        let overshot = overshooting_noise
            .map(|noise| overshooting(training, &after, noise).loss(&world.core, &unrolled));
        let state = unrolled.state();
        let halved = |x: Tensor<1>| x.mul_scalar(0.5 / count as f32);
        let image = halved(
            (Decoder::new(leaves).forward(state.clone()) - images)
                .square()
                .sum(),
        );
        let predicted = world.predict(state);
        let mut terms = vec![("image", image, training.image_weight)];
        if let Some(predicted) = predicted.reward {
            let error = halved((predicted - rewards.clone()).square().sum());
            terms.push(("reward", error, training.reward_weight));
        }
        if let Some(logit) = predicted.logit {
            let error = cross_entropy(logit, rewards);
            terms.push((logit_name(self.model), error, training.reward_weight));
        }
        terms.push(("kl", kl, training.kl_weight));
        if let (Some(predicted), Some(joints)) = (predicted.joints, joints) {
            let error = halved((predicted - joints).square().sum());
            terms.push(("joints", error, training.joints_weight));
        }
        let mut measured = vec![("kl", measured_kl)];
        if let Some((loss, divergence)) = overshot {
            terms.push(("overshooting", loss, training.overshooting_weight));
            measured.push(("overshooting", divergence));
        }
        let (loss, mut losses) = weighted(terms);
        // Divergences are recorded as they are, without free nats.
        for (name, divergence) in measured {
            if let Some(loss) = losses.iter_mut().find(|loss| loss.0 == name) {
                loss.1 = divergence.into_scalar();
            }
        }
        (loss, losses)
    }

    fn joints_of(&self, leaves: &Leaves, order: &[usize]) -> Option<Tensor<2>> {
        let width = self.sizes.joints;
        (width > 0).then(|| {
            let rows = order
                .iter()
                .flat_map(|f| &self.joints[f * width..][..width]);
            leaves.tensor(rows.copied().collect(), [order.len(), width])
        })
    }
}

/// Features of all frames, `[frames, 1024]`.
///
/// # Errors
/// Images that cannot be read.
pub fn features(params: &Params, frames: &Frames) -> std::io::Result<Vec<f32>> {
    let leaves = params.leaves(false);
    let encoder = Encoder::new(&leaves);
    let all: Vec<usize> = (0..frames.len()).collect();
    let mut features = Vec::with_capacity(frames.len() * EMBED);
    for chunk in all.chunks(ENCODE_BATCH) {
        let shape = [chunk.len(), 3, IMAGE_SIZE, IMAGE_SIZE];
        let planes = leaves.tensor(frames.planes(chunk)?, shape);
        features.extend(to_vec(encoder.forward(planes)));
    }
    Ok(features)
}
