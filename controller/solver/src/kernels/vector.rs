//! Products of vectors and of a row-major matrix with one vector.

use crate::Scalar;

/// Number of partial sums, which the compiler keeps in vector registers.
const LANES: usize = 16;

/// Computes `sum_i a_i b_i`.
#[inline]
pub(crate) fn dot<S: Scalar>(a: &[S], b: &[S]) -> S {
    let len = a.len().min(b.len());
    let (a, b) = (&a[..len], &b[..len]);
    let mut sums = [S::ZERO; LANES];
    let (mut chunks_a, mut chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in (&mut chunks_a).zip(&mut chunks_b) {
        for i in 0..LANES {
            sums[i] += x[i] * y[i];
        }
    }
    let mut sum = S::ZERO;
    for (&x, &y) in chunks_a.remainder().iter().zip(chunks_b.remainder()) {
        sum += x * y;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            let upper = sums[i + width];
            sums[i] += upper;
        }
        width /= 2;
    }
    sum + sums[0]
}

/// Computes `sum_i a_i b_i` for four `b`, with one reading of `a`.
#[inline]
pub(crate) fn dot4<S: Scalar>(a: &[S], b: [&[S]; 4]) -> [S; 4] {
    const LANES: usize = 8;
    let b = b.map(|b| &b[..a.len()]);
    let mut sums = [[S::ZERO; LANES]; 4];
    let whole = a.len() / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        let x = &a[i..i + LANES];
        for (sums, b) in sums.iter_mut().zip(&b) {
            let y = &b[i..i + LANES];
            for lane in 0..LANES {
                sums[lane] += x[lane] * y[lane];
            }
        }
    }
    core::array::from_fn(|r| {
        let mut sum = S::ZERO;
        for i in whole..a.len() {
            sum += a[i] * b[r][i];
        }
        let s = &sums[r];
        sum + (((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7])))
    })
}

/// Computes `y += factor * x`.
#[inline]
pub(crate) fn add_scaled<S: Scalar>(y: &mut [S], factor: S, x: &[S]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// Computes `y += x W` for `W [x.len(), y.len()]`; four rows of `W` share a pass over `y`.
#[inline]
pub(crate) fn add_row_product<S: Scalar>(y: &mut [S], x: &[S], weights: &[S]) {
    let width = y.len();
    debug_assert_eq!(weights.len(), x.len() * width);
    let mut blocks = x.chunks_exact(4);
    let mut rows = weights.chunks_exact(4 * width);
    for (x, rows) in (&mut blocks).zip(&mut rows) {
        let (row0, rest) = rows.split_at(width);
        let (row1, rest) = rest.split_at(width);
        let (row2, row3) = rest.split_at(width);
        for (j, y) in y.iter_mut().enumerate() {
            *y += (x[0] * row0[j] + x[1] * row1[j]) + (x[2] * row2[j] + x[3] * row3[j]);
        }
    }
    for (&x, row) in blocks
        .remainder()
        .iter()
        .zip(rows.remainder().chunks_exact(width))
    {
        add_scaled(y, x, row);
    }
}

#[cfg(test)]
mod tests {
    use super::{add_row_product, dot};

    #[test]
    fn vector_products_match_plain_loops() {
        for len in 0..50 {
            let a: Vec<f64> = (0..len).map(|i| (i as f64 * 0.7).sin()).collect();
            let b: Vec<f64> = (0..len).map(|i| (i as f64 * 1.3).cos()).collect();
            let plain: f64 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            assert!((dot(&a, &b) - plain).abs() < 1e-13);
            let width = 7;
            let w: Vec<f64> = (0..len * width).map(|i| (i as f64 * 0.3).sin()).collect();
            let mut y = vec![1.0; width];
            add_row_product(&mut y, &a, &w);
            for (j, &y) in y.iter().enumerate() {
                let plain: f64 = 1.0 + (0..len).map(|i| a[i] * w[i * width + j]).sum::<f64>();
                assert!((y - plain).abs() < 1e-12);
            }
        }
    }
}
