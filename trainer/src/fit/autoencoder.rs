//! Stage one of the two-stage recipe: the keypoint autoencoder on single frames.

use std::io;

use burn::tensor::{Device, Tensor};
use chacha20::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::config::AutoencoderConfig;
use super::dataset::{Frames, centred, normals};
use super::objective::{DrawnLoss, Losses, Objective, RewardScale};
use crate::rssm::keypoint::{self, Encoder, Head, KeypointSizes};
use crate::rssm::params::{Leaves, Params, tensor_on, to_vec};

/// Stream of random numbers of this stage.
const STAGE: u64 = 1;

/// Number of other frames of the same episode whose reward is predicted from the code of a frame.
const PARTNERS: usize = 8;

/// Number of frames that are encoded at once when nothing is trained.
const ENCODE_BATCH: usize = 64;

/// The autoencoder being trained.
pub struct Autoencoder<'a> {
    config: &'a AutoencoderConfig,
    sizes: KeypointSizes,
    frames: &'a Frames,
    /// Normalised joints, `[frames, joints]`; empty without joints.
    joints: &'a [f32],
    mean_image: Vec<f32>,
}

impl<'a> Autoencoder<'a> {
    /// Prepares training on these frames.
    ///
    /// # Errors
    /// Images that cannot be read.
    pub fn new(
        config: &'a AutoencoderConfig,
        sizes: KeypointSizes,
        frames: &'a Frames,
        joints: &'a [f32],
    ) -> io::Result<Self> {
        Ok(Self {
            config,
            sizes,
            frames,
            joints,
            mean_image: frames.mean_image()?,
        })
    }

    /// Gives the loss on other frames, with the same pixels weighted.
    pub fn on<'b>(&self, frames: &'b Frames, joints: &'b [f32]) -> Autoencoder<'b>
    where
        'a: 'b,
    {
        Autoencoder {
            config: self.config,
            sizes: self.sizes,
            frames,
            joints,
            mean_image: self.mean_image.clone(),
        }
    }

    /// Parameters before the first step; the decoder starts at the mean image.
    pub fn create(&self, seed: u64) -> Params {
        let mut params = Params::default();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        keypoint::create(&mut params, &self.sizes, self.joints_width(), &mut rng);
        params
            .get_mut("decoder.2.bias")
            .values
            .copy_from_slice(&self.mean_image);
        params
    }

    fn loss_of(&self, leaves: &Leaves, drawn: FrameBatch) -> (Tensor<1>, Losses) {
        let FrameBatch {
            images,
            joints,
            noise,
            partners_joints,
            partners_rewards,
        } = drawn;
        let [batch, _] = noise.dims();
        let pixels = self.frames.pixels();
        let mut target = Vec::with_capacity(batch * pixels);
        let mut weight = Vec::with_capacity(batch * pixels);
        let scale = 1.0 / (batch * pixels) as f32;
        for image in images.chunks_exact(pixels) {
            for (byte, mean) in image.iter().zip(&self.mean_image) {
                let value = f32::from(*byte) / 255.0;
                target.push(value);
                weight.push(scale * self.config.pixel_weight((value - mean).abs()));
            }
        }
        let encoder = Encoder::new(leaves, self.sizes);
        let decoder = Head::decoder(leaves);
        let code = encoder.forward(&centred(&images)) + noise;
        let error = decoder.forward(code.clone(), joints) - leaves.tensor(target, [batch, pixels]);
        let image = (error.square() * leaves.tensor(weight, [batch, pixels])).sum();
        let reward = partners_reward(leaves, code, partners_joints, partners_rewards);
        let losses = vec![
            ("image", image.clone().into_scalar()),
            ("reward", reward.clone().into_scalar()),
        ];
        let loss = image + reward.mul_scalar(self.config.reward_weight as f32);
        (loss, losses)
    }

