//! Products of the rows of one matrix with each other and with weights.

use super::lanes::{LANES, Task, Wide};
use crate::Scalar;

/// Adds `weight * rows rows'` to the lower triangle of a block of a matrix: entry `(r, c)`,
/// `c <= r`, lies at `matrix[r * size + c]`. Row `r` is `rows[r * stride..][..stride]`, zero padded,
/// and `stride` is a multiple of [`LANES`].
#[inline]
pub(crate) fn add_gram<S: Scalar>(
    weight: S,
    rows: &[S],
    stride: usize,
    matrix: &mut [S],
    size: usize,
) {
    S::dispatch(Gram {
        weight,
        rows,
        stride,
        matrix,
        size,
    });
}

struct Gram<'a, S> {
    weight: S,
    rows: &'a [S],
    stride: usize,
    matrix: &'a mut [S],
    size: usize,
}

impl<S: Scalar> Task<S> for Gram<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<W: Wide<S>>(mut self) {
        let count = self.rows.len() / self.stride;
        let mut r = 0;
        while r < count {
            // pairs of rows against pairs of rows; the upper entry of a diagonal pair is left out
            let height = (count - r).min(2);
            let mut c = 0;
            while c < r + height {
                if height == 2 {
                    let sums = self.block::<W, 2, 2>(r, c);
                    for (i, sums) in sums.iter().enumerate() {
                        for (j, &sum) in sums.iter().enumerate() {
                            if c + j <= r + i {
                                self.matrix[(r + i) * self.size + c + j] += self.weight * sum;
                            }
                        }
                    }
                    c += 2;
                } else {
                    let [[sum]] = self.block::<W, 1, 1>(r, c);
                    self.matrix[r * self.size + c] += self.weight * sum;
                    c += 1;
                }
            }
            r += height;
        }
    }
}

impl<S: Scalar> Gram<'_, S> {
    #[inline(always)]
    fn row(&self, r: usize) -> &[[S; LANES]] {
        self.rows[r * self.stride..][..self.stride]
            .as_chunks::<LANES>()
            .0
    }

    /// Multiplies rows `r..` with rows `c..`.
    #[inline(always)]
    fn block<W: Wide<S>, const R: usize, const C: usize>(
        &mut self,
        r: usize,
        c: usize,
    ) -> [[S; C]; R] {
        let left: [_; R] = core::array::from_fn(|i| self.row(r + i));
        let right: [_; C] = core::array::from_fn(|j| self.row(c + j));
        let chunks = self.stride / LANES;
        let mut sums = [[W::zero(); C]; R];
        for k in 0..chunks {
            let right: [W; C] = core::array::from_fn(|j| W::load(&right[j][k]));
            for i in 0..R {
                let left = W::load(&left[i][k]);
                for j in 0..C {
                    sums[i][j] = left.multiply_add(right[j], sums[i][j]);
                }
            }
        }
        sums.map(|sums| sums.map(W::sum))
    }
}

/// Computes `out[r] -= weight * sum_i rows[r][i] x[i]`; row `r` begins at `r * stride` and may be longer than
/// `x`.
#[inline]
pub(crate) fn subtract_products<S: Scalar>(
    weight: S,
    x: &[S],
    rows: &[S],
    stride: usize,
    out: &mut [S],
) {
    S::dispatch(Products {
        weight,
        x,
        rows,
        stride,
        out,
    });
}

struct Products<'a, S> {
    weight: S,
    x: &'a [S],
    rows: &'a [S],
    stride: usize,
    out: &'a mut [S],
}

impl<S: Scalar> Task<S> for Products<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<W: Wide<S>>(self) {
        let (whole, rest) = self.x.as_chunks::<LANES>();
        for (row, out) in self.rows.chunks_exact(self.stride).zip(self.out) {
            let (chunks, _) = row.as_chunks::<LANES>();
            let mut sum = W::zero();
            for (x, chunk) in whole.iter().zip(chunks) {
                sum = W::load(x).multiply_add(W::load(chunk), sum);
            }
            let mut sum = sum.sum();
            for (&x, &value) in rest.iter().zip(&row[whole.len() * LANES..]) {
                sum += x * value;
            }
            *out -= self.weight * sum;
        }
    }
}

