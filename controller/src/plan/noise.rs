//! Gaussian noise by seed, the same on every machine.

use chacha20::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// The position in a stream of noise, from which the numbers that follow are the same again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoiseState {
    key: [u8; 32],
    /// Number of words taken so far.
    position: u128,
}

/// A stream of unit Gaussian numbers.
#[derive(Debug)]
pub struct Noise {
    random: ChaCha8Rng,
}

impl Noise {
    /// Makes the stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The position in the stream.
    pub(super) fn state(&self) -> NoiseState {
        NoiseState {
            key: self.random.get_seed(),
            position: self.random.get_word_pos(),
        }
    }

    /// Makes a stream that goes on from `state`.
    pub(super) fn from_state(state: &NoiseState) -> Self {
        let mut random = ChaCha8Rng::from_seed(state.key);
        random.set_word_pos(state.position);
        Self { random }
    }

    /// Overwrites `values` with independent numbers of mean 0 and deviation 1 (Box-Muller).
    pub fn fill(&mut self, values: &mut [f32]) {
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

    /// Overwrites `values` with independent numbers, uniform within `limit`.
    pub fn fill_uniform(&mut self, values: &mut [f32], limit: f32) {
        for value in values {
            *value = self.random.random_range(-limit..=limit);
        }
    }
}

/// Correlations from step to step of sampled sequences, two sequences each: white noise hardly moves an arm, a nearly constant
/// action moves it far.
const CORRELATIONS: [f32; 4] = [0.0, 0.6, 0.9, 0.98];

/// Makes of independent numbers of deviation 1, `[N, H, na]`, noise of the same deviation that is correlated from step to
/// step, differently from sequence to sequence. A sequence has `len` numbers, an action `width`; `first` is the number of the
/// first sequence.
pub(super) fn correlate_sequences(values: &mut [f32], len: usize, width: usize, first: usize) {
    for (number, sequence) in values.chunks_exact_mut(len).enumerate() {
        let correlation = CORRELATIONS[(first + number) / 2 % CORRELATIONS.len()];
        correlate(sequence, width, correlation);
    }
}

/// Makes of independent numbers of deviation 1, `[steps, width]`, a first-order autoregression over the
/// steps, of the same deviation.
fn correlate(values: &mut [f32], width: usize, correlation: f32) {
    let fresh = (1.0 - correlation * correlation).sqrt();
    for index in width..values.len() {
        values[index] = correlation * values[index - width] + fresh * values[index];
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

    #[test]
    fn a_stream_goes_on_from_its_state() {
        let mut noise = Noise::new(3);
        for taken in [1, 16, 77, 1000] {
            noise.fill(&mut vec![0.0; taken]);
            let mut again = Noise::from_state(&noise.state());
            let (mut first, mut second) = (vec![0.0; 50], vec![0.0; 50]);
            noise.fill(&mut first);
            again.fill(&mut second);
            assert_eq!(first, second, "after {taken}");
        }
    }
}
