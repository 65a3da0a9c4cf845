//! A constant matrix packed once, so that a product with few rows reads it in order.

use super::lanes::{LANES, Task, Wide, padded};
use crate::Scalar;

/// Row-major rows of a left factor, or a run of columns of one: row `i` is
/// `data[i * stride..][..len]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a, S> {
    pub(crate) data: &'a [S],
    pub(crate) stride: usize,
    pub(crate) len: usize,
}

impl<'a, S> Rows<'a, S> {
    /// Makes a view of rows of length `len` in memory of `stride` a row.
    #[inline]
    pub(crate) fn new(data: &'a [S], stride: usize, len: usize) -> Self {
        Self { data, stride, len }
    }

    /// The view of the rows from `first` on.
    #[inline]
    pub(crate) fn from(&self, first: usize) -> Rows<'a, S>
    where
        S: Copy,
    {
        Rows {
            data: &self.data[first * self.stride..],
            ..*self
        }
    }
}

/// Number of elements of a matrix `[inner, columns]` in panels of [`LANES`] columns, zero padded.
pub(crate) const fn packed_len(inner: usize, columns: usize) -> usize {
    padded(columns) * inner
}

/// Packs a matrix `[inner, columns]` given by its elements.
pub(crate) fn pack<S: Scalar>(
    inner: usize,
    columns: usize,
    panels: &mut [S],
    at: impl Fn(usize, usize) -> S,
) {
    debug_assert_eq!(panels.len(), packed_len(inner, columns));
    if inner == 0 {
        return;
    }
    for (p, panel) in panels.chunks_exact_mut(inner * LANES).enumerate() {
        for (i, line) in panel.chunks_exact_mut(LANES).enumerate() {
            for (j, value) in line.iter_mut().enumerate() {
                let column = p * LANES + j;
                *value = if column < columns {
                    at(i, column)
                } else {
                    S::ZERO
                };
            }
        }
    }
}

/// Computes `y = x B`, or `y += x B` with `ADD`, for `count` rows.
///
/// The rows of `x` lie in `pieces`, one behind the other: their lengths add up to the rows of `B`,
/// `inner`. `panels` are whole panels of `B`, and every row of `y` (it begins at `i * y_stride`)
/// takes as many numbers as they have columns, padding included. Negligible results become 0.
#[inline]
pub(crate) fn product<S: Scalar, const ADD: bool>(
    count: usize,
    pieces: &[Rows<'_, S>],
    inner: usize,
    panels: &[S],
    y: &mut [S],
    y_stride: usize,
) {
    debug_assert_eq!(pieces.iter().map(|piece| piece.len).sum::<usize>(), inner);
    if inner == 0 {
        return;
    }
    S::dispatch(Product::<S, ADD> {
        count,
        pieces,
        inner,
        panels,
        y,
        y_stride,
    });
}

pub(super) struct Product<'a, S, const ADD: bool> {
    count: usize,
    pieces: &'a [Rows<'a, S>],
    inner: usize,
    panels: &'a [S],
    y: &'a mut [S],
    y_stride: usize,
}

impl<S: Scalar, const ADD: bool> Task<S> for Product<'_, S, ADD> {
    type Output = ();

    #[inline(always)]
    fn run<W: Wide<S>>(mut self) {
        let panel_len = self.inner * LANES;
        let panels = self.panels.len() / panel_len;
        let mut p = 0;
        // few rows: panels side by side, so that enough sums are under way
        if self.count <= W::ROWS_OF_4 {
            while p + 4 <= panels {
                self.rows::<W, 4>(p, W::ROWS_OF_4);
                p += 4;
            }
        }
        if self.count <= W::ROWS_OF_2 || W::ROWS_OF_2 >= W::ROWS_OF_1 {
            while p + 2 <= panels {
                self.rows::<W, 2>(p, W::ROWS_OF_2);
                p += 2;
            }
        }
        while p < panels {
            self.rows::<W, 1>(p, W::ROWS_OF_1);
            p += 1;
        }
    }
}

