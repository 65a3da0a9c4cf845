//! Operations with hand-written gradients.
//!
//! burn composes an ELU of six passes over memory and a GRU of about twenty, each with scalar
//! calls of `exp`. On two CPU cores these passes, not the products, decide the time of a training
//! step; here each layer is one product and one vectorised pass in either direction. On other
//! devices burn's own operations are used instead (`composed`).

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Tensor;

use super::activation::Activation;
use super::composed;
use super::operation::{Operation, Raw, apply, dims, from_vec, owned, slice};

/// Adds the bias to a row of a product and applies the activation, in place.
fn activate(activation: Activation, row: &mut [f32], bias: &[f32]) {
    match activation {
        Activation::Linear => row.iter_mut().zip(bias).for_each(|(y, b)| *y += b),
        Activation::Relu => row
            .iter_mut()
            .zip(bias)
            .for_each(|(y, b)| *y = (*y + b).max(0.0)),
        Activation::Elu => row.iter_mut().zip(bias).for_each(|(y, b)| {
            let x = *y + b;
            let below = exp(x.min(0.0)) - 1.0;
            *y = if x > 0.0 { x } else { below };
        }),
    }
}

/// Multiplies the gradient by the slope, which all three have as a function of the output.
fn times_slope(activation: Activation, gradient: &mut [f32], output: &[f32]) {
    match activation {
        Activation::Linear => {}
        Activation::Relu => gradient
            .iter_mut()
            .zip(output)
            .for_each(|(g, y)| *g = if *y > 0.0 { *g } else { 0.0 }),
        Activation::Elu => gradient
            .iter_mut()
            .zip(output)
            .for_each(|(g, y)| *g *= if *y > 0.0 { 1.0 } else { *y + 1.0 }),
    }
}

/// exp(x) to about one unit in the last place for |x| < 87, branch-free so that it vectorises.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = x.clamp(-87.0, 87.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    let scale = f32::from_bits(
        (((n + ROUND).to_bits() as i32 - ROUND.to_bits() as i32 + 127) << 23) as u32,
    );
    y * scale
}

#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

/// y = activation(x w + b); x `[N, in]`, w `[in, out]`, b `[1, out]`.
pub fn dense(x: Tensor<2>, w: Tensor<2>, b: Tensor<2>, activation: Activation) -> Tensor<2> {
    apply(Dense(activation), [x, w, b])
}

#[derive(Clone, Debug)]
struct Dense(Activation);

impl Operation<3> for Dense {
    /// x, w and y.
    type Kept = [Raw; 3];

    fn forward(&self, [x, w, b]: [Raw; 3]) -> (Raw, [Raw; 3]) {
        let mut y = Flex::float_matmul(x.clone(), w.clone());
        let bias = b.to_contiguous();
        let bias = slice(&bias);
        for row in y.storage_mut::<f32>().chunks_exact_mut(bias.len()) {
            activate(self.0, row, bias);
        }
        (y.clone(), [x, w, y])
    }

    fn backward(&self, [x, w, y]: [Raw; 3], mut g: Raw, wanted: [bool; 3]) -> [Option<Raw>; 3] {
        if self.0 != Activation::Linear {
            times_slope(self.0, owned(&mut g), slice(&y));
        }
        let to_x = || Flex::float_matmul(g.clone(), w.transpose(0, 1));
        let to_w = || Flex::float_matmul(x.transpose(0, 1), g.clone());
        let to_b = || {
            let [_, columns] = dims(&g);
            let mut sum = vec![0.0f32; columns];
            for row in slice(&g).chunks_exact(columns) {
                sum.iter_mut().zip(row).for_each(|(s, g)| *s += g);
            }
            from_vec(sum, [1, columns])
        };
        [
            wanted[0].then(to_x),
            wanted[1].then(to_w),
            wanted[2].then(to_b),
        ]
    }

    fn composed(&self, [x, w, b]: [Tensor<2>; 3]) -> Tensor<2> {
        composed::dense(x, w, b, self.0)
    }
}

/// The gates of a GRU with `reset_after`, gate order update, reset, candidate:
/// u = sig(gx_u + gh_u), r = sig(gx_r + gh_r), c = tanh(gx_c + r gh_c), h' = u h + (1 - u) c.
///
/// gx = x Wx + bx and gh = h Wh + bh have shape `[N, 3 nd]`, h and the result `[N, nd]`.
pub fn gru_gates(gx: Tensor<2>, gh: Tensor<2>, h: Tensor<2>) -> Tensor<2> {
    apply(GruGates, [gx, gh, h])
}

