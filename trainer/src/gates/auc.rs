//! Area under the receiver operating characteristic.

/// The probability that a positive scores above a negative; `None` without both, or with scores that are not
/// finite.
pub fn auc(scores: &[f32], truths: &[bool]) -> Option<f64> {
    let positive = truths.iter().filter(|t| **t).count() as f64;
    let negative = truths.len() as f64 - positive;
    if positive == 0.0 || negative == 0.0 || scores.iter().any(|s| !s.is_finite()) {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut ranks, mut first) = (0.0f64, 0);
    while first < order.len() {
        let mut last = first;
        while last + 1 < order.len() && scores[order[last + 1]] == scores[order[first]] {
            last += 1;
        }
        let rank = (first + last) as f64 / 2.0 + 1.0;
        ranks += rank * order[first..=last].iter().filter(|i| truths[**i]).count() as f64;
        first = last + 1;
    }
    Some((ranks - positive * (positive + 1.0) / 2.0) / (positive * negative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs_and_half_of_the_ties() {
        assert_eq!(
            auc(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true]),
            Some(1.0)
        );
        assert_eq!(auc(&[0.9, 0.1], &[false, true]), Some(0.0));
        assert_eq!(auc(&[0.5, 0.5, 0.5], &[false, true, true]), Some(0.5));
        let value = auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]).unwrap();
        assert!((value - 0.75).abs() < 1e-12);
    }

    #[test]
    fn auc_needs_both_kinds_and_finite_scores() {
        assert_eq!(auc(&[0.1], &[true]), None);
        assert_eq!(auc(&[f32::NAN, 0.1], &[true, false]), None);
    }
}
