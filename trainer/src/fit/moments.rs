//! Running mean and deviation of the rewards that a run has drawn.

use serde::{Deserialize, Serialize};

use crate::rssm::params::Params;

/// Smallest deviation that is divided by; below it all rewards count as equal.
const SMALLEST: f64 = 1e-6;

/// Count, mean and summed squares of the differences from it (Chan et al. 1979).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Takes in more values.
    pub fn update(&mut self, values: &[f32]) {
        if values.is_empty() {
            return;
        }
        let count = values.len() as f64;
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
        let squares: f64 = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum();
        let total = self.count + count;
        let apart = mean - self.mean;
        self.squares += squares + apart * apart * self.count * count / total;
        self.mean += apart * count / total;
        self.count = total;
    }

    /// Mean and deviation; 0 and 1 before the first value, deviation 1 if all were equal.
    pub fn mean_and_deviation(&self) -> (f64, f64) {
        let deviation = (self.squares / self.count.max(1.0)).sqrt();
        (
            self.mean,
            if deviation > SMALLEST { deviation } else { 1.0 },
        )
    }

    /// Replaces every value x by (x - mean) / deviation.
    pub fn normalise(&self, values: &mut [f32]) {
        let (mean, deviation) = self.mean_and_deviation();
        for value in values {
            *value = ((f64::from(*value) - mean) / deviation) as f32;
        }
    }

    /// Changes the last layer `NAME.kernel`, `NAME.bias` of a head that predicts normalised values so that
    /// it predicts them in their own unit.
    pub fn fold(&self, params: &mut Params, layer: &str) {
        let (mean, deviation) = self.mean_and_deviation();
        for weight in &mut params.get_mut(&format!("{layer}.kernel")).values {
            *weight = (f64::from(*weight) * deviation) as f32;
        }
        for bias in &mut params.get_mut(&format!("{layer}.bias")).values {
            *bias = (f64::from(*bias) * deviation + mean) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_give_the_moments_of_all_values() {
        let values: Vec<f32> = (0..100)
            .map(|i| (i as f32 * 0.7).sin() * 40.0 + 7.0)
            .collect();
        let mut moments = Moments::default();
        for batch in [&values[..3], &values[3..50], &[], &values[50..]] {
            moments.update(batch);
        }
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / 100.0;
        let variance = values
            .iter()
            .map(|x| (f64::from(*x) - mean).powi(2))
            .sum::<f64>()
            / 100.0;
        let (found_mean, deviation) = moments.mean_and_deviation();
        assert!((found_mean - mean).abs() < 1e-9, "{found_mean} {mean}");
        assert!(
            (deviation - variance.sqrt()).abs() < 1e-9,
            "{deviation} {variance}"
        );
        let mut normal = [(mean + variance.sqrt()) as f32];
        moments.normalise(&mut normal);
        assert!((normal[0] - 1.0).abs() < 1e-5, "{normal:?}");
    }

    #[test]
    fn equal_rewards_are_not_blown_up() {
        let mut moments = Moments::default();
        assert_eq!(moments.mean_and_deviation(), (0.0, 1.0));
        moments.update(&[3.0; 8]);
        assert_eq!(moments.mean_and_deviation(), (3.0, 1.0));
    }
}
