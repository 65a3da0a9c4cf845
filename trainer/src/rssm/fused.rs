//! Operations with hand-written gradients.
//!
//! burn composes an ELU of six passes over memory and a GRU of about twenty, each with scalar
//! calls of `exp`. On two CPU cores these passes, not the products, decide the time of a training
//! step; here each layer is one product and one vectorised pass in either direction. On other
//! devices burn's own operations are used instead (`composed`).

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Autodiff, BackendTypes, Flex, TensorMetadata};
use burn::tensor::{Tensor, TensorData};

use super::activation::Activation;
use super::composed;
use super::device::is_flex;

pub(super) type Raw = <Flex as BackendTypes>::FloatTensorPrimitive;
pub(super) type Tracked = Autodiff<Flex, NoCheckpointing>;

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
    if !is_flex(&w) {
        return composed::dense(x, w, b, activation);
    }
    if !w.is_autodiff() && !x.is_autodiff() {
        return plain(dense_forward(raw(x), raw(w), &raw(b), activation));
    }
    let (x, w, b) = (tracked(x), tracked(w), tracked(b));
    let prepared = DenseBackward
        .prepare::<NoCheckpointing>([x.node(), w.node(), b.node()])
        .compute_bound()
        .stateful();
    let (x, w, b) = (x.into_primitive(), w.into_primitive(), b.into_primitive());
    let y = dense_forward(x.clone(), w.clone(), &b, activation);
    let out = match prepared {
        OpsKind::Tracked(prepared) => {
            let state = DenseState {
                x,
                w,
                y: y.clone(),
                activation,
            };
            prepared.finish(state, y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    };
    Tensor::from_primitive::<Tracked>(out)
}

fn dense_forward(x: Raw, w: Raw, b: &Raw, activation: Activation) -> Raw {
    let mut y = Flex::float_matmul(x, w);
    let bias = b.to_contiguous();
    let bias = slice(&bias);
    for row in y.storage_mut::<f32>().chunks_exact_mut(bias.len()) {
        activate(activation, row, bias);
    }
    y
}

#[derive(Debug)]
struct DenseBackward;

#[derive(Clone, Debug)]
struct DenseState {
    x: Raw,
    w: Raw,
    y: Raw,
    activation: Activation,
}

impl Backward<Flex, 3> for DenseBackward {
    type State = DenseState;

    fn backward(self, ops: Ops<DenseState, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let DenseState {
            x,
            w,
            y,
            activation,
        } = ops.state;
        let mut g = grads.consume::<Flex>(&ops.node).to_contiguous();
        if activation != Activation::Linear {
            times_slope(activation, owned(&mut g), slice(&y));
        }
        let [to_x, to_w, to_b] = ops.parents;
        if let Some(node) = to_x {
            grads.register::<Flex>(node.id, Flex::float_matmul(g.clone(), w.transpose(0, 1)));
        }
        if let Some(node) = to_w {
            grads.register::<Flex>(node.id, Flex::float_matmul(x.transpose(0, 1), g.clone()));
        }
        if let Some(node) = to_b {
            let columns = g.shape().num_elements() / g.shape()[0].max(1);
            let mut sum = vec![0.0f32; columns];
            for row in slice(&g).chunks_exact(columns) {
                sum.iter_mut().zip(row).for_each(|(s, g)| *s += g);
            }
            grads.register::<Flex>(node.id, from_vec(sum, [1, columns]));
        }
    }
}

/// The gates of a GRU with `reset_after`, gate order update, reset, candidate:
/// u = sig(gx_u + gh_u), r = sig(gx_r + gh_r), c = tanh(gx_c + r gh_c), h' = u h + (1 - u) c.
///
/// gx = x Wx + bx and gh = h Wh + bh have shape `[N, 3 nd]`, h and the result `[N, nd]`.
pub fn gru_gates(gx: Tensor<2>, gh: Tensor<2>, h: Tensor<2>) -> Tensor<2> {
    if !is_flex(&h) {
        return composed::gru_gates(gx, gh, h);
    }
    if !gx.is_autodiff() && !gh.is_autodiff() && !h.is_autodiff() {
        return plain(gates_forward(&raw(gx), &raw(gh), &raw(h)).0);
    }
    let (gx, gh, h) = (tracked(gx), tracked(gh), tracked(h));
    let prepared = GatesBackward
        .prepare::<NoCheckpointing>([gx.node(), gh.node(), h.node()])
        .compute_bound()
        .stateful();
    let gx = gx.into_primitive();
    let gh = gh.into_primitive().to_contiguous();
    let h = h.into_primitive().to_contiguous();
    let (next, gates) = gates_forward(&gx, &gh, &h);
    let out = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(GatesState { gates, gh, h }, next),
        OpsKind::UnTracked(prepared) => prepared.finish(next),
    };
    Tensor::from_primitive::<Tracked>(out)
}

