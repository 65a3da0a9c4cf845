//! PlaNet's recipe: encoder, decoder, RSSM and reward head trained jointly by the evidence lower
//! bound, image likelihood of unit variance.

use burn::tensor::{Device, Tensor};
use chacha20::ChaCha8Rng;
use rand::SeedableRng;

use super::config::{ModelConfig, TrainingConfig};
use super::dataset::Frames;
use super::objective::{DrawnLoss, Losses, Objective, RewardScale};
use super::sequences::{Sequences, Targets, prediction_loss};
use crate::rssm::conv::{self, Decoder, EMBED, Encoder, IMAGE_SIZE};
use crate::rssm::params::{Leaves, Params, tensor_on, to_vec};
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

/// A batch of sequences with images.
pub struct ImageBatch {
    /// Images in -0.5..0.5, `[rows, 3, 64, 64]`.
    pub images: Tensor<4>,
    /// Normalised joints, `[rows, joints]`; none if images alone are observed.
    pub joints: Option<Tensor<2>>,
    /// Actions, rewards and random numbers.
    pub sequences: Sequences,
}

/// The evidence lower bound on images and joints.
pub struct JointWorld<'a> {
    /// Episodes to train on or to measure.
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
        let drawn = self.batch_of(count, device, rng, scale)?;
        Ok(Box::new(move |leaves| self.loss_of(leaves, drawn)))
    }
}

impl JointWorld<'_> {
    fn batch_of(
        &self,
        count: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
        scale: &mut RewardScale,
    ) -> std::io::Result<ImageBatch> {
        let Self {
            frames,
            sizes,
            training,
            ..
        } = *self;
        let stoch = sizes.core.stoch;
        let (rows, sequences) = Sequences::draw(frames, count, training, stoch, device, rng, scale);
        let shape = [rows.len(), 3, IMAGE_SIZE, IMAGE_SIZE];
        Ok(ImageBatch {
            images: tensor_on(device, frames.planes(&rows)?, shape),
            joints: self.joints_of(device, &rows),
            sequences,
        })
    }

    /// The loss of sequences of `training.sequence` frames, and its parts before
    /// weighting.
    pub fn loss_of(&self, leaves: &Leaves, drawn: ImageBatch) -> (Tensor<1>, Losses) {
        let Self {
            sizes, training, ..
        } = *self;
        let ImageBatch {
            images,
            joints,
            sequences,
        } = drawn;
        let world = World::new(leaves, sizes);
        let code = Encoder::new(leaves).forward(images.clone());
        let embed = match &joints {
            Some(joints) => Tensor::cat(vec![code, joints.clone()], 1),
            None => code,
        };
        let (unrolled, divergence, measured) = sequences.filter(&world.core, embed, training);
        let state = unrolled.state();
        // -log of a Gaussian likelihood of unit variance, mean over the rows.
        let half = 0.5 / images.dims()[0] as f32;
        let image = (Decoder::new(leaves).forward(state.clone()) - images)
            .square()
            .sum()
            .mul_scalar(half);
        let mut losses = vec![("image", image.clone().into_scalar())];
        let targets = Targets {
            code: None,
            joints,
            reward: sequences.rewards.clone(),
        };
        let error = |x: Tensor<2>, y: Tensor<2>| {
            let half = 0.5 / y.dims()[0] as f32;
            (x - y).square().sum().mul_scalar(half)
        };
        let predicted = world.predict(state);
        let (loss, parts) = prediction_loss(predicted, &targets, (self.model, training), error);
        losses.extend(parts);
        losses.extend(measured);
        let image = image.mul_scalar(training.image_weight as f32);
        (image + loss + divergence, losses)
    }

    fn joints_of(&self, device: &Device, order: &[usize]) -> Option<Tensor<2>> {
        let width = self.sizes.joints;
        (width > 0).then(|| {
            let rows = order
                .iter()
                .flat_map(|f| &self.joints[f * width..][..width]);
            tensor_on(device, rows.copied().collect(), [order.len(), width])
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
