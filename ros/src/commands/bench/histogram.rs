//! Times by how many there are of each length, in memory that does not grow.

use std::time::Duration;

/// A histogram of times in steps of 10 µs up to a second; its memory does not grow with their number.
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    const STEP_MS: f64 = 0.01;
    const STEPS: usize = 100_000;

    pub(super) fn new() -> Self {
        // Written once, so that it is resident from the start.
        let mut counts = vec![1; Self::STEPS];
        counts.fill(0);
        Self { counts, total: 0 }
    }

    pub(super) fn add(&mut self, time: Duration) {
        let step = (time.as_secs_f64() * 1e3 / Self::STEP_MS) as usize;
        self.counts[step.min(Self::STEPS - 1)] += 1;
        self.total += 1;
    }

    /// The upper end of the step below which a share of the times lies; 0 without times.
    pub(super) fn percentile_ms(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (step, count) in self.counts.iter().enumerate() {
            sum += count;
            if sum >= rank.max(1) {
                return (step + 1) as f64 * Self::STEP_MS;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_histogram_are_within_its_step() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.percentile_ms(0.999), 0.0);
        for us in 1..=1000 {
            histogram.add(Duration::from_micros(us * 10 - 5));
        }
        assert!((histogram.percentile_ms(0.5) - 5.0).abs() < 0.011);
        assert!((histogram.percentile_ms(0.999) - 9.99).abs() < 0.011);
        histogram.add(Duration::from_secs(100));
        assert!(histogram.percentile_ms(1.0) >= 999.0);
    }
}