/// Computes `out = sum_r weights[r] rows[r]`; rows and `out` have `stride` elements, a multiple of [`LANES`].
#[inline]
pub(crate) fn weighted_sum<S: Scalar>(weights: &[S], rows: &[S], stride: usize, out: &mut [S]) {
    S::dispatch(WeightedSum {
        weights,
        rows,
        stride,
        out,
    });
}

struct WeightedSum<'a, S> {
    weights: &'a [S],
    rows: &'a [S],
    stride: usize,
    out: &'a mut [S],
}

impl<S: Scalar> Task<S> for WeightedSum<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<W: Wide<S>>(self) {
        for (k, out) in self.out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut sum = W::zero();
            for (&weight, row) in self.weights.iter().zip(self.rows.chunks_exact(self.stride)) {
                let chunk = &row.as_chunks::<LANES>().0[k];
                sum = W::load(chunk).multiply_add(W::splat(weight), sum);
            }
            sum.store(out);
        }
    }
}

/// Multiplies each row of `rows [.., stride]` element by element with `factors`, which may be
/// shorter than a row.
#[inline]
pub(crate) fn scale_rows<S: Scalar>(rows: &mut [S], stride: usize, factors: &[S]) {
    S::dispatch(ScaleRows {
        rows,
        stride,
        factors,
    });
}

struct ScaleRows<'a, S> {
    rows: &'a mut [S],
    stride: usize,
    factors: &'a [S],
}

impl<S: Scalar> Task<S> for ScaleRows<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<W: Wide<S>>(self) {
        for row in self.rows.chunks_exact_mut(self.stride) {
            row.iter_mut()
                .zip(self.factors)
                .for_each(|(x, &factor)| *x *= factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::LANES;
    use super::super::wide::on_every_path;
    use super::*;

    #[test]
    fn gram_and_weighted_sum_match_plain_ones() {
        let stride = 3 * LANES;
        for count in 1..8 {
            let rows: Vec<f64> = (0..count * stride)
                .map(|i| (i as f64 * 0.7).sin())
                .collect();
            let mut matrix = vec![1.0; 64];
            add_gram(0.5, &rows, stride, &mut matrix, 8);
            let mut products = vec![1.0; count];
            subtract_products(2.0, &rows[..stride - 3], &rows, stride, &mut products);
            for (r, product) in products.iter().enumerate() {
                let plain: f64 = (0..stride - 3)
                    .map(|i| rows[i] * rows[r * stride + i])
                    .sum();
                assert!((product - (1.0 - 2.0 * plain)).abs() < 1e-12);
            }
            let weights: Vec<f64> = (0..count).map(|i| i as f64 - 1.5).collect();
            let mut out = vec![f64::NAN; stride];
            weighted_sum(&weights, &rows, stride, &mut out);
            for r in 0..8 {
                for c in 0..8 {
                    let mut plain = 1.0;
                    if c <= r && r < count {
                        plain += 0.5
                            * (0..stride)
                                .map(|i| rows[r * stride + i] * rows[c * stride + i])
                                .sum::<f64>();
                    }
                    assert!((matrix[r * 8 + c] - plain).abs() < 1e-12);
                }
            }
            for (j, &out) in out.iter().enumerate() {
                let plain: f64 = (0..count).map(|r| weights[r] * rows[r * stride + j]).sum();
                assert!((out - plain).abs() < 1e-12);
            }
        }
    }

    struct Whole<'a>(&'a [f32]);

    impl Task<f32> for Whole<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run<W: Wide<f32>>(self) -> Vec<f32> {
            let mut matrix = vec![0.0; 25];
            Gram {
                weight: 0.3,
                rows: self.0,
                stride: 4 * LANES,
                matrix: &mut matrix,
                size: 5,
            }
            .run::<W>();
            matrix
        }
    }

    #[test]
    fn fused_paths_give_the_same_bits() {
        let rows: Vec<f32> = (0..20 * LANES).map(|i| (i as f32 * 0.7).sin()).collect();
        let outputs = on_every_path(|| Whole(&rows));
        let mut fused = outputs.iter().filter(|(fused, _)| *fused);
        let first = fused.next();
        assert!(fused.all(|(_, output)| output == &first.unwrap().1));
    }
}
