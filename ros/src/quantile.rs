//! Quantiles of samples.

/// The value below which a share `q` of the samples lies (nearest rank); `None` without samples.
pub(crate) fn quantile(samples: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = samples.iter().copied().filter(|s| s.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    sorted
        .get((q.clamp(0.0, 1.0) * sorted.len() as f64).ceil().max(1.0) as usize - 1)
        .or(sorted.get(last))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&samples, 0.5), Some(50.0));
        assert_eq!(quantile(&samples, 0.99), Some(99.0));
        assert_eq!(quantile(&samples, 1.0), Some(100.0));
        assert_eq!(quantile(&samples, 0.0), Some(1.0));
        assert_eq!(quantile(&[f64::NAN, 2.0], 0.99), Some(2.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
