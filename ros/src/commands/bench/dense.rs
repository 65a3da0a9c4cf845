//! One step by a dense solve of the whole system: what structure saves.
//!
//! The published step (Rybkin et al. 2021, Eq. 9) written down as one symmetric matrix on all
//! `H (na + n)` unknowns `da_0, dz_1, da_1, .., dz_H`, without any use of its zeros: blocked Cholesky,
//! trailing products by the library of [`super::machine`], on as many threads as asked for.

use latco_solver::Settings;

use super::machine::{View, add_product};

/// Columns that are eliminated at a time.
const BLOCK: usize = 128;

/// The linearised problem of one step.
pub(super) struct Linearised<'a> {
    /// Size of a state, n.
    pub(super) state: usize,
    /// Size of an action, na.
    pub(super) action: usize,
    /// `dmu/dz`, `[H, n, n]`.
    pub(super) state_jacobians: &'a [f32],
    /// `dmu/da`, `[H, n, na]`.
    pub(super) action_jacobians: &'a [f32],
    /// `z_{t+1} - mu(z_t, a_t)`, `[H, n]`.
    pub(super) defects: &'a [f32],
    /// `r(z_t)`, `t = 1..H`.
    pub(super) rewards: &'a [f32],
    /// `dr/dz`, `[H, n]`.
    pub(super) gradients: &'a [f32],
    /// `[H, na]`.
    pub(super) actions: &'a [f32],
    /// lambda, `[H]`.
    pub(super) dynamics: &'a [f32],
    /// nu, `[H]`.
    pub(super) limits: &'a [f32],
}

/// Unknowns of the whole system.
pub(super) fn unknowns(state: usize, action: usize, horizon: usize) -> usize {
    horizon * (state + action)
}

/// Bytes of its matrix.
pub(super) fn matrix_bytes(unknowns: usize) -> usize {
    unknowns * unknowns * size_of::<f32>()
}

/// Multiply-adds of its factorisation.
pub(super) fn multiply_adds(unknowns: usize) -> f64 {
    (unknowns as f64).powi(3) / 6.0
}

/// Solves for the change of the plan: `x [H, na + n]`, row t being `da_t, dz_{t+1}`. `matrix` is
/// scratch memory of [`unknowns`] squared.
///
/// None if the matrix is not positive definite.
pub(super) fn solve(
    problem: &Linearised<'_>,
    settings: &Settings,
    threads: usize,
    matrix: &mut [f32],
    x: &mut [f32],
) -> Option<()> {
    assemble(problem, settings, matrix, x);
    factorise(matrix, x.len(), threads)?;
    substitute(matrix, x);
    Some(())
}

