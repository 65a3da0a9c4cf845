//! Convolution by patches and the spatial soft-argmax, with hand-written gradients.
//!
//! Maps are matrices with one row per pixel, `[N * height * width, channels]`: a convolution is
//! then [`patches`] and a dense layer.

use burn::tensor::Tensor;

use super::composed;
use super::fused::{exp, sigmoid};
use super::geometry::Geometry;
use super::operation::{Operation, Raw, apply, dims, from_vec, slice};

/// Patches of maps, `[N * height * width, channels]` to `[N * out, patch]`.
pub fn patches(maps: Tensor<2>, geometry: Geometry) -> Tensor<2> {
    apply(geometry, [maps])
}

impl Geometry {
    /// Values of one map, and of its patches.
    fn lengths(&self) -> (usize, usize) {
        let (rows, columns) = self.output();
        let map = self.height * self.width * self.channels;
        (map, rows * columns * self.patch())
    }
}

impl Operation<1> for Geometry {
    type Kept = ();

    fn forward(&self, [maps]: [Raw; 1]) -> (Raw, ()) {
        let maps = maps.to_contiguous();
        let (one, size) = self.lengths();
        let count = slice(&maps).len() / one;
        let mut out = vec![0.0f32; count * size];
        for (map, patches) in (slice(&maps).chunks_exact(one)).zip(out.chunks_exact_mut(size)) {
            self.gather(map, patches);
        }
        (
            from_vec(out, [count * size / self.patch(), self.patch()]),
            (),
        )
    }

    fn backward(&self, (): (), g: Raw, _: [bool; 1]) -> [Option<Raw>; 1] {
        let (one, size) = self.lengths();
        let count = slice(&g).len() / size;
        let mut out = vec![0.0f32; count * one];
        for (patches, map) in slice(&g).chunks_exact(size).zip(out.chunks_exact_mut(one)) {
            self.scatter(patches, map);
        }
        let shape = [count * one / self.channels, self.channels];
        [Some(from_vec(out, shape))]
    }

    fn composed(&self, [maps]: [Tensor<2>; 1]) -> Tensor<2> {
        composed::patches(maps, *self)
    }
}

/// Expected place and presence per channel: with p = softmax over a map's cells, x = sum p x_i,
/// y = sum p y_i and sigmoid(sum p a_i).
///
/// `map` is `[N * cells, K]`, `grid` holds `(x_i, y_i)` of each cell; the result is `[N, 3 K]`,
/// ordered x, y, presence channel by channel.
pub fn soft_argmax(map: Tensor<2>, grid: &[f32]) -> Tensor<2> {
    apply(SoftArgmax(grid.to_vec()), [map])
}

/// The places of the cells.
#[derive(Clone, Debug)]
struct SoftArgmax(Vec<f32>);

impl Operation<1> for SoftArgmax {
    /// The map, the softmax weights and the result.
    type Kept = [Raw; 3];

    fn forward(&self, [map]: [Raw; 1]) -> (Raw, [Raw; 3]) {
        let map = map.to_contiguous();
        let (features, weights) = argmax_forward(&map, &self.0);
        (features.clone(), [map, weights, features])
    }

    fn backward(&self, kept: [Raw; 3], g: Raw, _: [bool; 1]) -> [Option<Raw>; 1] {
        let ([map, weights, features], grid) = (kept, &self.0);
        let cells = grid.len() / 2;
        let [rows, k] = dims(&map);
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
        [Some(from_vec(out, [rows, k]))]
    }

    fn composed(&self, [map]: [Tensor<2>; 1]) -> Tensor<2> {
        composed::soft_argmax(map, &self.0)
    }
}

/// Features `[N, 3 K]` and softmax weights `[N * cells, K]`.
fn argmax_forward(map: &Raw, grid: &[f32]) -> (Raw, Raw) {
    let cells = grid.len() / 2;
    let [rows, k] = dims(map);
    let count = rows / cells;
    let mut weights = vec![0.0f32; rows * k];
    let mut features = vec![0.0f32; count * 3 * k];
    let (mut top, mut sum) = (vec![0.0f32; k], vec![0.0f32; k]);
    for n in 0..count {
        let a = &slice(map)[n * cells * k..][..cells * k];
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
