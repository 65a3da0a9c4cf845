//! What all sampling has in common: ranking sequences, and a Gaussian that is refitted to the best of them.

/// A Gaussian over action sequences, in which no two actions depend on each other.
pub(super) struct SequenceGaussian {
    /// Mean of each action, `[H, na]`.
    pub(super) mean: Vec<f32>,
    /// Deviation of each action, `[H, na]`.
    pub(super) deviation: Vec<f32>,
}

impl SequenceGaussian {
    /// Makes the Gaussian of mean 0 and deviation 0 for sequences of `len` numbers.
    pub(super) fn new(len: usize) -> Self {
        Self {
            mean: vec![0.0; len],
            deviation: vec![0.0; len],
        }
    }

    /// Fits mean and deviation to `elites`, each a sequence and its weight; the weights sum up to 1. No deviation becomes
    /// less than `least`.
    pub(super) fn refit<'a>(
        &mut self,
        elites: impl Iterator<Item = (&'a [f32], f32)> + Clone,
        least: f32,
    ) {
        self.mean.fill(0.0);
        for (elite, weight) in elites.clone() {
            for (mean, action) in self.mean.iter_mut().zip(elite) {
                *mean += weight * action;
            }
        }
        self.deviation.fill(0.0);
        for (elite, weight) in elites {
            let pairs = elite.iter().zip(&self.mean);
            for (deviation, (action, mean)) in self.deviation.iter_mut().zip(pairs) {
                *deviation += weight * (action - mean) * (action - mean);
            }
        }
        for deviation in &mut self.deviation {
            *deviation = deviation.sqrt().max(least);
        }
    }

    /// Makes a sample of the noise of deviation 1 in `sequence`, within `limit`.
    pub(super) fn sample(&self, sequence: &mut [f32], limit: f32) {
        let around = self.mean.iter().zip(&self.deviation);
        for (action, (mean, deviation)) in sequence.iter_mut().zip(around) {
            *action = (mean + deviation * *action).clamp(-limit, limit);
        }
    }
}

/// Writes the numbers of all `worths` to `order` so that the best `best` come first, the best of all at the front. Of equals
/// the lower number comes first, so that the order does not depend on the sort; a worth that is not finite is the worst.
pub(super) fn rank(worths: &[f32], best: usize, order: &mut [u32]) {
    for (number, place) in order.iter_mut().enumerate() {
        *place = number as u32;
    }
    let worth = |number: u32| finite(worths[number as usize]);
    let better = |a: &u32, b: &u32| worth(*b).total_cmp(&worth(*a)).then(a.cmp(b));
    if best < order.len() {
        order.select_nth_unstable_by(best - 1, better);
    }
    order[..best].sort_unstable_by(better);
}

/// The worth, or the lowest number where it is not finite.
pub(super) fn finite(worth: f32) -> f32 {
    if worth.is_finite() {
        worth
    } else {
        f32::NEG_INFINITY
    }
}
