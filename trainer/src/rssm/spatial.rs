//! Convolution by patches and the spatial soft-argmax, with hand-written gradients.
//!
//! Maps are matrices with one row per pixel, `[N * height * width, channels]`: a convolution is
//! then [`patches`] and a dense layer.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::composed;
use super::device::is_flex;
use super::fused::{Raw, Tracked, exp, from_vec, plain, raw, sigmoid, slice, tracked};
use super::geometry::Geometry;

/// Patches of maps, `[N * height * width, channels]` to `[N * out, patch]`.
pub fn patches(maps: Tensor<2>, geometry: Geometry) -> Tensor<2> {
    if !is_flex(&maps) {
        return composed::patches(maps, geometry);
    }
    if !maps.is_autodiff() {
        return plain(gather_all(&raw(maps), &geometry));
    }
    let maps = tracked(maps);
    let prepared = PatchesBackward
        .prepare::<NoCheckpointing>([maps.node()])
        .compute_bound()
        .stateful();
    let out = gather_all(&maps.into_primitive(), &geometry);
    let out = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(geometry, out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    };
    Tensor::from_primitive::<Tracked>(out)
}

fn gather_all(maps: &Raw, geometry: &Geometry) -> Raw {
    let maps = maps.to_contiguous();
    let (rows, columns) = geometry.output();
    let one = geometry.height * geometry.width * geometry.channels;
    let size = rows * columns * geometry.patch();
    let count = slice(&maps).len() / one;
    let mut out = vec![0.0f32; count * size];
    for (map, patches) in slice(&maps)
        .chunks_exact(one)
        .zip(out.chunks_exact_mut(size))
    {
        geometry.gather(map, patches);
    }
    from_vec(out, [count * rows * columns, geometry.patch()])
}

#[derive(Debug)]
struct PatchesBackward;

impl Backward<Flex, 1> for PatchesBackward {
    type State = Geometry;

    fn backward(self, ops: Ops<Geometry, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let geometry = ops.state;
        let g = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (rows, columns) = geometry.output();
        let one = geometry.height * geometry.width * geometry.channels;
        let size = rows * columns * geometry.patch();
        let count = slice(&g).len() / size;
        let mut out = vec![0.0f32; count * one];
        for (patches, map) in slice(&g).chunks_exact(size).zip(out.chunks_exact_mut(one)) {
            geometry.scatter(patches, map);
        }
        if let [Some(node)] = ops.parents {
            let pixels = count * geometry.height * geometry.width;
            grads.register::<Flex>(node.id, from_vec(out, [pixels, geometry.channels]));
        }
    }
}

/// Expected place and presence per channel: with p = softmax over a map's cells, x = sum p x_i,
/// y = sum p y_i and sigmoid(sum p a_i).
///
/// `map` is `[N * cells, K]`, `grid` holds `(x_i, y_i)` of each cell; the result is `[N, 3 K]`,
/// ordered x, y, presence channel by channel.
pub fn soft_argmax(map: Tensor<2>, grid: &[f32]) -> Tensor<2> {
    if !is_flex(&map) {
        return composed::soft_argmax(map, grid);
    }
    if !map.is_autodiff() {
        return plain(argmax_forward(&raw(map), grid).0);
    }
    let map = tracked(map);
    let prepared = ArgmaxBackward
        .prepare::<NoCheckpointing>([map.node()])
        .compute_bound()
        .stateful();
    let map = map.into_primitive().to_contiguous();
    let (features, weights) = argmax_forward(&map, grid);
    let out = match prepared {
        OpsKind::Tracked(prepared) => {
            let state = ArgmaxState {
                map,
                weights,
                features: features.clone(),
                grid: grid.to_vec(),
            };
            prepared.finish(state, features)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(features),
    };
    Tensor::from_primitive::<Tracked>(out)
}

#[derive(Debug)]
struct ArgmaxBackward;

#[derive(Clone, Debug)]
struct ArgmaxState {
    map: Raw,
    weights: Raw,
    features: Raw,
    grid: Vec<f32>,
}

/// Features `[N, 3 K]` and softmax weights `[N * cells, K]`.
fn argmax_forward(map: &Raw, grid: &[f32]) -> (Raw, Raw) {
    let map = map.to_contiguous();
    let cells = grid.len() / 2;
    let shape = map.shape();
    let (rows, k) = (shape[0], shape[1]);
    let count = rows / cells;
    let mut weights = vec![0.0f32; rows * k];
    let mut features = vec![0.0f32; count * 3 * k];
    let (mut top, mut sum) = (vec![0.0f32; k], vec![0.0f32; k]);
    for n in 0..count {
        let a = &slice(&map)[n * cells * k..][..cells * k];
        let p = &mut weights[n * cells * k..][..cells * k];
        let out = &mut features[n * 3 * k..][..3 * k];
        top.fill(f32::NEG_INFINITY);
        for row in a.chunks_exact(k) {
            top.iter_mut().zip(row).for_each(|(t, a)| *t = t.max(*a));
        }
        sum.fill(0.0);
        for (p, a) in p.chunks_exact_mut(k).zip(a.chunks_exact(k)) {
            for j in 0..k {
                p[j] = exp(a[j] - top[j]);
                sum[j] += p[j];
            }
        }
        for (cell, (p, a)) in p.chunks_exact_mut(k).zip(a.chunks_exact(k)).enumerate() {
            let (x, y) = (grid[2 * cell], grid[2 * cell + 1]);
            for j in 0..k {
                p[j] /= sum[j];
                out[3 * j] += p[j] * x;
                out[3 * j + 1] += p[j] * y;
                out[3 * j + 2] += p[j] * a[j];
            }
        }
        for j in 0..k {
            out[3 * j + 2] = sigmoid(out[3 * j + 2]);
        }
    }
    (
        from_vec(features, [count, 3 * k]),
        from_vec(weights, [rows, k]),
    )
}

impl Backward<Flex, 1> for ArgmaxBackward {
    type State = ArgmaxState;

    fn backward(self, ops: Ops<ArgmaxState, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ArgmaxState {
            map,
            weights,
            features,
            grid,
        } = ops.state;
        let g = grads.consume::<Flex>(&ops.node).to_contiguous();
        let cells = grid.len() / 2;
        let shape = map.shape();
        let (rows, k) = (shape[0], shape[1]);
        let mut out = vec![0.0f32; rows * k];
        for n in 0..rows / cells {
            let range = n * cells * k..(n + 1) * cells * k;
            let (a, p) = (&slice(&map)[range.clone()], &slice(&weights)[range.clone()]);
            let f = &slice(&features)[n * 3 * k..][..3 * k];
            let g = &slice(&g)[n * 3 * k..][..3 * k];
            // The expectation behind the presence, from its sigmoid.
            let mean: Vec<f32> = (0..k)
                .map(|j| {
                    let column = a.iter().skip(j).step_by(k).zip(p.iter().skip(j).step_by(k));
                    column.map(|(a, p)| a * p).sum()
                })
                .collect();
            for cell in 0..cells {
                let (x, y) = (grid[2 * cell], grid[2 * cell + 1]);
                for j in 0..k {
                    let at = cell * k + j;
                    let presence = f[3 * j + 2];
                    let slope = g[3 * j + 2] * presence * (1.0 - presence);
                    out[range.start + at] = p[at]
                        * (g[3 * j] * (x - f[3 * j])
                            + g[3 * j + 1] * (y - f[3 * j + 1])
                            + slope * (1.0 + a[at] - mean[j]));
                }
            }
        }
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, from_vec(out, [rows, k]));
        }
    }
}
