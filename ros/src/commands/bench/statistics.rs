//! Medians and percentiles of measured times, fits of growth.

/// The value below which `share` of the values lie (nearest rank); NaN without values.
pub(super) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(rank).copied().unwrap_or(f64::NAN)
}

/// The middle value; NaN without values.
pub(super) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The mean; NaN without values.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// `time = scale * h^horizon * n^state`, fitted by least squares on the logarithms.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(super) struct Growth {
    /// Exponent of the horizon.
    pub(super) horizon_exponent: f64,
    /// Exponent of the state's size.
    pub(super) state_exponent: f64,
    /// Root mean square of the relative error of the fit.
    pub(super) relative_error_rms: f64,
    /// Points fitted.
    pub(super) points: usize,
}

/// Fits the growth of `(horizon, state, time)`; none where the points do not determine it.
pub(super) fn growth(points: &[(f64, f64, f64)]) -> Option<Growth> {
    let logs: Vec<[f64; 3]> = points
        .iter()
        .map(|&(h, n, time)| [h.ln(), n.ln(), time.ln()])
        .collect();
    let count = logs.len() as f64;
    let means = [0, 1, 2].map(|i| logs.iter().map(|p| p[i]).sum::<f64>() / count);
    let moment = |i: usize, j: usize| -> f64 {
        logs.iter()
            .map(|p| (p[i] - means[i]) * (p[j] - means[j]))
            .sum()
    };
    let (hh, hn, nn) = (moment(0, 0), moment(0, 1), moment(1, 1));
    let (ht, nt) = (moment(0, 2), moment(1, 2));
    let determinant = hh * nn - hn * hn;
    // also false for NaN: no points
    if !(determinant > 1e-9 * hh * nn && hh > 0.0 && nn > 0.0) {
        return None;
    }
    let horizon_exponent = (ht * nn - nt * hn) / determinant;
    let state_exponent = (nt * hh - ht * hn) / determinant;
    let squares: f64 = logs
        .iter()
        .map(|p| {
            let fitted = means[2]
                + horizon_exponent * (p[0] - means[0])
                + state_exponent * (p[1] - means[1]);
            ((p[2] - fitted).exp() - 1.0).powi(2)
        })
        .sum();
    Some(Growth {
        horizon_exponent,
        state_exponent,
        relative_error_rms: (squares / count).sqrt(),
        points: points.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_list() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(median(&values), 3.0);
        assert_eq!(percentile(&values, 0.99), 5.0);
        assert_eq!(percentile(&values, 0.0), 1.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn exponents_are_found_again() {
        let mut points = Vec::new();
        for h in [10.0_f64, 30.0, 100.0] {
            for n in [64.0_f64, 256.0] {
                points.push((h, n, 2e-6 * h.powf(1.5) * n.powf(2.5)));
            }
        }
        let fit = growth(&points).unwrap();
        assert!((fit.horizon_exponent - 1.5).abs() < 1e-9);
        assert!((fit.state_exponent - 2.5).abs() < 1e-9);
        assert!(fit.relative_error_rms < 1e-9);
        assert_eq!(growth(&points[..1]), None);
        assert_eq!(growth(&[]), None);
        let one_state: Vec<_> = points.iter().copied().filter(|p| p.1 == 64.0).collect();
        assert_eq!(growth(&one_state), None);
    }
}