impl<S: Scalar, const ADD: bool> Product<'_, S, ADD> {
    /// Multiplies all rows with `P` panels from panel `p` on, in blocks of about equal height.
    #[inline(always)]
    fn rows<W: Wide<S>, const P: usize>(&mut self, p: usize, most: usize) {
        let blocks = self.count.div_ceil(most);
        let mut row = 0;
        for block in 0..blocks {
            let height = (self.count - row).div_ceil(blocks - block);
            match height {
                1 => self.block::<W, P, 1>(p, row),
                2 => self.block::<W, P, 2>(p, row),
                3 => self.block::<W, P, 3>(p, row),
                4 => self.block::<W, P, 4>(p, row),
                5 if P < 4 => self.block::<W, P, 5>(p, row),
                6 if P < 4 => self.block::<W, P, 6>(p, row),
                7 if P < 4 => self.block::<W, P, 7>(p, row),
                8 if P < 4 => self.block::<W, P, 8>(p, row),
                _ => unreachable!("no block is higher than what fits into the registers"),
            }
            row += height;
        }
    }

    /// Multiplies `R` rows with `P` panels; the sums stay in registers.
    #[inline(always)]
    fn block<W: Wide<S>, const P: usize, const R: usize>(&mut self, p: usize, row: usize) {
        let panel_len = self.inner * LANES;
        let mut sums = [[W::zero(); P]; R];
        let mut first = 0;
        for piece in self.pieces {
            let x: [&[S]; R] =
                core::array::from_fn(|r| &piece.data[(row + r) * piece.stride..][..piece.len]);
            let lines: [&[[S; LANES]]; P] = core::array::from_fn(|q| {
                let panel = &self.panels[(p + q) * panel_len..][..panel_len];
                &panel.as_chunks::<LANES>().0[first..][..piece.len]
            });
            for i in 0..piece.len {
                // SAFETY: every slice of `lines` and `x` has `piece.len` elements
                #[allow(unsafe_code)]
                let lines: [W; P] =
                    core::array::from_fn(|q| W::load(unsafe { lines[q].get_unchecked(i) }));
                for r in 0..R {
                    #[allow(unsafe_code)]
                    let x = W::splat(unsafe { *x[r].get_unchecked(i) });
                    for q in 0..P {
                        sums[r][q] = lines[q].multiply_add(x, sums[r][q]);
                    }
                }
            }
            first += piece.len;
        }
        for (r, sums) in sums.iter().enumerate() {
            let y = &mut self.y[(row + r) * self.y_stride + p * LANES..][..P * LANES];
            for (y, &sum) in y.as_chunks_mut::<LANES>().0.iter_mut().zip(sums) {
                let value = if ADD { W::load(y).add(sum) } else { sum };
                value.flush().store(y);
            }
        }
    }
}

/// Number of elements of three matrices `[inner, columns]` packed together: line `i` of a panel holds line
/// `i` of each.
pub(crate) const fn triple_len(inner: usize, columns: usize) -> usize {
    3 * packed_len(inner, columns)
}

/// Packs three matrices together, given by their elements `at(matrix, i, column)`.
pub(crate) fn pack_triple<S: Scalar>(
    inner: usize,
    columns: usize,
    panels: &mut [S],
    at: impl Fn(usize, usize, usize) -> S,
) {
    pack(3 * inner, columns, panels, |i, j| at(i % 3, i / 3, j));
}

/// Computes `y = x (diag(f0) M0 + diag(f1) M1 + diag(f2) M2)` for `count` rows and some panels of a triple
/// packing.
///
/// The sum of the matrices is formed on the way: reading three matrices waits for the second-level
/// cache, multiplying rows for the arithmetic, and together they take hardly longer than the latter.
/// `scratch` holds two panels of the sum for rows beyond those that fit into the registers.
#[inline]
pub(crate) fn formed_product<S: Scalar>(
    count: usize,
    pieces: &[Rows<'_, S>],
    panels: &[S],
    factors: [&[S]; 3],
    scratch: &mut [S],
    y: &mut [S],
    y_stride: usize,
) {
    S::dispatch(FormedProduct {
        count,
        pieces,
        panels,
        factors,
        scratch,
        y,
        y_stride,
    });
}

struct FormedProduct<'a, S> {
    count: usize,
    pieces: &'a [Rows<'a, S>],
    panels: &'a [S],
    factors: [&'a [S]; 3],
    scratch: &'a mut [S],
    y: &'a mut [S],
    y_stride: usize,
}

