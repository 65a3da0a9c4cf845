//! Keypoint autoencoder on single frames: spatial soft-argmax makes small moving things
//! coordinates, which a plain encoder of this size leaves out of its code.

use burn::tensor::{Device, Tensor};
use chacha20::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::activation::Activation;
use super::geometry::Geometry;
use super::layers::{Dense, Mlp};
use super::params::{Leaves, Params, tensor_on};
use super::spatial::{patches, soft_argmax};

/// Kernel size, stride and padding of the two convolutions.
pub const CONV: [(usize, usize, usize); 2] = [(5, 2, 2), (3, 1, 1)];
/// Factor on the map before the soft-argmax. Weights of the usual size give almost flat maps, whose
/// expected places all lie in the middle; the exporter folds the factor into the convolution.
pub const SHARPNESS: f32 = 8.0;
/// Channels of the first convolution.
pub const CHANNELS: usize = 16;

/// Sizes of the autoencoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeypointSizes {
    /// Image height, pixels.
    pub height: usize,
    /// Image width, pixels.
    pub width: usize,
    /// Channels of the soft-argmax; each gives x, y and a presence.
    pub keypoints: usize,
    /// Width of the hidden layer between keypoints and code.
    pub hidden: usize,
    /// Width of the code.
    pub code: usize,
    /// Width of the two hidden layers of the decoder.
    pub decoder: usize,
    /// Joint values that the decoder is given after the code.
    pub decoder_joints: usize,
}

impl KeypointSizes {
    /// Where the patches of the two convolutions lie.
    pub fn geometry(&self) -> [Geometry; 2] {
        let [(kernel, stride, padding), second] = CONV;
        let first = Geometry {
            height: self.height,
            width: self.width,
            channels: 3,
            kernel,
            stride,
            padding,
        };
        let (height, width) = first.output();
        let (kernel, stride, padding) = second;
        let second = Geometry {
            height,
            width,
            channels: CHANNELS,
            kernel,
            stride,
            padding,
        };
        [first, second]
    }

    /// Height and width of the map that the soft-argmax runs over.
    pub fn map(&self) -> (usize, usize) {
        self.geometry()[1].output()
    }
}

/// Creates the parameters of encoder (`encoder.*`), decoder (`decoder.*`) and, for `joints` joint
/// values beside the code, of a reward head (`frame_reward.*`).
pub fn create(params: &mut Params, sizes: &KeypointSizes, joints: usize, rng: &mut ChaCha8Rng) {
    let [first, second] = sizes.geometry();
    params.add_dense("encoder.conv1", first.patch(), CHANNELS, rng);
    params.add_dense("encoder.conv2", second.patch(), sizes.keypoints, rng);
    let features = 3 * sizes.keypoints;
    Mlp::create(
        params,
        "encoder.code",
        &[features, sizes.hidden, sizes.code],
        rng,
    );
    let pixels = sizes.height * sizes.width * 3;
    Mlp::create(
        params,
        "decoder",
        &[
            sizes.code + sizes.decoder_joints,
            sizes.decoder,
            sizes.decoder,
            pixels,
        ],
        rng,
    );
    let widths = [sizes.code + joints, sizes.hidden, sizes.hidden, 1];
    Mlp::create(params, "frame_reward", &widths, rng);
}

/// Image to code.
pub struct Encoder {
    sizes: KeypointSizes,
    conv: [Dense; 2],
    code: Mlp,
    /// x and y of each cell of the map in -1..1, `[cells, 2]`.
    grid: Vec<f32>,
    device: Device,
}

impl Encoder {
    /// The encoder with these weights.
    pub fn new(leaves: &Leaves, sizes: KeypointSizes) -> Self {
        let (rows, columns) = sizes.map();
        Self {
            sizes,
            conv: [
                Dense::new(leaves, "encoder.conv1", Activation::Relu),
                Dense::new(leaves, "encoder.conv2", Activation::Linear),
            ],
            code: Mlp::new(leaves, "encoder.code", 2, Activation::Elu),
            grid: grid(rows, columns),
            device: leaves.device().clone(),
        }
    }

    /// Images `[N, height, width, 3]` in -0.5..0.5, row-major, to codes `[N, code]`.
    pub fn forward(&self, images: &[f32]) -> Tensor<2> {
        let [first, second] = self.sizes.geometry();
        let shape = [images.len() / 3, 3];
        let pixels = tensor_on(&self.device, images.to_vec(), shape);
        let map = self.conv[0].forward(patches(pixels, first));
        let map = self.conv[1]
            .forward(patches(map, second))
            .mul_scalar(SHARPNESS);
        self.code.forward(soft_argmax(map, &self.grid))
    }
}

/// `(x, y)` of each cell, row-major over the map, from -1 at the first to 1 at the last.
pub fn grid(rows: usize, columns: usize) -> Vec<f32> {
    let at = |index: usize, count: usize| 2.0 * index as f32 / (count.max(2) - 1) as f32 - 1.0;
    (0..rows)
        .flat_map(|row| (0..columns).flat_map(move |column| [at(column, columns), at(row, rows)]))
        .collect()
}

/// What is predicted from codes, and from joints beside them.
pub struct Head(Mlp);

impl Head {
    /// Makes the decoder with these weights: its outputs are pixels `[N, height * width * 3]`, RGB interleaved, about 0..1.
    pub fn decoder(leaves: &Leaves) -> Self {
        Self(Mlp::new(leaves, "decoder", 3, Activation::Elu))
    }

    /// Makes the head with these weights that predicts the reward of a frame, `[N, 1]`, from its joints and the code of another
    /// frame of the same episode. It is trained with the autoencoder so that what decides the reward enters the code, and
    /// not used afterwards.
    pub fn frame_reward(leaves: &Leaves) -> Self {
        Self(Mlp::new(leaves, "frame_reward", 3, Activation::Elu))
    }

    /// Predicts from codes `[N, code]` and joints `[N, joints]`, where the head is given any.
    pub fn forward(&self, code: Tensor<2>, joints: Option<Tensor<2>>) -> Tensor<2> {
        self.0.forward(match joints {
            Some(joints) => Tensor::cat(vec![code, joints], 1),
            None => code,
        })
    }
}
