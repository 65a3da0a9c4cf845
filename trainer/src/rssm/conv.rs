//! PlaNet's convolutional encoder and decoder for 64x64 images (Ha & Schmidhuber 2018).

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use chacha20::ChaCha8Rng;

use super::activation::Activation;
use super::layers::Dense;
use super::params::{Init, Leaves, Params};

/// Height and width of the images.
pub const IMAGE_SIZE: usize = 64;
/// Channels after each 4x4 convolution of stride 2.
pub const ENCODER_CHANNELS: [usize; 4] = [32, 64, 128, 256];
/// Width of the flattened last map: 2 x 2 x 256.
pub const EMBED: usize = 1024;
/// Channels and kernel size of each transposed convolution of stride 2, from 1 x 1 x 1024.
pub const DECODER: [(usize, usize); 4] = [(128, 5), (64, 5), (32, 6), (3, 6)];

/// Creates the parameters `encoder.conv1..4`.
pub fn create_encoder(params: &mut Params, rng: &mut ChaCha8Rng) {
    let mut inputs = 3;
    for (index, outputs) in ENCODER_CHANNELS.into_iter().enumerate() {
        let name = format!("encoder.conv{}", index + 1);
        let glorot = Init::Glorot {
            fan_in: inputs * 16,
            fan_out: outputs * 16,
        };
        params.add(
            &format!("{name}.kernel"),
            &[outputs, inputs, 4, 4],
            glorot,
            rng,
        );
        params.add(&format!("{name}.bias"), &[outputs], Init::Zeros, rng);
        inputs = outputs;
    }
}

/// Creates the parameters `decoder.input` and `decoder.conv1..4`; kernels `[in, out, k, k]`.
pub fn create_decoder(params: &mut Params, state: usize, rng: &mut ChaCha8Rng) {
    params.add_dense("decoder.input", state, EMBED, rng);
    let mut inputs = EMBED;
    for (index, (outputs, k)) in DECODER.into_iter().enumerate() {
        let name = format!("decoder.conv{}", index + 1);
        let glorot = Init::Glorot {
            fan_in: inputs * k * k,
            fan_out: outputs * k * k,
        };
        params.add(
            &format!("{name}.kernel"),
            &[inputs, outputs, k, k],
            glorot,
            rng,
        );
        params.add(&format!("{name}.bias"), &[outputs], Init::Zeros, rng);
        inputs = outputs;
    }
}

fn layers(leaves: &Leaves, part: &str) -> Vec<(Tensor<4>, Tensor<1>)> {
    (1..=4)
        .map(|index| {
            let name = format!("{part}.conv{index}");
            (
                leaves.get(&format!("{name}.kernel")),
                leaves.get(&format!("{name}.bias")),
            )
        })
        .collect()
}

/// Image to features.
pub struct Encoder {
    layers: Vec<(Tensor<4>, Tensor<1>)>,
}

impl Encoder {
    /// The encoder with these weights.
    pub fn new(leaves: &Leaves) -> Self {
        Self {
            layers: layers(leaves, "encoder"),
        }
    }

    /// Images `[N, 3, 64, 64]` in -0.5..0.5 to features `[N, 1024]`, channels first.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let count = images.dims()[0];
        let map = self.layers.iter().fold(images, |x, (w, b)| {
            let options = ConvOptions::new([2; 2], [0; 2], [1; 2], 1);
            relu(conv2d(x, w.clone(), Some(b.clone()), options))
        });
        map.reshape([count, EMBED])
    }
}

/// State to image.
pub struct Decoder {
    input: Dense,
    layers: Vec<(Tensor<4>, Tensor<1>)>,
}

impl Decoder {
    /// The decoder with these weights.
    pub fn new(leaves: &Leaves) -> Self {
        Self {
            input: Dense::new(leaves, "decoder.input", Activation::Linear),
            layers: layers(leaves, "decoder"),
        }
    }

    /// States `[N, n]` to images `[N, 3, 64, 64]`, about -0.5..0.5.
    pub fn forward(&self, state: Tensor<2>) -> Tensor<4> {
        let count = state.dims()[0];
        let last = self.layers.len() - 1;
        let mut x = self.input.forward(state).reshape([count, EMBED, 1, 1]);
        for (index, (w, b)) in self.layers.iter().enumerate() {
            let options = ConvTransposeOptions::new([2; 2], [0; 2], [0; 2], [1; 2], 1);
            x = conv_transpose2d(x, w.clone(), Some(b.clone()), options);
            if index != last {
                x = relu(x);
            }
        }
        x
    }
}