#[derive(Debug)]
struct GatesBackward;

#[derive(Clone, Debug)]
struct GatesState {
    /// u, r, c of every row, `[N, 3 nd]`.
    gates: Raw,
    gh: Raw,
    h: Raw,
}

fn gates_forward(gx: &Raw, gh: &Raw, h: &Raw) -> (Raw, Raw) {
    let (gx, gh, h) = (gx.to_contiguous(), gh.to_contiguous(), h.to_contiguous());
    let [rows, nd] = dims(&h);
    let mut next = vec![0.0f32; rows * nd];
    let mut gates = vec![0.0f32; rows * 3 * nd];
    for row in 0..rows {
        let x = &slice(&gx)[row * 3 * nd..][..3 * nd];
        let y = &slice(&gh)[row * 3 * nd..][..3 * nd];
        let h = &slice(&h)[row * nd..][..nd];
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

impl Backward<Flex, 3> for GatesBackward {
    type State = GatesState;

    fn backward(self, ops: Ops<GatesState, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let GatesState { gates, gh, h } = ops.state;
        let g = grads.consume::<Flex>(&ops.node).to_contiguous();
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
        let [gx_node, gh_node, h_node] = ops.parents;
        if let Some(node) = gx_node {
            grads.register::<Flex>(node.id, from_vec(to_x, [rows, 3 * nd]));
        }
        if let Some(node) = gh_node {
            grads.register::<Flex>(node.id, from_vec(to_h_side, [rows, 3 * nd]));
        }
        if let Some(node) = h_node {
            grads.register::<Flex>(node.id, from_vec(to_h, [rows, nd]));
        }
    }
}

/// softplus(x) = log(1 + exp(x)), exact in both tails.
pub fn softplus(x: Tensor<2>) -> Tensor<2> {
    if !is_flex(&x) {
        return composed::softplus(x);
    }
    if !x.is_autodiff() {
        return plain(softplus_forward(&raw(x)));
    }
    let x = tracked(x);
    let prepared = SoftplusBackward
        .prepare::<NoCheckpointing>([x.node()])
        .compute_bound()
        .stateful();
    let x = x.into_primitive().to_contiguous();
    let y = softplus_forward(&x);
    let out = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(x, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    };
    Tensor::from_primitive::<Tracked>(out)
}

fn softplus_forward(x: &Raw) -> Raw {
    let x = x.to_contiguous();
    let y = slice(&x)
        .iter()
        .map(|x| x.max(0.0) + exp(-x.abs()).ln_1p())
        .collect();
    from_vec(y, dims(&x))
}

#[derive(Debug)]
struct SoftplusBackward;

impl Backward<Flex, 1> for SoftplusBackward {
    type State = Raw;

    fn backward(self, ops: Ops<Raw, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut g = grads.consume::<Flex>(&ops.node).to_contiguous();
        owned(&mut g)
            .iter_mut()
            .zip(slice(&ops.state))
            .for_each(|(g, x)| *g *= sigmoid(*x));
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, g);
        }
    }
}

pub(super) fn slice(t: &Raw) -> &[f32] {
    t.as_slice()
        .expect("operands are made contiguous f32 before they are read")
}

/// Mutable data of a contiguous tensor; copied first if it is shared or part of a larger one.
fn owned(t: &mut Raw) -> &mut [f32] {
    if !t.is_unique() || t.storage::<f32>().len() != t.shape().num_elements() {
        let shape = t.shape();
        let data = slice(t).to_vec();
        *t = Raw::from_data(TensorData::new(data, shape));
    }
    t.storage_mut()
}

fn dims(t: &Raw) -> [usize; 2] {
    let shape = t.shape();
    [shape[0], shape[1]]
}

pub(super) fn from_vec(data: Vec<f32>, shape: [usize; 2]) -> Raw {
    Raw::from_data(TensorData::new(data, shape))
}

pub(super) fn raw(t: Tensor<2>) -> Raw {
    t.try_into_primitive::<Flex>()
        .expect("fused operations are used on the CPU, which is the flex backend")
}

pub(super) fn tracked(t: Tensor<2>) -> <Tracked as BackendTypes>::FloatTensorPrimitive {
    t.autodiff()
        .try_into_primitive::<Tracked>()
        .expect("fused operations are used on the flex backend without gradient checkpointing")
}

pub(super) fn plain(t: Raw) -> Tensor<2> {
    Tensor::from_primitive::<Flex>(t)
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
