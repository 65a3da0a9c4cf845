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

/// Largest violation that the multiplier of an inequality stands for: one that cannot be satisfied does not grow beyond it, and
/// is soon forgotten when it can.
const LARGEST_SHIFT: f64 = 1.0;

/// Updates each multiplier of an inequality by its value `g`, `max(0, multiplier + weight g)`: the method of multipliers
/// (Nocedal and Wright, Numerical Optimization, section 17.4). Where the step did not know of an inequality (`active` is 0), what
/// it is violated by says nothing about its multiplier.
pub(crate) fn update_inequalities<S: Scalar>(
    multipliers: &mut [S],
    values: &[S],
    active: &[S],
    weight: f64,
) {
    let (weight, largest) = (S::from_f64(weight), S::from_f64(weight * LARGEST_SHIFT));
    for ((multiplier, &value), &active) in multipliers.iter_mut().zip(values).zip(active) {
        let value = if value > S::ZERO {
            value * active
        } else {
            value
        };
        let new = (*multiplier + weight * value).maximum(S::ZERO);
        *multiplier = if new > largest { largest } else { new };
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
