//! Stage one of the two-stage recipe: the keypoint autoencoder on single frames.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::AutoencoderConfig;
use super::dataset::{Frames, normals, step_rng};
use super::world::Losses;
use crate::rssm::keypoint::{self, Decoder, Encoder, FrameReward, KeypointSizes};
use crate::rssm::params::{Leaves, Params, tensor, to_vec};
use burn::tensor::Tensor;

/// Stream of random numbers of this stage.
const STAGE: u64 = 1;

/// Other frames of the same episode whose reward is predicted from the code of a frame.
const PARTNERS: usize = 8;

/// Frames encoded at once when nothing is trained.
const ENCODE_BATCH: usize = 64;

/// The autoencoder being trained.
pub struct Autoencoder<'a> {
    config: &'a AutoencoderConfig,
    sizes: KeypointSizes,
    frames: &'a Frames,
    /// Normalised joints, `[frames, joints]`; empty without joints.
    joints: &'a [f32],
    mean_image: Vec<f32>,
    seed: u64,
}

impl<'a> Autoencoder<'a> {
    /// Prepares training on these frames.
    pub fn new(
        config: &'a AutoencoderConfig,
        sizes: KeypointSizes,
        frames: &'a Frames,
        joints: &'a [f32],
        seed: u64,
    ) -> Self {
        Self {
            config,
            sizes,
            frames,
            joints,
            mean_image: frames.mean_image(),
            seed,
        }
    }

    /// Parameters before the first step; the decoder starts at the mean image.
    pub fn create(&self) -> Params {
        let mut params = Params::default();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        keypoint::create(&mut params, &self.sizes, self.joints_width(), &mut rng);
        params
            .get_mut("decoder.3.b")
            .values
            .copy_from_slice(&self.mean_image);
        params
    }

    /// Losses and gradients of one step.
    pub fn step(&self, params: &Params, step: usize) -> (Losses, Vec<Vec<f32>>) {
        let mut rng = step_rng(self.seed, STAGE, step);
        let batch = self.config.batch;
        let (mut chosen, mut partners) = (Vec::with_capacity(batch), Vec::new());
        for _ in 0..batch {
            let range = self
                .frames
                .range(rng.random_range(0..self.frames.episodes()));
            chosen.push(rng.random_range(range.clone()));
            partners.extend((0..PARTNERS).map(|_| rng.random_range(range.clone())));
        }
        let pixels = self.frames.pixels();
        let mut target = Vec::with_capacity(batch * pixels);
        let mut weight = Vec::with_capacity(batch * pixels);
        let scale = 1.0 / (batch * pixels) as f32;
        for &frame in &chosen {
            for (byte, mean) in self.frames.image(frame).iter().zip(&self.mean_image) {
                let value = f32::from(*byte) / 255.0;
                let differs = (value - mean).abs() > self.config.foreground_threshold as f32;
                target.push(value);
                weight.push(
                    if differs {
                        self.config.foreground_weight as f32
                    } else {
                        1.0
                    } * scale,
                );
            }
        }
        let noise = normals(batch * self.sizes.code, &mut rng)
            .into_iter()
            .map(|x| x * self.config.code_noise as f32)
            .collect();

        let leaves = params.leaves(true);
        let encoder = Encoder::new(&leaves, self.sizes);
        let decoder = Decoder::new(&leaves);
        let code = encoder.forward(&self.frames.pictures(&chosen))
            + tensor::<2>(noise, [batch, self.sizes.code]);
        let error = decoder.forward(code.clone()) - tensor::<2>(target, [batch, pixels]);
        let image = (error.square() * tensor::<2>(weight, [batch, pixels])).sum();
        let reward = self.partners_reward(&leaves, code, &partners);
        let losses = vec![
            ("image", image.clone().into_scalar()),
            ("reward", reward.clone().into_scalar()),
        ];
        let loss = image + reward.mul_scalar(self.config.reward_weight as f32);
        let gradients = leaves.gradients(&mut loss.backward());
        (losses, gradients)
    }

    /// How well the rewards of other frames of the same episodes follow from the codes of the
    /// chosen frames and the joints of the others. A code that only says how its own frame is
    /// rewarded does not help; one that says where the goal is does.
    fn partners_reward(&self, leaves: &Leaves, code: Tensor<2>, partners: &[usize]) -> Tensor<1> {
        let [batch, width] = code.dims();
        let rows = partners.len();
        let code = code
            .unsqueeze_dim::<3>(1)
            .repeat_dim(1, PARTNERS)
            .reshape([batch * PARTNERS, width]);
        let width = self.joints_width();
        let joints = (width > 0).then(|| {
            let values = partners
                .iter()
                .flat_map(|f| &self.joints[f * width..][..width]);
            tensor(values.copied().collect(), [rows, width])
        });
        let truth = partners.iter().map(|f| self.frames.rewards[*f]).collect();
        let predicted = FrameReward::new(leaves).forward(code, joints);
        (predicted - tensor::<2>(truth, [rows, 1])).square().mean()
    }

    fn joints_width(&self) -> usize {
        self.joints.len() / self.frames.len().max(1)
    }

    /// Codes of all frames, `[frames, code]`.
    pub fn codes(&self, params: &Params) -> Vec<f32> {
        codes(params, self.sizes, self.frames)
    }
}

/// Codes of all frames, `[frames, code]`.
pub fn codes(params: &Params, sizes: KeypointSizes, frames: &Frames) -> Vec<f32> {
    let encoder = Encoder::new(&params.leaves(false), sizes);
    let all: Vec<usize> = (0..frames.len()).collect();
    all.chunks(ENCODE_BATCH)
        .flat_map(|chunk| to_vec(encoder.forward(&frames.pictures(chunk))))
        .collect()
}