impl<S: Scalar> Task<S> for FormedProduct<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<W: Wide<S>>(mut self) {
        let panels = self.panels.len() / self.panel_len();
        let mut p = 0;
        if W::ROWS_OF_2 >= W::ROWS_OF_1 {
            while p + 2 <= panels {
                self.rows::<W, 2>(p, W::ROWS_OF_2);
                p += 2;
            }
        }
        while p < panels {
            self.rows::<W, 1>(p, W::ROWS_OF_1);
            p += 1;
        }
    }
}

impl<S: Scalar> FormedProduct<'_, S> {
    #[inline(always)]
    fn inner(&self) -> usize {
        self.factors[0].len()
    }

    /// Number of elements of a panel of the triple packing.
    #[inline(always)]
    fn panel_len(&self) -> usize {
        3 * self.inner() * LANES
    }

    #[inline(always)]
    fn rows<W: Wide<S>, const P: usize>(&mut self, p: usize, most: usize) {
        let height = self.count.div_ceil(self.count.div_ceil(most));
        match height {
            1 => self.first_rows::<W, P, 1>(p),
            2 => self.first_rows::<W, P, 2>(p),
            3 => self.first_rows::<W, P, 3>(p),
            4 => self.first_rows::<W, P, 4>(p),
            5 => self.first_rows::<W, P, 5>(p),
            6 => self.first_rows::<W, P, 6>(p),
            7 => self.first_rows::<W, P, 7>(p),
            8 => self.first_rows::<W, P, 8>(p),
            _ => unreachable!("no block is higher than what fits into the registers"),
        }
        if height == self.count {
            return;
        }
        let pieces: heapless::Vec<_, { crate::MAX_PARTS }> =
            self.pieces.iter().map(|piece| piece.from(height)).collect();
        let inner = self.inner();
        Product::<S, false> {
            count: self.count - height,
            pieces: &pieces,
            inner,
            panels: &self.scratch[..P * inner * LANES],
            y: &mut self.y[height * self.y_stride + p * LANES..],
            y_stride: self.y_stride,
        }
        .run::<W>();
    }

    /// Multiplies the first `R` rows with `P` panels; the sums of the panels go to the scratch memory if
    /// there are more rows.
    #[inline(always)]
    fn first_rows<W: Wide<S>, const P: usize, const R: usize>(&mut self, p: usize) {
        let (inner, panel_len) = (self.inner(), self.panel_len());
        let has_more = self.count > R;
        let (triples, _) = self.panels[p * panel_len..][..P * panel_len].as_chunks::<LANES>();
        let (formed, _) = self.scratch[..P * inner * LANES].as_chunks_mut::<LANES>();
        let mut sums = [[W::zero(); P]; R];
        let mut first = 0;
        for piece in self.pieces {
            let x: [&[S]; R] =
                core::array::from_fn(|r| &piece.data[r * piece.stride..][..piece.len]);
            let factors = self.factors.map(|factors| &factors[first..][..piece.len]);
            for i in 0..piece.len {
                let at = first + i;
                // SAFETY: `factors` have `piece.len` elements, `triples` three lines and `formed`
                // one for each of `P inner`. (No closures: one that is not inlined would leave the
                // vector registers.)
                #[allow(unsafe_code)]
                let (f0, f1, f2) = unsafe {
                    (
                        W::splat(*factors[0].get_unchecked(i)),
                        W::splat(*factors[1].get_unchecked(i)),
                        W::splat(*factors[2].get_unchecked(i)),
                    )
                };
                let mut lines = [W::zero(); P];
                for (q, line) in lines.iter_mut().enumerate() {
                    #[allow(unsafe_code)]
                    let triple = unsafe { triples.get_unchecked(3 * (q * inner + at)..) };
                    #[allow(unsafe_code)]
                    let [m0, m1, m2] = unsafe {
                        [
                            W::load(triple.get_unchecked(0)),
                            W::load(triple.get_unchecked(1)),
                            W::load(triple.get_unchecked(2)),
                        ]
                    };
                    let sum = m0.multiply_add(f0, W::zero());
                    *line = m2.multiply_add(f2, m1.multiply_add(f1, sum));
                    if has_more {
                        #[allow(unsafe_code)]
                        let formed = unsafe { formed.get_unchecked_mut(q * inner + at) };
                        line.store(formed);
                    }
                }
                for r in 0..R {
                    // SAFETY: every row has `piece.len` elements
                    #[allow(unsafe_code)]
                    let x = W::splat(unsafe { *x[r].get_unchecked(i) });
                    for q in 0..P {
                        sums[r][q] = lines[q].multiply_add(x, sums[r][q]);
                    }
                }
            }
            first += piece.len;
        }
        for (r, sums) in sums.iter().enumerate() {
            let y = &mut self.y[r * self.y_stride + p * LANES..][..P * LANES];
            for (y, &sum) in y.as_chunks_mut::<LANES>().0.iter_mut().zip(sums) {
                sum.flush().store(y);
            }
        }
    }
}

