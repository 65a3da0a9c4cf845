//! Keypoint autoencoder on single frames: spatial soft-argmax makes small moving things
//! coordinates, which a plain encoder of this size leaves out of its code.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid, softmax};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::fused::Activation;
use super::layers::Mlp;
use super::params::{Init, Leaves, Params, tensor};

/// Kernel size, stride and padding of the two convolutions.
pub const CONV: [(usize, usize, usize); 2] = [(5, 2, 2), (3, 1, 1)];
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
}

impl KeypointSizes {
    /// Height and width of the map that the soft-argmax runs over.
    pub fn map(&self) -> (usize, usize) {
        let shrink = |n: usize| {
            CONV.iter().fold(n, |n, (kernel, stride, pad)| {
                (n + 2 * pad - kernel) / stride + 1
            })
        };
        (shrink(self.height), shrink(self.width))
    }
}

/// Creates the parameters of encoder (`encoder.*`) and decoder (`decoder.*`).
pub fn create(params: &mut Params, sizes: &KeypointSizes, rng: &mut ChaCha8Rng) {
    let conv = |params: &mut Params,
                rng: &mut ChaCha8Rng,
                name: &str,
                out: usize,
                inp: usize,
                k: usize| {
        let glorot = Init::Glorot {
            fan_in: inp * k * k,
            fan_out: out * k * k,
        };
        params.add(&format!("{name}.w"), &[out, inp, k, k], glorot, rng);
        params.add(&format!("{name}.b"), &[out], Init::Zeros, rng);
    };
    conv(params, rng, "encoder.conv1", CHANNELS, 3, CONV[0].0);
    conv(
        params,
        rng,
        "encoder.conv2",
        sizes.keypoints,
        CHANNELS,
        CONV[1].0,
    );
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
        &[sizes.code, sizes.decoder, sizes.decoder, pixels],
        rng,
    );
}

/// Image to code.
pub struct Encoder {
    sizes: KeypointSizes,
    conv: [(Tensor<4>, Tensor<1>); 2],
    code: Mlp,
    /// x and y of each cell of the map in -1..1, `[cells, 2]`.
    grid: Tensor<2>,
}

impl Encoder {
    /// The encoder with these weights.
    pub fn new(leaves: &Leaves, sizes: KeypointSizes) -> Self {
        let conv = |name: &str| {
            (
                leaves.get(&format!("{name}.w")),
                leaves.get(&format!("{name}.b")),
            )
        };
        let (rows, columns) = sizes.map();
        let grid = grid(rows, columns);
        Self {
            sizes,
            conv: [conv("encoder.conv1"), conv("encoder.conv2")],
            code: Mlp::new(leaves, "encoder.code", 2, Activation::Elu),
            grid: tensor(grid, [rows * columns, 2]),
        }
    }

    /// Images `[N, 3, height, width]` in 0..1, minus one half, to codes `[N, code]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let count = images.dims()[0];
        let conv = |x, index: usize| {
            let (w, b) = &self.conv[index];
            let (_, stride, pad) = CONV[index];
            let options = ConvOptions::new([stride; 2], [pad; 2], [1; 2], 1);
            conv2d(x, w.clone(), Some(b.clone()), options)
        };
        let x = conv(relu(conv(images, 0)), 1);
        let (rows, columns) = self.sizes.map();
        let map: Tensor<2> = x.reshape([count * self.sizes.keypoints, rows * columns]);
        let weight = softmax(map.clone(), 1);
        let place = weight.clone().matmul(self.grid.clone());
        let presence = sigmoid((weight * map).sum_dim(1));
        let features =
            Tensor::cat(vec![place, presence], 1).reshape([count, 3 * self.sizes.keypoints]);
        self.code.forward(features)
    }
}

/// `(x, y)` of each cell, row-major over the map, from -1 at the first to 1 at the last.
pub fn grid(rows: usize, columns: usize) -> Vec<f32> {
    let at = |index: usize, count: usize| 2.0 * index as f32 / (count.max(2) - 1) as f32 - 1.0;
    (0..rows)
        .flat_map(|row| (0..columns).flat_map(move |column| [at(column, columns), at(row, rows)]))
        .collect()
}

/// Code to image.
pub struct Decoder {
    mlp: Mlp,
}

impl Decoder {
    /// The decoder with these weights.
    pub fn new(leaves: &Leaves) -> Self {
        Self {
            mlp: Mlp::new(leaves, "decoder", 3, Activation::Elu),
        }
    }

    /// Codes `[N, code]` to pixels `[N, height * width * 3]`, RGB interleaved, about 0..1.
    pub fn forward(&self, code: Tensor<2>) -> Tensor<2> {
        self.mlp.forward(code)
    }
}