/// Writes the damped normal matrix (lower triangle) and the right-hand side.
fn assemble(p: &Linearised<'_>, settings: &Settings, matrix: &mut [f32], rhs: &mut [f32]) {
    let (n, na, size) = (p.state, p.action, rhs.len());
    let horizon = p.dynamics.len();
    let mean_sqrt =
        |v: &[f32]| v.iter().map(|x| f64::from(*x).sqrt()).sum::<f64>() / v.len() as f64;
    let normaliser = mean_sqrt(p.dynamics) + mean_sqrt(p.limits) + 1.0;
    let damping = (0.5 * settings.damping * normaliser * normaliser) as f32;
    let limit = settings.action_limit as f32;
    matrix.fill(0.0);
    rhs.fill(0.0);
    for i in 0..size {
        matrix[i * size + i] = damping;
    }
    for t in 0..horizon {
        // first unknowns of a_t, z_{t+1} and, if it is one, z_t
        let (a, next) = (t * (n + na), t * (n + na) + na);
        let now = (t > 0).then(|| a - n);
        let lambda = p.dynamics[t];
        let f = &p.state_jacobians[t * n * n..][..n * n];
        let b = &p.action_jacobians[t * n * na..][..n * na];
        let defect = &p.defects[t * n..][..n];
        let across = |values, stride| View {
            values,
            row_stride: 1,
            column_stride: stride,
        };
        let along = |values, stride| View {
            values,
            row_stride: stride,
            column_stride: 1,
        };
        let corner = |row: usize, column: usize| row * size + column;
        if let Some(z) = now {
            add_product(
                &mut matrix[corner(z, z)..],
                size,
                (n, n, n),
                lambda,
                across(f, n),
                along(f, n),
            );
            add_product(
                &mut matrix[corner(a, z)..],
                size,
                (na, n, n),
                lambda,
                across(b, na),
                along(f, n),
            );
            for i in 0..n {
                let (row, f) = (corner(next + i, z), &f[i * n..][..n]);
                for (entry, f) in matrix[row..][..n].iter_mut().zip(f) {
                    *entry -= lambda * f;
                }
                for (rhs, f) in rhs[z..][..n].iter_mut().zip(f) {
                    *rhs += lambda * defect[i] * f;
                }
            }
        }
        add_product(
            &mut matrix[corner(a, a)..],
            size,
            (na, n, na),
            lambda,
            across(b, na),
            along(b, na),
        );
        for i in 0..n {
            let b = &b[i * na..][..na];
            for (j, b) in b.iter().enumerate() {
                matrix[corner(next + i, a + j)] -= lambda * b;
                rhs[a + j] += lambda * defect[i] * b;
            }
            matrix[corner(next + i, next + i)] += lambda;
            rhs[next + i] -= lambda * defect[i];
        }
        for j in 0..na {
            let action = p.actions[t * na + j];
            let excess = action.abs() - limit;
            if excess > 0.0 {
                matrix[corner(a + j, a + j)] += p.limits[t];
                rhs[a + j] -= p.limits[t] * excess * action.signum();
            }
        }
        // softplus(-r) and its gradient
        let r = p.rewards[t];
        let residual = (-r).max(0.0) + (-r.abs()).exp().ln_1p();
        let slope = -1.0 / (1.0 + r.exp());
        let gradient = &p.gradients[t * n..][..n];
        for i in 0..n {
            let scaled = slope * slope * gradient[i];
            let row = &mut matrix[corner(next + i, next)..][..=i];
            for (entry, g) in row.iter_mut().zip(gradient) {
                *entry += scaled * g;
            }
            rhs[next + i] -= residual * slope * gradient[i];
        }
    }
}

/// Overwrites the lower triangle with the Cholesky factor.
fn factorise(matrix: &mut [f32], size: usize, threads: usize) -> Option<()> {
    let mut inverse = vec![0.0; BLOCK * BLOCK];
    let mut panel = vec![0.0; size * BLOCK];
    for first in (0..size).step_by(BLOCK) {
        let width = BLOCK.min(size - first);
        let (upper, below) = matrix.split_at_mut((first + width) * size);
        let inverse = &mut inverse[..width * width];
        factorise_block(&mut upper[first * size + first..], size, width)?;
        invert(&upper[first * size + first..], size, width, inverse);

        // X = A L^-T, then A -= X X' below, by bands of rows
        let rows = below.len() / size;
        let panel = &mut panel[..rows * width];
        let bands = |band: usize| band * BLOCK * size;
        in_turn(
            threads,
            below
                .chunks_mut(bands(1))
                .zip(panel.chunks_mut(BLOCK * width))
                .collect(),
            |(band, panel)| {
                panel.fill(0.0);
                let rows = panel.len() / width;
                let left = View {
                    values: &band[first..],
                    row_stride: size,
                    column_stride: 1,
                };
                let right = View {
                    values: inverse,
                    row_stride: 1,
                    column_stride: width,
                };
                add_product(panel, width, (rows, width, width), 1.0, left, right);
                for (row, x) in band.chunks_mut(size).zip(panel.chunks(width)) {
                    row[first..first + width].copy_from_slice(x);
                }
            },
        );
        let panel = &*panel;
        in_turn(
            threads,
            below.chunks_mut(bands(1)).enumerate().collect(),
            |(i, band)| {
                let rows = band.len() / size;
                let columns = i * BLOCK + rows;
                let left = View {
                    values: &panel[i * BLOCK * width..],
                    row_stride: width,
                    column_stride: 1,
                };
                let right = View {
                    values: panel,
                    row_stride: 1,
                    column_stride: width,
                };
                let sizes = (rows, width, columns);
                add_product(&mut band[first + width..], size, sizes, -1.0, left, right);
            },
        );
    }
    Some(())
}