/// Writes one panel of `diag(f0) M0 + diag(f1) M1 + diag(f2) M2` into `out [inner, LANES]`, from that panel
/// of a triple packing.
#[inline]
pub(crate) fn scaled_sum<S: Scalar>(panel: &[S], factors: [&[S]; 3], out: &mut [S]) {
    S::dispatch(ScaledSum {
        panel,
        factors,
        out,
    });
}

struct ScaledSum<'a, S> {
    panel: &'a [S],
    factors: [&'a [S]; 3],
    out: &'a mut [S],
}

impl<S: Scalar> Task<S> for ScaledSum<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<W: Wide<S>>(self) {
        let lines = self.panel.as_chunks::<LANES>().0.as_chunks::<3>().0;
        let out = self.out.as_chunks_mut::<LANES>().0;
        let [f0, f1, f2] = self.factors.map(|factors| &factors[..out.len()]);
        let lines = &lines[..out.len()];
        for i in 0..out.len() {
            let sum = W::load(&lines[i][0]).multiply_add(W::splat(f0[i]), W::zero());
            let sum = W::load(&lines[i][1]).multiply_add(W::splat(f1[i]), sum);
            let sum = W::load(&lines[i][2]).multiply_add(W::splat(f2[i]), sum);
            sum.store(&mut out[i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wide::on_every_path;
    use super::*;

    fn numbers(len: usize, step: f64) -> Vec<f64> {
        (0..len).map(|i| (i as f64 * step).sin()).collect()
    }

    #[test]
    fn a_packed_product_matches_a_plain_one() {
        for (rows, inner, columns) in [(1, 1, 1), (3, 5, 16), (9, 7, 33), (5, 40, 95), (2, 9, 70)] {
            let b = numbers(inner * columns, 0.7);
            let x = numbers(rows * inner, 0.3);
            let mut panels = vec![f64::NAN; packed_len(inner, columns)];
            pack(inner, columns, &mut panels, |i, j| b[i * columns + j]);
            // the left factor in two pieces
            let split = inner / 2;
            let first: Vec<f64> = (0..rows)
                .flat_map(|r| x[r * inner..][..split].to_vec())
                .collect();
            let pieces = [
                Rows::new(&first, split, split),
                Rows::new(&x[split..], inner, inner - split),
            ];
            let stride = padded(columns) + 3;
            let mut y = vec![1.0; rows * stride];
            product::<f64, true>(rows, &pieces, inner, &panels, &mut y, stride);
            for r in 0..rows {
                for j in 0..columns {
                    let plain: f64 = 1.0
                        + (0..inner)
                            .map(|i| x[r * inner + i] * b[i * columns + j])
                            .sum::<f64>();
                    assert!((y[r * stride + j] - plain).abs() < 1e-12);
                }
                assert_eq!(y[r * stride + columns], 1.0, "padding adds nothing");
            }
        }
    }

    #[test]
    fn fused_paths_agree_to_the_last_bit_and_with_the_portable_one_to_rounding() {
        for rows in 1..20 {
            let (inner, columns) = (61, 77);
            let narrow = |v: Vec<f64>| v.into_iter().map(|x| x as f32).collect::<Vec<_>>();
            let b = narrow(numbers(inner * columns, 0.7));
            let x = narrow(numbers(rows * inner, 0.3));
            let mut panels = vec![0.0; packed_len(inner, columns)];
            pack(inner, columns, &mut panels, |i, j| b[i * columns + j]);
            let stride = padded(columns);
            let outputs: Vec<_> = [0.0_f32; 2]
                .into_iter()
                .flat_map(|_| {
                    on_every_path(|| Whole {
                        rows,
                        x: &x,
                        inner,
                        panels: &panels,
                        stride,
                    })
                })
                .collect();
            let fused: Vec<_> = outputs.iter().filter(|(fused, _)| *fused).collect();
            for (_, output) in &fused {
                assert_eq!(output, &fused[0].1);
            }
            for (_, output) in &outputs {
                for (a, b) in output.iter().zip(&outputs[0].1) {
                    assert!((a - b).abs() < 2e-5);
                }
            }
        }
    }

    struct Whole<'a> {
        rows: usize,
        x: &'a [f32],
        inner: usize,
        panels: &'a [f32],
        stride: usize,
    }

    impl Task<f32> for Whole<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run<W: Wide<f32>>(self) -> Vec<f32> {
            let mut y = vec![0.5; self.rows * self.stride];
            Product::<f32, true> {
                count: self.rows,
                pieces: &[Rows::new(self.x, self.inner, self.inner)],
                inner: self.inner,
                panels: self.panels,
                y: &mut y,
                y_stride: self.stride,
            }
            .run::<W>();
            y
        }
    }

    #[test]
    fn formed_products_are_those_of_the_scaled_sum() {
        for (count, columns) in [(1, 5), (3, 32), (8, 40), (9, 33), (17, 70)] {
            let inner = 13;
            let m = numbers(3 * inner * columns, 0.9);
            let f = numbers(3 * inner, 0.4);
            let x = numbers(count * inner, 0.3);
            let mut panels = vec![f64::NAN; triple_len(inner, columns)];
            pack_triple(inner, columns, &mut panels, |k, i, j| {
                m[(k * inner + i) * columns + j]
            });
            let factors: [_; 3] = core::array::from_fn(|k| &f[k * inner..][..inner]);
            let stride = padded(columns);
            let mut y = vec![f64::NAN; count * stride];
            let mut scratch = vec![f64::NAN; 2 * inner * LANES];
            let rows = [Rows::new(&x, inner, inner)];
            formed_product(count, &rows, &panels, factors, &mut scratch, &mut y, stride);
            for r in 0..count {
                for j in 0..columns {
                    let line = |i: usize| -> f64 {
                        (0..3)
                            .map(|k| factors[k][i] * m[(k * inner + i) * columns + j])
                            .sum()
                    };
                    let plain: f64 = (0..inner).map(|i| x[r * inner + i] * line(i)).sum();
                    assert!((y[r * stride + j] - plain).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn scaled_sums_match_plain_ones() {
        let (inner, columns) = (5, 20);
        let m = numbers(3 * inner * columns, 0.9);
        let f = numbers(3 * inner, 0.4);
        let mut panels = vec![f64::NAN; triple_len(inner, columns)];
        pack_triple(inner, columns, &mut panels, |k, i, j| {
            m[(k * inner + i) * columns + j]
        });
        for (p, panel) in panels.chunks_exact(3 * inner * LANES).enumerate() {
            let mut out = vec![f64::NAN; inner * LANES];
            scaled_sum(
                panel,
                core::array::from_fn(|k| &f[k * inner..][..inner]),
                &mut out,
            );
            for i in 0..inner {
                for j in 0..LANES {
                    let column = p * LANES + j;
                    let plain: f64 = if column < columns {
                        (0..3)
                            .map(|k| f[k * inner + i] * m[(k * inner + i) * columns + column])
                            .sum()
                    } else {
                        0.0
                    };
                    assert!((out[i * LANES + j] - plain).abs() < 1e-14);
                }
            }
        }
    }
}
