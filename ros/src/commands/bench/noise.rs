//! Gaussian noise by seed, the same on every machine.

/// A stream of unit Gaussian numbers (SplitMix64 and Box-Muller).
#[derive(Clone, Debug)]
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws uniformly from above 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((x ^ (x >> 31)) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Overwrites `values` with independent numbers of mean 0 and deviation 1.
    pub(super) fn fill(&mut self, values: &mut [f32]) {
        for pair in values.chunks_mut(2) {
            let radius = (-2.0 * self.uniform().ln()).sqrt();
            let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
            pair[0] = (radius * cosine) as f32;
            if let Some(second) = pair.get_mut(1) {
                *second = (radius * sine) as f32;
            }
        }
    }

    /// Overwrites `values` with independent bytes.
    pub(super) fn bytes(&mut self, values: &mut [u8]) {
        for value in values {
            *value = (self.uniform() * 255.0) as u8;
        }
    }

    /// Makes `len` numbers of mean 0 and deviation 1.
    pub(super) fn many(&mut self, len: usize) -> Vec<f32> {
        let mut values = vec![0.0; len];
        self.fill(&mut values);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::Noise;

    #[test]
    fn has_mean_0_deviation_1_and_repeats_by_seed() {
        let values = Noise::new(7).many(100_001);
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!(
            mean.abs() < 0.02 && (square - 1.0).abs() < 0.03,
            "{mean} {square}"
        );
        assert_eq!(values, Noise::new(7).many(100_001));
        assert_ne!(values, Noise::new(8).many(100_001));
    }
}