    /// Joints of these frames, `[frames, joints]`.
    fn joints_of(&self, device: &Device, frames: &[usize]) -> Tensor<2> {
        let width = self.joints_width();
        let values = (frames.iter()).flat_map(|frame| &self.joints[frame * width..][..width]);
        tensor_on(device, values.copied().collect(), [frames.len(), width])
    }

    fn joints_width(&self) -> usize {
        self.joints.len() / self.frames.len().max(1)
    }
}

impl Objective for Autoencoder<'_> {
    fn stream(&self) -> u64 {
        STAGE
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn draw<'a>(
        &'a self,
        count: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
        rewards: &mut RewardScale,
    ) -> io::Result<DrawnLoss<'a>> {
        let (mut chosen, mut partners) = (Vec::with_capacity(count), Vec::new());
        for _ in 0..count {
            let range = self
                .frames
                .range(rng.random_range(0..self.frames.episodes()));
            let frame = rng.random_range(range.clone());
            let span = self.config.reward_span;
            let near = range.start.max(frame.saturating_sub(span))
                ..range.end.min(frame.saturating_add(span).saturating_add(1));
            chosen.push(frame);
            partners.extend((0..PARTNERS).map(|_| rng.random_range(near.clone())));
        }
        let noise = normals(count * self.sizes.code, rng)
            .into_iter()
            .map(|x| x * self.config.code_noise as f32)
            .collect();
        let targets = self.frames.reward_targets();
        let mut partners_rewards: Vec<f32> = partners.iter().map(|f| targets[*f]).collect();
        rewards.apply(&mut partners_rewards);
        let drawn = FrameBatch {
            images: self.frames.bytes(&chosen)?,
            joints: (self.sizes.decoder_joints > 0).then(|| self.joints_of(device, &chosen)),
            noise: tensor_on(device, noise, [count, self.sizes.code]),
            partners_joints: (self.joints_width() > 0).then(|| self.joints_of(device, &partners)),
            partners_rewards: tensor_on(device, partners_rewards, [partners.len(), 1]),
        };
        Ok(Box::new(move |leaves| self.loss_of(leaves, drawn)))
    }
}

/// Frames drawn for a step, and others of the same episodes.
struct FrameBatch {
    /// Images, one after the other, RGB.
    images: Vec<u8>,
    /// Normalised joints that the decoder is given, `[frames, joints]`.
    joints: Option<Tensor<2>>,
    /// What is added to the codes, `[frames, code]`.
    noise: Tensor<2>,
    /// Normalised joints of the other frames, `[frames * PARTNERS, joints]`; none without joints.
    partners_joints: Option<Tensor<2>>,
    /// Rewards of the other frames, `[frames * PARTNERS, 1]`.
    partners_rewards: Tensor<2>,
}

/// How well the rewards of other frames of the same episodes follow from the codes of the chosen frames and the joints of the
/// others. A code that only says how its own frame is rewarded does not help; one that says where the goal is does.
fn partners_reward(
    leaves: &Leaves,
    code: Tensor<2>,
    joints: Option<Tensor<2>>,
    rewards: Tensor<2>,
) -> Tensor<1> {
    let [batch, width] = code.dims();
    let code = code
        .unsqueeze_dim::<3>(1)
        .repeat_dim(1, PARTNERS)
        .reshape([batch * PARTNERS, width]);
    let predicted = Head::frame_reward(leaves).forward(code, joints);
    (predicted - rewards).square().mean()
}

/// Codes of all frames, `[frames, code]`, computed on a device.
///
/// # Errors
/// Images that cannot be read.
pub fn codes(
    params: &Params,
    sizes: KeypointSizes,
    frames: &Frames,
    device: &Device,
) -> io::Result<Vec<f32>> {
    let encoder = Encoder::new(&params.leaves_on(device, false), sizes);
    let all: Vec<usize> = (0..frames.len()).collect();
    let mut codes = Vec::with_capacity(frames.len() * sizes.code);
    for chunk in all.chunks(ENCODE_BATCH) {
        codes.extend(to_vec(encoder.forward(&frames.pictures(chunk)?)));
    }
    Ok(codes)
}
