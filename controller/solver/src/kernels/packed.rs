//! A constant matrix packed once, so that a product with few rows reads it in order.

use super::wide;
use crate::Scalar;

/// Columns of a panel: they stay in vector registers while a product runs down the panel.
const PANEL: usize = 16;
/// Rows of the left factor that share one reading of a panel.
const ROWS: usize = 4;

/// A matrix `B [inner, columns]` in panels of [`PANEL`] columns, zero padded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<'a, S> {
    inner: usize,
    columns: usize,
    panels: &'a [S],
}

/// Elements of a packed matrix `[inner, columns]`.
pub(crate) const fn packed_len(inner: usize, columns: usize) -> usize {
    columns.div_ceil(PANEL) * PANEL * inner
}

/// Packs row-major `matrix [inner, columns]`.
pub(crate) fn pack<S: Scalar>(matrix: &[S], inner: usize, columns: usize, panels: &mut [S]) {
    pack_by(inner, columns, panels, |i, j| matrix[i * columns + j]);
}

/// Packs the transpose of row-major `matrix [columns, inner]`.
pub(crate) fn pack_transposed<S: Scalar>(
    matrix: &[S],
    inner: usize,
    columns: usize,
    panels: &mut [S],
) {
    pack_by(inner, columns, panels, |i, j| matrix[j * inner + i]);
}

fn pack_by<S: Scalar>(
    inner: usize,
    columns: usize,
    panels: &mut [S],
    at: impl Fn(usize, usize) -> S,
) {
    if inner == 0 {
        return;
    }
    for (p, panel) in panels.chunks_exact_mut(inner * PANEL).enumerate() {
        for (i, line) in panel.chunks_exact_mut(PANEL).enumerate() {
            for (j, value) in line.iter_mut().enumerate() {
                let column = p * PANEL + j;
                *value = if column < columns {
                    at(i, column)
                } else {
                    S::ZERO
                };
            }
        }
    }
}

impl<'a, S: Scalar> Packed<'a, S> {
    /// A matrix that was packed into `panels`.
    pub(crate) fn new(inner: usize, columns: usize, panels: &'a [S]) -> Self {
        debug_assert_eq!(panels.len(), packed_len(inner, columns));
        Self {
            inner,
            columns,
            panels,
        }
    }

    /// `y += x B` for `count` rows: row `i` of `x` begins at `i * x_stride`, of `y` at
    /// `i * y_stride`. The same bits with and without wide registers.
    #[inline]
    pub(crate) fn add_product(
        &self,
        count: usize,
        x: &[S],
        x_stride: usize,
        y: &mut [S],
        y_stride: usize,
    ) {
        if self.inner > 0 {
            wide::add_product(self, count, x, x_stride, y, y_stride);
        }
    }

    /// [`Self::add_product`] of a matrix with rows, compiled into its caller.
    #[inline(always)]
    pub(super) fn add_product_here(
        &self,
        count: usize,
        x: &[S],
        x_stride: usize,
        y: &mut [S],
        y_stride: usize,
    ) {
        for (p, panel) in self.panels.chunks_exact(self.inner * PANEL).enumerate() {
            let first = p * PANEL;
            let width = PANEL.min(self.columns - first);
            let mut row = 0;
            while row + ROWS <= count {
                let x = core::array::from_fn(|r| &x[(row + r) * x_stride..][..self.inner]);
                let sums = panel_product::<S, ROWS>(x, panel);
                for (r, sums) in sums.iter().enumerate() {
                    let y = &mut y[(row + r) * y_stride + first..][..width];
                    y.iter_mut().zip(sums).for_each(|(y, &sum)| *y += sum);
                }
                row += ROWS;
            }
            while row < count {
                let [sums] = panel_product([&x[row * x_stride..][..self.inner]], panel);
                let y = &mut y[row * y_stride + first..][..width];
                y.iter_mut().zip(&sums).for_each(|(y, &sum)| *y += sum);
                row += 1;
            }
        }
    }

    /// `y += factor * (row i of B)`.
    pub(crate) fn add_scaled_row(&self, i: usize, factor: S, y: &mut [S]) {
        for (y, panel) in y
            .chunks_mut(PANEL)
            .zip(self.panels.chunks_exact(self.inner * PANEL))
        {
            let line = &panel[i * PANEL..][..PANEL];
            y.iter_mut().zip(line).for_each(|(y, &b)| *y += factor * b);
        }
    }
}

/// The products of `R` rows `[inner]` with one panel `[inner, PANEL]`.
#[inline(always)]
fn panel_product<S: Scalar, const R: usize>(x: [&[S]; R], panel: &[S]) -> [[S; PANEL]; R] {
    let mut sums = [[S::ZERO; PANEL]; R];
    let (lines, _) = panel.as_chunks::<PANEL>();
    let x: [&[S]; R] = x.map(|x| &x[..lines.len()]);
    for (i, line) in lines.iter().enumerate() {
        for r in 0..R {
            let x = x[r][i];
            for j in 0..PANEL {
                sums[r][j] += x * line[j];
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::{Packed, pack, pack_transposed, packed_len};

    #[test]
    fn matches_a_plain_product() {
        for (rows, inner, columns) in [(1, 1, 1), (3, 5, 16), (9, 7, 33), (5, 40, 15)] {
            let b: Vec<f64> = (0..inner * columns).map(|i| (i as f64).sin()).collect();
            let bt: Vec<f64> = (0..inner * columns)
                .map(|i| b[(i % inner) * columns + i / inner])
                .collect();
            let x: Vec<f64> = (0..rows * inner).map(|i| (i as f64 * 0.3).cos()).collect();
            let mut panels = vec![f64::NAN; packed_len(inner, columns)];
            pack(&b, inner, columns, &mut panels);
            let mut other = vec![f64::NAN; packed_len(inner, columns)];
            pack_transposed(&bt, inner, columns, &mut other);
            assert_eq!(panels, other);
            let packed = Packed::new(inner, columns, &panels);
            let mut y = vec![1.0; rows * columns];
            packed.add_product(rows, &x, inner, &mut y, columns);
            for r in 0..rows {
                for j in 0..columns {
                    let plain: f64 = 1.0
                        + (0..inner)
                            .map(|i| x[r * inner + i] * b[i * columns + j])
                            .sum::<f64>();
                    assert!((y[r * columns + j] - plain).abs() < 1e-12);
                }
            }
            let mut line = vec![0.0; columns];
            packed.add_scaled_row(inner - 1, 2.0, &mut line);
            assert_eq!(line[columns - 1], 2.0 * b[inner * columns - 1]);
        }
    }
}