#[derive(Clone, Debug)]
struct GruGates;

impl Operation<3> for GruGates {
    /// u, r, c of every row, `[N, 3 nd]`; gh and h.
    type Kept = [Raw; 3];

    fn forward(&self, operands: [Raw; 3]) -> (Raw, [Raw; 3]) {
        let [gx, gh, h] = operands.map(|operand| operand.to_contiguous());
        let (next, gates) = gates_forward(&gx, &gh, &h);
        (next, [gates, gh, h])
    }

    fn backward(&self, [gates, gh, h]: [Raw; 3], g: Raw, _: [bool; 3]) -> [Option<Raw>; 3] {
        let [rows, nd] = dims(&h);
        let mut to_x = vec![0.0f32; rows * 3 * nd];
        let mut to_h_side = vec![0.0f32; rows * 3 * nd];
        let mut to_h = vec![0.0f32; rows * nd];
        for row in 0..rows {
            let (u, rest) = slice(&gates)[row * 3 * nd..][..3 * nd].split_at(nd);
            let (r, c) = rest.split_at(nd);
            let gh_c = &slice(&gh)[row * 3 * nd + 2 * nd..][..nd];
            let h = &slice(&h)[row * nd..][..nd];
            let g = &slice(&g)[row * nd..][..nd];
            let (xu, rest) = to_x[row * 3 * nd..][..3 * nd].split_at_mut(nd);
            let (xr, xc) = rest.split_at_mut(nd);
            let hc = &mut to_h_side[row * 3 * nd + 2 * nd..][..nd];
            let dh = &mut to_h[row * nd..][..nd];
            for j in 0..nd {
                let pre_c = g[j] * (1.0 - u[j]) * (1.0 - c[j] * c[j]);
                xu[j] = g[j] * (h[j] - c[j]) * u[j] * (1.0 - u[j]);
                xr[j] = pre_c * gh_c[j] * r[j] * (1.0 - r[j]);
                xc[j] = pre_c;
                hc[j] = pre_c * r[j];
                dh[j] = g[j] * u[j];
            }
            to_h_side[row * 3 * nd..][..2 * nd].copy_from_slice(&to_x[row * 3 * nd..][..2 * nd]);
        }
        let wide = [rows, 3 * nd];
        [(to_x, wide), (to_h_side, wide), (to_h, [rows, nd])]
            .map(|(data, shape)| Some(from_vec(data, shape)))
    }

    fn composed(&self, [gx, gh, h]: [Tensor<2>; 3]) -> Tensor<2> {
        composed::gru_gates(gx, gh, h)
    }
}

fn gates_forward(gx: &Raw, gh: &Raw, h: &Raw) -> (Raw, Raw) {
    let [rows, nd] = dims(h);
    let mut next = vec![0.0f32; rows * nd];
    let mut gates = vec![0.0f32; rows * 3 * nd];
    for row in 0..rows {
        let x = &slice(gx)[row * 3 * nd..][..3 * nd];
        let y = &slice(gh)[row * 3 * nd..][..3 * nd];
        let h = &slice(h)[row * nd..][..nd];
        let out = &mut next[row * nd..][..nd];
        let (u, rest) = gates[row * 3 * nd..][..3 * nd].split_at_mut(nd);
        let (r, c) = rest.split_at_mut(nd);
        for j in 0..nd {
            u[j] = sigmoid(x[j] + y[j]);
        }
        for j in 0..nd {
            r[j] = sigmoid(x[nd + j] + y[nd + j]);
        }
        for j in 0..nd {
            c[j] = tanh(x[2 * nd + j] + r[j] * y[2 * nd + j]);
        }
        for j in 0..nd {
            out[j] = u[j] * h[j] + (1.0 - u[j]) * c[j];
        }
    }
    (from_vec(next, [rows, nd]), from_vec(gates, [rows, 3 * nd]))
}

/// softplus(x) = log(1 + exp(x)), exact in both tails.
pub fn softplus(x: Tensor<2>) -> Tensor<2> {
    apply(Softplus, [x])
}

#[derive(Clone, Debug)]
struct Softplus;

impl Operation<1> for Softplus {
    type Kept = Raw;

