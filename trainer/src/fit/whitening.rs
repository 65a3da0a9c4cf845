//! Whitening of image codes, folded into the layers around the code.
//!
//! Without it, the RSSM's squared error is about what moves most (the arm), and what moves little
//! (the goal) is left out of the state.

use crate::rssm::params::Params;

/// Rescales the code so that all its directions have about unit deviation over `codes`
/// `[N, width]`: the last layer of `encoder` and the first of `decoder` are changed so that
/// their composition stays the same. Directions weaker than `noise` are not blown up.
pub fn fold(
    params: &mut Params,
    encoder: &str,
    decoder: &str,
    codes: &[f32],
    width: usize,
    noise: f64,
) {
    let rows = codes.len() / width;
    let mut mean = vec![0.0f64; width];
    for row in codes.chunks_exact(width) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(m, c)| *m += f64::from(*c) / rows as f64);
    }
    let mut covariance = vec![0.0f64; width * width];
    for row in codes.chunks_exact(width) {
        for i in 0..width {
            let a = f64::from(row[i]) - mean[i];
            for j in 0..=i {
                covariance[i * width + j] += a * (f64::from(row[j]) - mean[j]) / rows as f64;
            }
        }
    }
    for i in 0..width {
        for j in 0..i {
            covariance[j * width + i] = covariance[i * width + j];
        }
    }
    let (values, vectors) = symmetric_eigen(&covariance, width);
    let scale: Vec<f64> = values
        .iter()
        .map(|v| 1.0 / (v.max(0.0) + noise * noise).sqrt().max(1e-6))
        .collect();
    // whitened = (code - mean) V D; code = mean + whitened D^-1 V^T; V[k][i]: component k of vector i.
    let forward = |x: &[f64]| -> Vec<f64> {
        (0..width)
            .map(|i| {
                (0..width)
                    .map(|k| x[k] * vectors[k * width + i])
                    .sum::<f64>()
                    * scale[i]
            })
            .collect()
    };
    {
        let kernel = params.get_mut(&format!("{encoder}.kernel"));
        for row in kernel.values.chunks_exact_mut(width) {
            let old: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            row.iter_mut()
                .zip(forward(&old))
                .for_each(|(x, y)| *x = y as f32);
        }
        let bias = params.get_mut(&format!("{encoder}.bias"));
        let old: Vec<f64> = bias
            .values
            .iter()
            .zip(&mean)
            .map(|(b, m)| f64::from(*b) - m)
            .collect();
        bias.values
            .iter_mut()
            .zip(forward(&old))
            .for_each(|(x, y)| *x = y as f32);
    }
    {
        let kernel = params.get(&format!("{decoder}.kernel")).clone();
        let out = kernel.shape[1];
        let bias = params.get_mut(&format!("{decoder}.bias"));
        for (k, m) in mean.iter().enumerate() {
            let row = &kernel.values[k * out..][..out];
            bias.values
                .iter_mut()
                .zip(row)
                .for_each(|(b, w)| *b += (m * f64::from(*w)) as f32);
        }
        let folded = params.get_mut(&format!("{decoder}.kernel"));
        for i in 0..width {
            for o in 0..out {
                let sum: f64 = (0..width)
                    .map(|k| vectors[k * width + i] * f64::from(kernel.values[k * out + o]))
                    .sum();
                folded.values[i * out + o] = (sum / scale[i]) as f32;
            }
        }
    }
}

/// Eigenvalues and eigenvectors (in columns) of a symmetric matrix, by cyclic Jacobi rotations.
///
/// The order and the signs of the vectors decide which model a seed leads to, so that a library which gives others would make
/// every recorded training unrepeatable.
pub fn symmetric_eigen(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut v = vec![0.0; n * n];
    for i in 0..n {
        v[i * n + i] = 1.0;
    }
    for _ in 0..60 {
        let off: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i * n + j].powi(2))
            .sum();
        if off < 1e-24 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p * n + q].abs() < 1e-300 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (v[k * n + p], v[k * n + q]);
                    v[k * n + p] = c * x - s * y;
                    v[k * n + q] = s * x + c * y;
                }
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rssm::params::{Init, Params};
    use chacha20::ChaCha8Rng;
    use rand::SeedableRng;

    #[test]
    fn whitened_codes_are_uncorrelated_and_the_autoencoder_stays_the_same() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut params = Params::default();
        params.add_dense("encoder", 4, 3, &mut rng);
        // The code, and two inputs more.
        params.add_dense("decoder", 5, 2, &mut rng);
        params.add("unused", &[1], Init::Zeros, &mut rng);
        let inputs = crate::fit::dataset::normals(4 * 500, &mut rng);
        let layer = |params: &Params, name: &str, x: &[f32], width: usize| -> Vec<f32> {
            let (w, b) = (
                params.get(&format!("{name}.kernel")),
                params.get(&format!("{name}.bias")),
            );
            let out = w.shape[1];
            x.chunks_exact(width)
                .flat_map(|row| {
                    (0..out).map(move |o| {
                        b.values[o]
                            + (0..width)
                                .map(|i| row[i] * w.values[i * out + o])
                                .sum::<f32>()
                    })
                })
                .collect()
        };
        let with_more = |codes: &[f32]| -> Vec<f32> {
            let rows = codes.chunks_exact(3);
            rows.flat_map(|code| [code, &[0.5, -2.0]].concat())
                .collect()
        };
        let codes = layer(&params, "encoder", &inputs, 4);
        let before = layer(&params, "decoder", &with_more(&codes), 5);
        fold(&mut params, "encoder", "decoder", &codes, 3, 0.0);
        let white = layer(&params, "encoder", &inputs, 4);
        let after = layer(&params, "decoder", &with_more(&white), 5);
        for (a, b) in before.iter().zip(&after) {
            assert!((a - b).abs() < 1e-3, "{a} {b}");
        }
        for i in 0..3 {
            for j in 0..3 {
                let product: f32 = white.chunks_exact(3).map(|r| r[i] * r[j]).sum::<f32>() / 500.0;
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((product - expected).abs() < 1e-3, "{i} {j}: {product}");
            }
        }
    }
}