/// Does `work` on all items, shared out among the threads in turn.
fn in_turn<T: Send>(threads: usize, items: Vec<T>, work: impl Fn(T) + Sync) {
    if threads == 1 {
        items.into_iter().for_each(work);
        return;
    }
    let mut shares: Vec<Vec<T>> = (0..threads).map(|_| Vec::new()).collect();
    for (i, item) in items.into_iter().enumerate() {
        shares[i % threads].push(item);
    }
    std::thread::scope(|scope| {
        for share in shares {
            scope.spawn(|| share.into_iter().for_each(&work));
        }
    });
}

/// Cholesky of one block `[width, width]` in rows of `stride`.
fn factorise_block(block: &mut [f32], stride: usize, width: usize) -> Option<()> {
    for i in 0..width {
        let (above, row) = block.split_at_mut(i * stride);
        for j in 0..i {
            let other = &above[j * stride..][..=j];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        row[i] = pivot.sqrt();
    }
    Some(())
}

/// The inverse of a lower triangular block in rows of `stride`, `[width, width]`.
fn invert(block: &[f32], stride: usize, width: usize, inverse: &mut [f32]) {
    inverse.fill(0.0);
    for i in 0..width {
        let (above, row) = inverse.split_at_mut(i * width);
        let lower = &block[i * stride..][..=i];
        for (k, factor) in lower[..i].iter().enumerate() {
            for (x, y) in row[..=k].iter_mut().zip(&above[k * width..]) {
                *x -= factor * y;
            }
        }
        row[..i].iter_mut().for_each(|x| *x /= lower[i]);
        row[i] = 1.0 / lower[i];
    }
}

/// Overwrites `x` with the solution of `L L' x = x`.
fn substitute(factor: &[f32], x: &mut [f32]) {
    let size = x.len();
    for i in 0..size {
        let row = &factor[i * size..][..=i];
        x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
    }
    for i in (0..size).rev() {
        let row = &factor[i * size..][..=i];
        x[i] /= row[i];
        let value = x[i];
        for (x, l) in x[..i].iter_mut().zip(row) {
            *x -= value * l;
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (chunks, others) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = (chunks.remainder().iter().zip(others.remainder()))
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in chunks.zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::noise::Noise;

    #[test]
    fn the_factor_solves_the_system() {
        for (size, threads) in [(5, 1), (BLOCK, 2), (2 * BLOCK + 17, 1), (3 * BLOCK + 40, 2)] {
            let mut noise = Noise::new(size as u64);
            let rows = noise.many(size * size);
            let mut matrix = vec![0.0; size * size];
            for i in 0..size {
                for j in 0..size {
                    let (a, b) = (&rows[i * size..][..size], &rows[j * size..][..size]);
                    matrix[i * size + j] = dot(a, b) / size as f32;
                }
                matrix[i * size + i] += 1.0;
            }
            let expected = noise.many(size);
            let mut x: Vec<f32> = (matrix.chunks(size))
                .map(|row| dot(row, &expected))
                .collect();
            factorise(&mut matrix, size, threads).unwrap();
            substitute(&matrix, &mut x);
            for (x, expected) in x.iter().zip(&expected) {
                assert!((x - expected).abs() < 1e-4, "{size}: {x} {expected}");
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_is_noticed() {
        assert_eq!(factorise(&mut [1.0, 0.0, 2.0, 1.0], 2, 1), None);
    }
}
