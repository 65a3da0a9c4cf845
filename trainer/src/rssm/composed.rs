//! The operations of [`super::fused`] and [`super::spatial`] composed of burn's own, for
//! other devices than the CPU; burn derives their gradients.

use burn::tensor::activation::{log_sigmoid, relu, sigmoid, softmax};
use burn::tensor::{Int, Tensor, TensorData};

use super::activation::Activation;
use super::geometry::Geometry;

/// Composes [`super::fused::dense`] of burn's own operations.
pub(super) fn dense(x: Tensor<2>, w: Tensor<2>, b: Tensor<2>, activation: Activation) -> Tensor<2> {
    let y = x.matmul(w) + b;
    match activation {
        Activation::Linear => y,
        Activation::Relu => relu(y),
        Activation::Elu => relu(y.clone()) + y.clamp_max(0.0).exp() - 1.0,
    }
}

/// Composes [`super::fused::gru_gates`] of burn's own operations.
pub(super) fn gru_gates(gx: Tensor<2>, gh: Tensor<2>, h: Tensor<2>) -> Tensor<2> {
    let nd = h.dims()[1];
    let part = |x: &Tensor<2>, gate: usize| x.clone().narrow(1, gate * nd, nd);
    let u = sigmoid(part(&gx, 0) + part(&gh, 0));
    let r = sigmoid(part(&gx, 1) + part(&gh, 1));
    let c = (part(&gx, 2) + r * part(&gh, 2)).tanh();
    c.clone() + u * (h - c)
}

/// Composes [`super::fused::softplus`] of burn's own operations.
pub(super) fn softplus(x: Tensor<2>) -> Tensor<2> {
    // Not by the absolute value, whose slope at 0 burn takes as 0: new models often stand there.
    log_sigmoid(x.neg()).neg()
}

/// Composes [`super::spatial::patches`] of burn's own operations.
pub(super) fn patches(maps: Tensor<2>, geometry: Geometry) -> Tensor<2> {
    let (pixels, channels) = (geometry.height * geometry.width, geometry.channels);
    let count = maps.dims()[0] / pixels;
    let (rows, columns) = geometry.output();
    // One more pixel, of zeros, stands for the padding.
    let mut from = vec![pixels as i64; rows * columns * geometry.kernel * geometry.kernel];
    geometry.each(|to, at| from[to / channels] = (at / channels) as i64);
    let device = maps.device();
    let length = from.len();
    let from = Tensor::<1, Int>::from_data(TensorData::new(from, [length]), &device);
    let zeros = Tensor::<3>::zeros([count, 1, channels], &device);
    let padded = Tensor::cat(vec![maps.reshape([count, pixels, channels]), zeros], 1);
    padded
        .select(1, from)
        .reshape([count * rows * columns, geometry.patch()])
}

/// Composes [`super::spatial::soft_argmax`] of burn's own operations.
pub(super) fn soft_argmax(map: Tensor<2>, grid: &[f32]) -> Tensor<2> {
    let cells = grid.len() / 2;
    let [rows, k] = map.dims();
    let count = rows / cells;
    let device = map.device();
    let map = map.reshape([count, cells, k]);
    let p = softmax(map.clone(), 1);
    let expected = |values: Tensor<3>| (p.clone() * values).sum_dim(1).reshape([count, k, 1]);
    let place = |axis: usize| {
        let values: Vec<f32> = grid.iter().skip(axis).step_by(2).copied().collect();
        Tensor::<3>::from_data(TensorData::new(values, [1, cells, 1]), &device)
    };
    let features = vec![
        expected(place(0)),
        expected(place(1)),
        sigmoid(expected(map)),
    ];
    Tensor::cat(features, 2).reshape([count, 3 * k])
}

#[cfg(test)]
mod tests {
    use super::super::{fused, spatial};
    use super::*;
    use crate::rssm::keypoint::grid;
    use crate::rssm::params::{tensor, to_vec};

    type Operation<'a> = &'a dyn Fn(&[Tensor<2>]) -> Tensor<2>;

    /// Compares value and gradients of two operations on the CPU.
    fn check(shapes: &[[usize; 2]], fused: Operation, composed: Operation) {
        let run = |operation: Operation| {
            let leaves: Vec<Tensor<2>> = shapes
                .iter()
                .enumerate()
                .map(|(index, [rows, columns])| {
                    let values = (0..rows * columns)
                        .map(|i| 2.0 * (i as f32 * 1.7 + index as f32).sin())
                        .collect();
                    tensor::<2>(values, [*rows, *columns])
                        .autodiff()
                        .require_grad()
                })
                .collect();
            let y = operation(&leaves);
            let [rows, columns] = y.dims();
            let weights = (0..rows * columns)
                .map(|i| ((i * 7 + 3) % 5) as f32 - 1.5)
                .collect();
            let gradients = (y.clone() * tensor::<2>(weights, [rows, columns]))
                .sum()
                .backward();
            let mut values = vec![to_vec(y)];
            for leaf in &leaves {
                values.push(to_vec(leaf.grad(&gradients).unwrap()));
            }
            values
        };
        for (a, b) in run(fused).iter().zip(&run(composed)) {
            assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 2e-5 * (1.0 + a.abs()), "{a} {b}");
            }
        }
    }

    #[test]
    fn composed_operations_are_the_fused_ones() {
        for activation in [Activation::Linear, Activation::Elu, Activation::Relu] {
            check(
                &[[5, 3], [3, 4], [1, 4]],
                &|t| fused::dense(t[0].clone(), t[1].clone(), t[2].clone(), activation),
                &|t| dense(t[0].clone(), t[1].clone(), t[2].clone(), activation),
            );
            // Where the slope has a jump, as in a new model's zero state.
            check(
                &[[2, 3], [3, 4], [1, 4]],
                &|t| {
                    let w = t[1].clone().mul_scalar(0.0);
                    fused::dense(t[0].clone(), w, t[2].clone().mul_scalar(0.0), activation)
                },
                &|t| {
                    let w = t[1].clone().mul_scalar(0.0);
                    dense(t[0].clone(), w, t[2].clone().mul_scalar(0.0), activation)
                },
            );
        }
        check(
            &[[4, 9], [4, 9], [4, 3]],
            &|t| fused::gru_gates(t[0].clone(), t[1].clone(), t[2].clone()),
            &|t| gru_gates(t[0].clone(), t[1].clone(), t[2].clone()),
        );
        check(
            &[[6, 3]],
            &|t| fused::softplus(t[0].clone().mul_scalar(8.0)),
            &|t| softplus(t[0].clone().mul_scalar(8.0)),
        );
    }

    #[test]
    fn composed_patches_and_soft_argmax_are_the_fused_ones() {
        for (stride, padding) in [(1, 1), (2, 2), (1, 0)] {
            let geometry = Geometry {
                height: 5,
                width: 6,
                channels: 2,
                kernel: 3,
                stride,
                padding,
            };
            check(
                &[[2 * 5 * 6, 2]],
                &|t| spatial::patches(t[0].clone(), geometry),
                &|t| patches(t[0].clone(), geometry),
            );
        }
        let cells = grid(3, 4);
        check(
            &[[2 * 12, 3]],
            &|t| spatial::soft_argmax(t[0].clone(), &cells),
            &|t| soft_argmax(t[0].clone(), &cells),
        );
    }
}
