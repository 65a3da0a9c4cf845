//! Images to features, and states to images.

use ndarray::{Array1, Array2, Array4, ArrayView2, ArrayView3, Axis};

use crate::layers::sigmoid;
use crate::weights::{Decoder, Encoder, RssmWeights};

/// Features of one image `[3, height, width]`, its pixels scaled.
pub(crate) fn encode(encoder: &Encoder, pixels: ArrayView3<'_, f32>) -> Array1<f32> {
    match encoder {
        Encoder::Conv { layers } => {
            let mut x = pixels.to_owned();
            for layer in layers {
                x = layer.apply(x.view()).mapv(|v| v.max(0.0));
            }
            x.iter().copied().collect()
        }
        Encoder::Keypoint {
            layers,
            mlp: to_code,
            whiten,
        } => {
            let mut x = pixels.to_owned();
            for (index, layer) in layers.iter().enumerate() {
                x = layer.apply(x.view());
                if index + 1 < layers.len() {
                    x.mapv_inplace(|v| v.max(0.0));
                }
            }
            let (_, height, width) = x.dim();
            let grid = grid(height, width);
            let mut points = Vec::new();
            for channel in x.outer_iter() {
                let top = channel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let weights: Vec<f32> = channel.iter().map(|v| (v - top).exp()).collect();
                let total: f32 = weights.iter().sum();
                let mut sums = [0.0f32; 3];
                for ((place, &weight), &value) in grid.outer_iter().zip(&weights).zip(channel) {
                    sums[0] += weight / total * place[0];
                    sums[1] += weight / total * place[1];
                    sums[2] += weight / total * value;
                }
                points.extend([sums[0], sums[1], sigmoid(sums[2])]);
            }
            let points = Array1::from(points).insert_axis(Axis(0));
            let code = to_code.apply(points.view());
            whiten.apply(code.view()).remove_axis(Axis(0))
        }
    }
}

/// Column and row of every pixel, -1 to 1, `[height * width, 2]`.
pub fn grid(height: usize, width: usize) -> Array2<f32> {
    let place = |index: usize, count: usize| {
        if count < 2 {
            0.0
        } else {
            2.0 * index as f32 / (count - 1) as f32 - 1.0
        }
    };
    Array2::from_shape_fn((height * width, 2), |(pixel, axis)| match axis {
        0 => place(pixel % width, width),
        _ => place(pixel / width, height),
    })
}

/// Images `[N, height, width, 3]`, 0 to 1, for `state` `[N, n]`.
pub fn decode(
    w: &RssmWeights,
    state: ArrayView2<'_, f32>,
    height: usize,
    width: usize,
) -> Array4<f32> {
    let unscale = |y: f32| (y - w.pixels.offset) / (255.0 * w.pixels.scale);
    let mut images = Array4::zeros((state.nrows(), height, width, 3));
    match &w.decoder {
        Decoder::Conv { input, layers } => {
            let features = input.apply(state);
            for (mut image, row) in images.outer_iter_mut().zip(features.outer_iter()) {
                let mut x = row
                    .to_owned()
                    .into_shape_with_order((input.outputs(), 1, 1))
                    .expect("one pixel per channel");
                for (index, layer) in layers.iter().enumerate() {
                    x = layer.apply(x.view());
                    if index + 1 < layers.len() {
                        x.mapv_inplace(|v| v.max(0.0));
                    }
                }
                image.assign(&x.permuted_axes([1, 2, 0]).mapv(unscale));
            }
        }
        Decoder::Patch {
            head,
            unwhiten,
            mlp: pixels,
            patch,
            sigmoid: squash,
        } => {
            let code = unwhiten.apply(head.apply(state).view());
            let flat = pixels.apply(code.view());
            let columns = width / patch;
            for ((n, y, x, channel), pixel) in images.indexed_iter_mut() {
                let place = (y / patch) * columns + x / patch;
                let inside = (y % patch) * patch + x % patch;
                let value = flat[[n, (place * patch * patch + inside) * 3 + channel]];
                *pixel = if *squash {
                    sigmoid(value)
                } else {
                    unscale(value)
                };
            }
        }
    }
    images.mapv_inplace(|v| v.clamp(0.0, 1.0));
    images
}
