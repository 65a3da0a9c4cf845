//! Seeded random numbers.

use chacha20::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

/// What a stream of random numbers is for; each purpose is independent of the others under the
/// same seed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Draws the start posture and the goal.
    Episode = 0,
    /// Draws way-points, dwell times and action noise.
    Policy = 1,
    /// Draws obstacles.
    Obstacle = 2,
}

/// The generator for one seed and purpose.
pub(crate) fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

/// Draws uniformly from `[lower, upper)`.
pub(crate) fn uniform(rng: &mut dyn Rng, lower: f64, upper: f64) -> f64 {
    lower + (upper - lower) * rng.random::<f64>()
}

/// Draws from the standard normal distribution, by the method of Box and Muller.
pub(crate) fn normal(rng: &mut dyn Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut rng = generator(1, Stream::Policy);
        let draws: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / draws.len() as f64;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let mut episode = generator(3, Stream::Episode);
        let mut policy = generator(3, Stream::Policy);
        assert_ne!(episode.random::<u64>(), policy.random::<u64>());
    }
}
