//! Gaussian noise by seed, the same on every machine.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of unit Gaussian numbers.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    random: ChaCha8Rng,
}

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Overwrites `values` with independent numbers of mean 0 and deviation 1 (Box-Muller).
    pub(super) fn fill(&mut self, values: &mut [f32]) {
        for pair in values.chunks_mut(2) {
            // Away from zero, where the logarithm is not finite.
            let radius = (-2.0 * self.random.random_range(1e-7_f32..1.0).ln()).sqrt();
            let angle = std::f32::consts::TAU * self.random.random_range(0.0_f32..1.0);
            let (sine, cosine) = angle.sin_cos();
            pair[0] = radius * cosine;
            if let Some(second) = pair.get_mut(1) {
                *second = radius * sine;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_mean_0_deviation_1_and_repeats_by_seed() {
        let mut values = vec![0.0; 100_001];
        Noise::new(7).fill(&mut values);
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((square - 1.0).abs() < 0.03, "{square}");
        let mut again = vec![0.0; 100_001];
        Noise::new(7).fill(&mut again);
        assert_eq!(values, again);
        Noise::new(8).fill(&mut again);
        assert_ne!(values, again);
    }
}
