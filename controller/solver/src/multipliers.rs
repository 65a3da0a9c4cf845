use crate::{Scalar, Settings};

/// Updates each multiplier by the violation of its constraint.
pub(crate) fn update<S: Scalar>(
    multipliers: &mut [S],
    violations: &[S],
    tolerance: f64,
    settings: &Settings,
) {
    let tolerance = S::from_f64(tolerance);
    let offset = S::from_f64(settings.log_offset);
    let rate = S::from_f64(settings.learning_rate);
    for (multiplier, &violation) in multipliers.iter_mut().zip(violations) {
        *multiplier = updated(*multiplier, violation, tolerance, offset, rate);
    }
}

/// The mean of the square roots of `values`.
pub(crate) fn mean_sqrt<S: Scalar>(values: &[S]) -> S {
    let mut sum = S::ZERO;
    for &value in values {
        sum += value.sqrt();
    }
    sum / S::from_f64(values.len() as f64)
}

/// The multiplier after its constraint was violated by `violation`:
/// `multiplier * (1 + rate * log10((violation + offset * tolerance) / tolerance))`.
///
/// Eq. 10 of Rybkin et al. 2021 with the published solver's base-10 logarithm. The factor keeps a
/// multiplier positive, grows it where the violation is above the tolerance and shrinks it below.
pub fn updated<S: Scalar>(multiplier: S, violation: S, tolerance: S, offset: S, rate: S) -> S {
    let factor = S::ONE + rate * ((violation + offset * tolerance) / tolerance).log10();
    let new = multiplier * factor;
    // one that would leave the range of the number type stays where it is
    if new > S::ZERO && new.is_finite() {
        new
    } else {
        multiplier
    }
}

#[cfg(test)]
mod tests {
    use super::updated;

    #[test]
    fn a_multiplier_grows_above_shrinks_below_and_rests_near_the_tolerance() {
        let update = |violation: f64| updated(2.0, violation, 1e-4, 0.1, 0.1);
        assert!((update(1e-2) - 2.0 * (1.0 + 0.1 * 100.1_f64.log10())).abs() < 1e-12);
        assert!((update(0.0) - 1.8).abs() < 1e-12);
        assert!((update(0.9e-4) - 2.0).abs() < 1e-12);
    }
}
