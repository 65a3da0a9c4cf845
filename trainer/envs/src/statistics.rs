//! Shares with their uncertainty, and percentiles.

/// The 95 % Wilson score interval of a share of `successes` in `trials`; (0, 1) without trials.
#[must_use]
pub fn wilson_interval(successes: usize, trials: usize) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let z = 1.959_963_984_540_054_f64;
    let n = trials as f64;
    let share = successes as f64 / n;
    let middle = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (
        ((middle - spread) / scale).max(0.0),
        ((middle + spread) / scale).min(1.0),
    )
}

/// The p-value of McNemar's exact test, two-sided: how often chance alone splits the trials of which exactly one of two
/// succeeded at least as unevenly as into `one` and `other`.
#[must_use]
pub fn mcnemar(one: u64, other: u64) -> f64 {
    let trials = one + other;
    // Logarithms of the binomial probabilities with 1/2, one from the other.
    let mut logarithm = -(trials as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for successes in 0..=one.min(other) {
        tail += logarithm.exp();
        logarithm += ((trials - successes) as f64 / (successes + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

/// The 95 % interval of the second share less the first, both of the same `trials`: in `first` of them only the first succeeded,
/// in `second` only the second. Adjusted Wald interval of Bonett and Price 2012; (-1, 1) without trials.
#[must_use]
pub fn paired_interval(first: u64, second: u64, trials: u64) -> (f64, f64) {
    if trials == 0 {
        return (-1.0, 1.0);
    }
    let z = 1.959_963_984_540_054_f64;
    let n = trials as f64 + 2.0;
    let (first, second) = ((first as f64 + 1.0) / n, (second as f64 + 1.0) / n);
    let middle = second - first;
    let spread = z * ((first + second - middle * middle) / n).sqrt();
    ((middle - spread).max(-1.0), (middle + spread).min(1.0))
}

/// The smallest value that at least the share `fraction` of all values does not exceed; 0 without
/// values. Sorts them.
pub fn percentile(values: &mut [f64], fraction: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (fraction * values.len() as f64).ceil() as usize;
    values
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // Values by hand: z = 1.96, 9 of 10.
        let (low, high) = wilson_interval(9, 10);
        assert!(
            (low - 0.5958).abs() < 1e-3 && (high - 0.9821).abs() < 1e-3,
            "{low} {high}"
        );
        assert_eq!(wilson_interval(0, 0), (0.0, 1.0));
        assert!(wilson_interval(0, 50).0.abs() < 1e-12);
        assert!((wilson_interval(50, 50).1 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn pairs_are_tested_exactly() {
        // By hand: 2 (C(10,0) + C(10,1)) / 2^10, and an even split.
        assert!((mcnemar(1, 9) - 22.0 / 1024.0).abs() < 1e-12);
        assert_eq!((mcnemar(5, 5), mcnemar(0, 0)), (1.0, 1.0));
        assert!(mcnemar(0, 5000) < 1e-300 && mcnemar(2400, 2600) > 0.004);
        // By hand: (6 + 1 and 2 + 1) / 102, middle -4 / 102.
        let (low, high) = paired_interval(6, 2, 100);
        assert!(
            (low + 0.0995).abs() < 1e-3 && (high - 0.0211).abs() < 1e-3,
            "{low} {high}"
        );
        assert_eq!(paired_interval(0, 0, 0), (-1.0, 1.0));
    }

    #[test]
    fn percentiles_are_values_of_the_list() {
        let mut values = vec![5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(percentile(&mut values, 0.5), 3.0);
        assert_eq!(percentile(&mut values, 0.99), 5.0);
        assert_eq!(percentile(&mut values, 0.0), 1.0);
        assert_eq!(percentile(&mut [], 0.5), 0.0);
    }
}
