//! PlaNet's recipe: encoder, decoder, RSSM and reward head trained jointly by the evidence lower
//! bound, image likelihood of unit variance.

use burn::tensor::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::{ModelConfig, RewardKind, TrainingConfig};
use super::dataset::{Frames, normals, sequence_starts, step_rng};
use super::world::{Losses, cross_entropy};
use crate::rssm::conv::{self, Decoder, Encoder, IMAGE_SIZE};
use crate::rssm::params::{Params, tensor, to_vec};
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

/// What one step is computed from.
pub struct Step<'a> {
    /// Episodes.
    pub frames: &'a Frames,
    /// Normalised joints, `[frames, joints]`; empty without joints.
    pub joints: &'a [f32],
    /// Sizes of the model.
    pub sizes: WorldSizes,
    /// What the heads predict.
    pub model: &'a ModelConfig,
    /// Weights of the losses.
    pub training: &'a TrainingConfig,
    /// Seed of the run.
    pub seed: u64,
}

impl Step<'_> {
    /// Losses and gradients of one step.
    pub fn run(&self, params: &Params, step: usize) -> (Losses, Vec<Vec<f32>>) {
        let Self {
            frames,
            sizes,
            training,
            ..
        } = *self;
        let mut rng = step_rng(self.seed, STAGE, step);
        let (batch, length) = (training.batch, training.sequence);
        let starts = sequence_starts(
            frames,
            batch,
            length,
            training.at_start,
            training.recent_share,
            &mut rng,
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
        let before = tensor(before.collect(), [count, na]);
        let images: Tensor<4> = tensor(frames.planes(&order), [count, 3, IMAGE_SIZE, IMAGE_SIZE]);
        let joints = self.joints_of(&order);
        let reward: Tensor<2> = tensor(
            order.iter().map(|f| frames.rewards[*f]).collect(),
            [count, 1],
        );
        let noise = tensor(
            normals(count * sizes.core.stoch, &mut rng),
            [count, sizes.core.stoch],
        );

        let leaves = params.leaves(true);
        let world = World::new(&leaves, sizes);
        let code = Encoder::new(&leaves).forward(images.clone());
        let embed = match &joints {
            Some(joints) => Tensor::cat(vec![code, joints.clone()], 1),
            None => code,
        };
        let unrolled = world.core.unroll(embed, before, noise, batch);
        let (balance, free) = (training.kl_balance as f32, training.free_nats as f32);
        let (kl, measured_kl) = balanced_kl(&unrolled.posterior, &unrolled.prior, balance, free);
        let state = Tensor::cat(vec![unrolled.sample, unrolled.posterior.deter], 1);
        let halved = |x: Tensor<1>| x.mul_scalar(0.5 / count as f32);
        let image = halved(
            (Decoder::new(&leaves).forward(state.clone()) - images)
                .square()
                .sum(),
        );
        let predicted = world.predict(state);
        let rewarded = match self.model.reward {
            RewardKind::Regression => halved((predicted.reward - reward).square().sum()),
            RewardKind::BernoulliLogit => cross_entropy(predicted.reward, reward),
        };
        let mut losses: Losses = vec![
            ("image", image.clone().into_scalar()),
            ("reward", rewarded.clone().into_scalar()),
            ("kl", measured_kl.into_scalar()),
        ];
        let mut loss = image.mul_scalar(training.image_weight as f32)
            + rewarded.mul_scalar(training.reward_weight as f32)
            + kl.mul_scalar(training.kl_weight as f32);
        if let (Some(predicted), Some(joints)) = (predicted.joints, joints) {
            let error = halved((predicted - joints).square().sum());
            losses.push(("joints", error.clone().into_scalar()));
            loss = loss + error.mul_scalar(training.joints_weight as f32);
        }
        losses.insert(0, ("loss", loss.clone().into_scalar()));
        let gradients = leaves.gradients(&mut loss.backward());
        (losses, gradients)
    }

    fn joints_of(&self, order: &[usize]) -> Option<Tensor<2>> {
        let width = self.sizes.joints;
        (width > 0).then(|| {
            let rows = order
                .iter()
                .flat_map(|f| &self.joints[f * width..][..width]);
            tensor(rows.copied().collect(), [order.len(), width])
        })
    }
}

/// Features of all frames, `[frames, 1024]`.
pub fn features(params: &Params, frames: &Frames) -> Vec<f32> {
    let encoder = Encoder::new(&params.leaves(false));
    let all: Vec<usize> = (0..frames.len()).collect();
    all.chunks(ENCODE_BATCH)
        .flat_map(|chunk| {
            to_vec(encoder.forward(tensor(
                frames.planes(chunk),
                [chunk.len(), 3, IMAGE_SIZE, IMAGE_SIZE],
            )))
        })
        .collect()
}
