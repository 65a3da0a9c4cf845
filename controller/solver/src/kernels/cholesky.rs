//! Cholesky factorisation of small row-major matrices, by rows: every inner loop is a dot product
//! of two contiguous rows.

use super::vector::{add_scaled, dot, dot4};
use crate::Scalar;

/// Overwrites the lower triangle of `a [size, size]` with its factor `L`, `L L' = A`. The strict
/// upper triangle is neither read nor written.
///
/// # Errors
/// The row whose pivot is not positive (or not finite).
pub(crate) fn factorise<S: Scalar>(a: &mut [S], size: usize) -> Result<(), usize> {
    for i in 0..size {
        let (above, row) = a.split_at_mut(i * size);
        let row = &mut row[..=i];
        solve_row(above, size, i, row);
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        if !(pivot > S::ZERO && pivot.is_finite()) {
            return Err(i);
        }
        row[i] = pivot.sqrt();
    }
    Ok(())
}

/// Overwrites the first `count` elements of `row` with the solution `x` of `L x = row`, for the
/// first `count` rows of `factor [.., size]`.
#[inline]
pub(crate) fn solve_row<S: Scalar>(factor: &[S], size: usize, count: usize, row: &mut [S]) {
    for j in 0..count {
        let lower = &factor[j * size..][..=j];
        let value = row[j] - dot(&row[..j], &lower[..j]);
        row[j] = value / lower[j];
    }
}

/// Overwrites `x [size]` with the solution of `L' x = x`.
pub(crate) fn solve_transposed<S: Scalar>(factor: &[S], size: usize, x: &mut [S]) {
    for j in (0..size).rev() {
        let lower = &factor[j * size..][..=j];
        let value = x[j] / lower[j];
        x[j] = value;
        add_scaled(&mut x[..j], -value, &lower[..j]);
    }
}

/// Overwrites `x` with the solution of `L L' x = x`.
pub(crate) fn solve<S: Scalar>(factor: &[S], size: usize, x: &mut [S]) {
    solve_row(factor, size, size, x);
    solve_transposed(factor, size, x);
}

/// Does [`solve_row`] for every row of `rows [.., size]`, with the whole factor.
pub(crate) fn solve_rows<S: Scalar>(factor: &[S], size: usize, rows: &mut [S]) {
    let mut quads = rows.chunks_exact_mut(4 * size);
    for quad in &mut quads {
        let (row0, rest) = quad.split_at_mut(size);
        let (row1, rest) = rest.split_at_mut(size);
        let (row2, row3) = rest.split_at_mut(size);
        for j in 0..size {
            let lower = &factor[j * size..][..=j];
            let sums = dot4(
                &lower[..j],
                [&row0[..j], &row1[..j], &row2[..j], &row3[..j]],
            );
            row0[j] = (row0[j] - sums[0]) / lower[j];
            row1[j] = (row1[j] - sums[1]) / lower[j];
            row2[j] = (row2[j] - sums[2]) / lower[j];
            row3[j] = (row3[j] - sums[3]) / lower[j];
        }
    }
    for row in quads.into_remainder().chunks_exact_mut(size) {
        solve_row(factor, size, size, row);
    }
}

/// Subtracts `rows rows'` from the lower triangle of `a [.., size]`, for `rows [.., length]`.
pub(crate) fn subtract_outer<S: Scalar>(a: &mut [S], size: usize, rows: &[S], length: usize) {
    for (i, (row, line)) in rows
        .chunks_exact(length)
        .zip(a.chunks_exact_mut(size))
        .enumerate()
    {
        let line = &mut line[..=i];
        let mut others = rows.chunks_exact(4 * length);
        let mut quads = line.chunks_exact_mut(4);
        for (quad, others) in (&mut quads).zip(&mut others) {
            let (row0, rest) = others.split_at(length);
            let (row1, rest) = rest.split_at(length);
            let (row2, row3) = rest.split_at(length);
            let sums = dot4(row, [row0, row1, row2, row3]);
            quad.iter_mut()
                .zip(sums)
                .for_each(|(value, sum)| *value -= sum);
        }
        let first = i + 1 - (i + 1) % 4;
        for (value, other) in quads
            .into_remainder()
            .iter_mut()
            .zip(rows[first * length..].chunks_exact(length))
        {
            *value -= dot(row, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{factorise, solve};

    #[test]
    fn solves_and_names_the_bad_pivot() {
        for size in 1..30 {
            let g: Vec<f64> = (0..size * size).map(|i| (i as f64 * 1.7).sin()).collect();
            let mut a = vec![0.0; size * size];
            for i in 0..size {
                for j in 0..size {
                    a[i * size + j] = f64::from(u8::from(i == j))
                        + (0..size)
                            .map(|k| g[i * size + k] * g[j * size + k])
                            .sum::<f64>();
                }
            }
            let truth: Vec<f64> = (0..size).map(|i| i as f64 - 3.5).collect();
            let mut x: Vec<f64> = (0..size)
                .map(|i| (0..size).map(|j| a[i * size + j] * truth[j]).sum())
                .collect();
            let mut factor = a.clone();
            factorise(&mut factor, size).unwrap();
            solve(&factor, size, &mut x);
            for (x, truth) in x.iter().zip(&truth) {
                assert!((x - truth).abs() < 1e-9);
            }
            a[size * size - 1] = -1.0;
            assert_eq!(factorise(&mut a, size), Err(size - 1));
        }
        assert_eq!(factorise(&mut [f64::NAN], 1), Err(0));
    }
}