    fn forward(&self, [x]: [Raw; 1]) -> (Raw, Raw) {
        let x = x.to_contiguous();
        let y = slice(&x)
            .iter()
            .map(|x| x.max(0.0) + exp(-x.abs()).ln_1p())
            .collect();
        (from_vec(y, dims(&x)), x)
    }

    fn backward(&self, x: Raw, mut g: Raw, _: [bool; 1]) -> [Option<Raw>; 1] {
        owned(&mut g)
            .iter_mut()
            .zip(slice(&x))
            .for_each(|(g, x)| *g *= sigmoid(*x));
        [Some(g)]
    }

    fn composed(&self, [x]: [Tensor<2>; 1]) -> Tensor<2> {
        composed::softplus(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rssm::params::{tensor, to_vec};

    /// Compares the gradient of `f` summed with fixed weights against central differences.
    fn check(inputs: &[(Vec<f32>, [usize; 2])], f: impl Fn(&[Tensor<2>]) -> Tensor<2>) {
        let weighted = |tensors: &[Tensor<2>]| {
            let y = f(tensors);
            let [rows, columns] = y.dims();
            let weights = (0..rows * columns)
                .map(|i| ((i * 7 + 3) % 5) as f32 - 1.5)
                .collect();
            (y * tensor::<2>(weights, [rows, columns])).sum()
        };
        let leaves: Vec<Tensor<2>> = inputs
            .iter()
            .map(|(values, shape)| {
                tensor::<2>(values.clone(), *shape)
                    .autodiff()
                    .require_grad()
            })
            .collect();
        let gradients = weighted(&leaves).backward();
        for (index, leaf) in leaves.iter().enumerate() {
            let gradient = to_vec(leaf.grad(&gradients).unwrap());
            for (at, found) in gradient.iter().enumerate() {
                let moved = |by: f32| {
                    let tensors: Vec<Tensor<2>> = inputs
                        .iter()
                        .enumerate()
                        .map(|(i, (values, shape))| {
                            let mut values = values.clone();
                            if i == index {
                                values[at] += by;
                            }
                            tensor(values, *shape)
                        })
                        .collect();
                    weighted(&tensors).into_scalar::<f32>()
                };
                let expected = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                assert!(
                    (found - expected).abs() < 2e-3 * (1.0 + expected.abs()),
                    "input {index}, value {at}: {found} instead of {expected}"
                );
            }
        }
    }

    fn values(count: usize, seed: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 1.7 + seed).sin()).collect()
    }

    #[test]
    fn exp_is_exact_to_a_few_units_in_the_last_place() {
        for i in -8_000..8_000 {
            let x = i as f32 * 0.01;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 5e-7, "exp({x})");
        }
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite());
    }

    #[test]
    fn gradients_of_dense_layers_are_those_of_finite_differences() {
        for activation in [Activation::Linear, Activation::Elu, Activation::Relu] {
            let inputs = [
                (values(12, 0.3), [4, 3]),
                (values(15, 1.1), [3, 5]),
                (values(5, 2.0), [1, 5]),
            ];
            check(&inputs, |x| {
                dense(x[0].clone(), x[1].clone(), x[2].clone(), activation)
            });
        }
    }

    #[test]
    fn gradients_of_the_gates_are_those_of_finite_differences() {
        let inputs = [
            (values(18, 0.2), [2, 9]),
            (values(18, 0.9), [2, 9]),
            (values(6, 1.4), [2, 3]),
        ];
        check(&inputs, |x| {
            gru_gates(x[0].clone(), x[1].clone(), x[2].clone())
        });
    }

    #[test]
    fn gradient_of_softplus_is_that_of_finite_differences() {
        check(&[(values(8, 0.5), [2, 4])], |x| softplus(x[0].clone()));
    }

    #[test]
    fn gradients_of_patches_and_soft_argmax_are_those_of_finite_differences() {
        use crate::rssm::geometry::Geometry;
        use crate::rssm::keypoint::grid;
        use crate::rssm::spatial::{patches, soft_argmax};
        let geometry = Geometry {
            height: 4,
            width: 3,
            channels: 2,
            kernel: 3,
            stride: 2,
            padding: 1,
        };
        check(&[(values(48, 0.1), [24, 2])], |x| {
            patches(x[0].clone(), geometry)
        });
        let cells = grid(4, 3);
        check(&[(values(48, 0.7), [24, 2])], |x| {
            soft_argmax(x[0].clone(), &cells)
        });
    }
}
