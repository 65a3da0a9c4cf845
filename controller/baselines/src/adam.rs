//! The optimiser Adam (Kingma & Ba 2015).

/// Decay rates of the two means.
const BETA: [f32; 2] = [0.9, 0.999];
/// Term that keeps the division finite.
const EPSILON: f32 = 1e-8;

/// Means of the slopes and of their squares.
#[derive(Clone, Debug)]
pub(crate) struct Adam {
    means: Vec<f32>,
    squares: Vec<f32>,
    /// Number of steps since the last [`Adam::reset`].
    steps: i32,
}

impl Adam {
    /// Makes an optimiser of `len` numbers.
    pub(crate) fn new(len: usize) -> Self {
        Self {
            means: vec![0.0; len],
            squares: vec![0.0; len],
            steps: 0,
        }
    }

    /// Forgets all steps.
    pub(crate) fn reset(&mut self) {
        self.means.fill(0.0);
        self.squares.fill(0.0);
        self.steps = 0;
    }

    /// Does a step of size `rate` up the `slopes` of the `values`; both have as many elements as it was made
    /// for.
    pub(crate) fn climb(&mut self, rate: f32, values: &mut [f32], slopes: &[f32]) {
        self.steps = self.steps.saturating_add(1);
        let correct = BETA.map(|beta| 1.0 / (1.0 - beta.powi(self.steps)));
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((value, slope), (mean, square)) in values.iter_mut().zip(slopes).zip(moments) {
            *mean += (1.0 - BETA[0]) * (slope - *mean);
            *square += (1.0 - BETA[1]) * (slope * slope - *square);
            *value += rate * correct[0] * *mean / ((correct[1] * *square).sqrt() + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first step is of the given size whatever the slope is; many reach the top of a parabola.
    #[test]
    fn adam_climbs_a_parabola() {
        let mut adam = Adam::new(2);
        let mut values = [3.0, -1.0];
        let slopes = |values: &[f32; 2]| [-100.0 * (values[0] - 1.0), -0.01 * (values[1] - 2.0)];
        let first = slopes(&values);
        adam.climb(0.05, &mut values, &first);
        assert!((values[0] - 2.95).abs() < 1e-5 && (values[1] + 0.95).abs() < 1e-4);
        for _ in 0..2000 {
            let now = slopes(&values);
            adam.climb(0.05, &mut values, &now);
        }
        assert!((values[0] - 1.0).abs() < 1e-2 && (values[1] - 2.0).abs() < 1e-2);
        // As new again.
        adam.reset();
        let mut values = [3.0, -1.0];
        adam.climb(0.05, &mut values, &first);
        assert!((values[0] - 2.95).abs() < 1e-5);
    }
}
