//! Whitening of image codes, folded into the layers around the code.
//!
//! Without it, the RSSM's squared error is about what moves most (the arm), and what moves little
//! (the goal) is left out of the state.

use nalgebra::DMatrix;

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
    let mut codes = matrix(codes, width);
    let mean = DMatrix::from_rows(&[codes.row_mean()]);
    for mut row in codes.row_iter_mut() {
        row -= &mean;
    }
    let eigen = (codes.tr_mul(&codes) / codes.nrows() as f64).symmetric_eigen();
    let deviation = (eigen.eigenvalues).map(|v| (v.max(0.0) + noise * noise).sqrt().max(1e-6));
    // whitened = (code - mean) V D^-1; code = mean + whitened D V^T.
    let forward = &eigen.eigenvectors * DMatrix::from_diagonal(&deviation.map(f64::recip));
    let back = DMatrix::from_diagonal(&deviation) * eigen.eigenvectors.transpose();
    change(params, encoder, |kernel, bias| {
        [kernel * &forward, (bias - &mean) * &forward]
    });
    change(params, decoder, |kernel, bias| {
        // What else a decoder is given, such as joints, stands behind the code.
        let of_code = kernel.rows(0, width);
        let mut changed = kernel.clone();
        changed.rows_mut(0, width).copy_from(&(&back * of_code));
        [changed, bias + &mean * of_code]
    });
}

/// Changes kernel `[in, out]` and bias `[1, out]` of a dense layer.
fn change(
    params: &mut Params,
    layer: &str,
    to: impl Fn(&DMatrix<f64>, &DMatrix<f64>) -> [DMatrix<f64>; 2],
) {
    let names = ["kernel", "bias"].map(|part| format!("{layer}.{part}"));
    let [kernel, bias] = names.each_ref().map(|name| {
        let parameter = params.get(name);
        matrix(&parameter.values, parameter.shape[1])
    });
    for (name, changed) in names.iter().zip(to(&kernel, &bias)) {
        // A matrix has its values by columns.
        let values = changed.transpose();
        params.get_mut(name).values = values.iter().map(|x| *x as f32).collect();
    }
}

/// The matrix of row-major values.
fn matrix(values: &[f32], width: usize) -> DMatrix<f64> {
    let wide = values.iter().map(|x| f64::from(*x));
    DMatrix::from_row_iterator(values.len() / width, width, wide)
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
