//! Random numbers.

use rand::{Rng, RngExt};

/// A sample of the standard normal distribution.
pub(crate) fn normal(r: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - r.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * r.random::<f64>()).cos()) as f32
}
