//! Conformal calibration of surprise: weights of the innovation from some episodes, thresholds from the others.
//!
//! The blocks are whole episodes. With n of them, independent and driven alike, the share of further episodes whose largest score
//! is above the k-th largest of the n is more than p with probability `P(Bin(n, p) < k)` at most, whatever the scores'
//! distribution (Wilks 1941; Vovk 2012, prop. 2a). A threshold is the k-th largest with the largest k that keeps this within
//! `1 - CONFIDENCE`; for k = 1 and 0.95 that needs n >= 3 / p.

use std::ops::Range;

use latco_models::surprise::{CONFIDENCE, STOPS_PER_HOUR, ScoreKind, SeenRange};
use latco_models::{ExpectedSurprise, Manifest};

use super::gate::GateError;
use super::latent::Latent;
use crate::fit::dataset::Frames;

/// Robots may be slowed without cause so many times as often as stopped.
const SLOWS_PER_STOP: f64 = 10.0;
/// One of so many episodes is for the weights: the first ones.
const WEIGHTS_SHARE: usize = 4;
/// Least number of episodes.
const LEAST_EPISODES: usize = 20;
/// Share of the belief steps from which the weights are made: those that are most surprising.
const TAIL: f64 = 0.002;
/// Least number of these steps for each stochastic variable.
const LEAST_TAIL: usize = 2;
/// Number of times that these steps are chosen anew by the weights that came of them.
const ROUNDS: usize = 3;
/// How much farther than the few episodes for the weights other ones leave the range of the pixels.
const BEYOND: f32 = 1.5;
/// Distance from the range that is nothing, in units of full brightness: two pixels of a thousand that changed altogether, as
/// when a thing lies where it never lay.
const NO_DISTANCE: f32 = 0.002;
/// What is added to the diagonal of the second moments, in units of its mean.
const RIDGE: f64 = 1.0;

/// The frames of each episode of more than one frame: of a single one nothing can be surprising.
pub(super) fn several(frames: &Frames) -> impl Iterator<Item = Range<usize>> {
    let ranges = (0..frames.episodes()).map(|episode| frames.range(episode));
    ranges.filter(|range| range.len() > 1)
}

/// What calibration is made of, gathered some episodes at a time.
pub(super) struct Distances {
    /// Number of the episodes that are for the weights.
    for_weights: usize,
    /// Innovation, picture error and distance from the range that was seen, of all frames but each episode's first,
    /// `[episodes][steps][ns + 2]`.
    episodes: Vec<Vec<f32>>,
    /// The range of the pixels in the episodes for the weights.
    seen: SeenRange,
}

impl Distances {
    /// Makes one of no episode yet, for so many episodes of more than one frame, of images of so many bytes.
    pub(super) fn new(episodes: usize, bytes: usize) -> Self {
        Self {
            for_weights: episodes / WEIGHTS_SHARE,
            episodes: Vec::new(),
            seen: SeenRange::nothing(bytes),
        }
    }

    /// Adds all episodes of more than one frame. The first half of those for the weights makes the range of the pixels, the second
    /// shows how far further ones are from it, and widens it.
    ///
    /// # Errors
    /// [`GateError`].
    pub(super) fn add(&mut self, latent: &mut Latent, frames: &Frames) -> Result<(), GateError> {
        for (range, rows) in several(frames).zip(latent.innovations(frames)?) {
            let number = self.episodes.len();
            let counts = number >= self.for_weights / 2;
            let mut episode = Vec::new();
            let images = range.map(|frame| frames.bytes(&[frame]));
            let images = images.collect::<Result<Vec<_>, _>>()?;
            for (row, image) in rows.chunks_exact(latent.stoch + 1).zip(&images[1..]) {
                episode.extend_from_slice(row);
                episode.push(if counts {
                    self.seen.distance(image)
                } else {
                    0.0
                });
            }
            if number < self.for_weights {
                images.iter().for_each(|image| self.seen.widen(image));
            }
            self.episodes.push(episode);
        }
        Ok(())
    }

    /// Calibrates on them. Picture error and distance from the range are weighted so that in the episodes for the weights their
    /// greatest values are as much as that of the innovations; the distance's times [`BEYOND`], or [`NO_DISTANCE`] if that is more.
    ///
    /// # Errors
    /// [`GateError::Surprise`] for too few episodes, or values that are not finite or all zero.
    pub(super) fn calibrate(
        self,
        manifest: &Manifest,
        source: &str,
    ) -> Result<ExpectedSurprise, GateError> {
        let stoch = manifest.dims.stoch;
        if self.episodes.len() < LEAST_EPISODES {
            return Err(GateError::Surprise(format!(
                "expected at least {LEAST_EPISODES} episodes that were not trained on, found {}",
                self.episodes.len()
            )));
        }
        let width = stoch + 2;
        let (for_weights, others) = self.episodes.split_at(self.for_weights);
        let rows = || {
            for_weights
                .iter()
                .flat_map(|episode| episode.chunks_exact(width))
        };
        let innovations: Vec<&[f32]> = rows().map(|row| &row[..stoch]).collect();
        let mut expected = ExpectedSurprise {
            score: ScoreKind::Innovation,
            slow: 0.0,
            stop: 0.0,
            false_slows_per_hour: 0.0,
            false_stops_per_hour: 0.0,
            episodes: 0,
            hours: 0.0,
            source: source.to_owned(),
            picture: 0.0,
            seen: None,
            weights: weights(&innovations, stoch)?,
        };
        let greatest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, f32::max);
        let of_innovations = greatest(&mut innovations.iter().map(|v| expected.score(v, 0.0, 0.0)));
        let of_errors = greatest(&mut rows().map(|row| row[stoch]));
        if !(of_errors > 0.0 && of_errors.is_finite()) {
            return Err(GateError::Surprise(
                "the pictures of priors are not finite, or have no error".to_owned(),
            ));
        }
        let weight = |of: f32| round(f64::from(of_innovations / of)) as f32;
        expected.picture = weight(of_errors);
        let of_distances = greatest(&mut rows().map(|row| BEYOND * row[stoch + 1]));
        let seen_weight = weight(of_distances.max(NO_DISTANCE));
        let mut steps = 0;
        let mut largest: Vec<f32> = (others.iter())
            .map(|episode| {
                // The first frame has no innovation.
                steps += 1 + episode.len() / width;
                let rows = episode.chunks_exact(width);
                greatest(&mut rows.map(|row| {
                    expected.score(&row[..stoch], row[stoch], seen_weight * row[stoch + 1])
                }))
            })
            .collect();
        expected.seen = Some(SeenRange {
            weight: seen_weight,
            ..self.seen
        });
        largest.sort_unstable_by(|a, b| b.total_cmp(a));
        let hours = steps as f64 * manifest.control_period_s / 3600.0;
        let episodes_per_hour = largest.len() as f64 / hours;
        let threshold = |per_hour: f64| {
            let (value, share) = threshold(&largest, (per_hour / episodes_per_hour).min(0.5));
            (value, round(share * episodes_per_hour))
        };
        (expected.stop, expected.false_stops_per_hour) = threshold(STOPS_PER_HOUR);
        (expected.slow, expected.false_slows_per_hour) = threshold(STOPS_PER_HOUR * SLOWS_PER_STOP);
        expected.episodes = largest.len() as u64;
        expected.hours = round(hours);
        Ok(expected)
    }
}

/// The least of `sorted` values, the largest first, that at most a share of further ones exceeds, and that share. Where there are
/// too few values for the share that is wanted, it is the largest value with the share that can be said of it.
fn threshold(sorted: &[f32], share: f64) -> (f32, f64) {
    let n = sorted.len();
    let (mut exceeding, mut below) = (0, 0.0);
    // P(Bin(n, share) = k), from k = 0 on.
    let mut probability = (n as f64 * (-share).ln_1p()).exp();
    loop {
        below += probability;
        if below > 1.0 - CONFIDENCE || exceeding == n {
            break;
        }
        probability *= (n - exceeding) as f64 / (exceeding + 1) as f64 * share / (1.0 - share);
        exceeding += 1;
    }
    match exceeding {
        0 => (sorted[0], 1.0 - (1.0 - CONFIDENCE).powf(1.0 / n as f64)),
        k => (sorted[k - 1], share),
    }
}

/// The lower triangle W for which `|W v|^2 = v' (M + ridge)^-1 v`, with M the second moments of the innovations that surprise most.
fn weights(innovations: &[&[f32]], stoch: usize) -> Result<Vec<Vec<f32>>, GateError> {
    let wrong = |what: &str| GateError::Surprise(format!("the model's innovations are {what}"));
    if !innovations.iter().copied().flatten().all(|v| v.is_finite()) {
        return Err(wrong("not finite"));
    }
    let count = innovations.len();
    let tail = ((count as f64 * TAIL) as usize)
        .max(LEAST_TAIL * stoch)
        .min(count);
    let mut weights: Vec<Vec<f64>> = (0..stoch)
        .map(|row| {
            (0..=row)
                .map(|column| f64::from(u8::from(column == row)))
                .collect()
        })
        .collect();
    for _ in 0..ROUNDS {
        let mut scored: Vec<(f64, &[f32])> = (innovations.iter())
            .map(|v| (length_squared(&weights, v), *v))
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut moments = vec![vec![0.0; stoch]; stoch];
        for (_, v) in &scored[..tail] {
            for (row, a) in moments.iter_mut().zip(*v) {
                for (moment, b) in row.iter_mut().zip(*v) {
                    *moment += f64::from(*a) * f64::from(*b) / tail as f64;
                }
            }
        }
        let mean = (0..stoch).map(|i| moments[i][i]).sum::<f64>() / stoch as f64;
        if mean <= 0.0 {
            return Err(wrong("all zero"));
        }
        for (i, row) in moments.iter_mut().enumerate() {
            row[i] += RIDGE * mean;
        }
        weights = inverse(&cholesky(&moments));
    }
    Ok((weights.iter())
        .map(|row| row.iter().map(|w| round(*w) as f32).collect())
        .collect())
}

fn length_squared(weights: &[Vec<f64>], v: &[f32]) -> f64 {
    let rows = weights.iter().map(|row| {
        let sum: f64 = row.iter().zip(v).map(|(w, v)| w * f64::from(*v)).sum();
        sum * sum
    });
    rows.sum()
}

/// The lower triangle L with `L L' = matrix`, which is positive definite.
fn cholesky(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut lower: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
    for (i, of_matrix) in matrix.iter().enumerate() {
        let mut row = Vec::with_capacity(i + 1);
        for j in 0..=i {
            let above = if j < i { &lower[j] } else { &row };
            let dot: f64 = row.iter().zip(&above[..j]).map(|(a, b)| a * b).sum();
            let rest = of_matrix[j] - dot;
            row.push(if j < i {
                rest / lower[j][j]
            } else {
                rest.sqrt()
            });
        }
        lower.push(row);
    }
    lower
}

/// The inverse of a lower triangle.
fn inverse(lower: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut inverse: Vec<Vec<f64>> = Vec::with_capacity(lower.len());
    for (i, row) in lower.iter().enumerate() {
        let mut of_inverse: Vec<f64> = (0..i)
            .map(|j| {
                let dot: f64 = (j..i).map(|k| row[k] * inverse[k][j]).sum();
                -dot / row[i]
            })
            .collect();
        of_inverse.push(1.0 / row[i]);
        inverse.push(of_inverse);
    }
    inverse
}

/// A number with five digits, so that manifests stay readable.
fn round(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn uniform(count: usize, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut values: Vec<f32> = (0..count).map(|_| rng.random::<f32>()).collect();
        values.sort_unstable_by(|a, b| b.total_cmp(a));
        values
    }

    #[test]
    fn the_promise_of_a_threshold_is_kept_as_often_as_it_says() {
        // Of uniform values, the share above a threshold t is 1 - t.
        for (n, share) in [(59, 0.05), (400, 0.05), (3000, 0.01)] {
            let runs = 2000;
            let kept = (0..runs)
                .filter(|&seed| {
                    let (value, promised) = threshold(&uniform(n, seed), share);
                    assert_eq!(promised, share);
                    f64::from(1.0 - value) <= share
                })
                .count();
            let kept = kept as f64 / f64::from(runs as u32);
            // Three standard errors of 2000 runs; not far above, or robots would see less than they could.
            assert!((0.935..0.985).contains(&kept), "{n} {share}: {kept}");
        }
    }

    #[test]
    fn too_few_values_promise_what_they_can() {
        let values = uniform(58, 1);
        let (value, share) = threshold(&values, 0.05);
        assert_eq!(value, values[0]);
        assert!((share - 0.0503).abs() < 1e-4, "{share}");
        assert_eq!(threshold(&uniform(59, 1), 0.05).1, 0.05);
        let three = threshold(&[3.0, 2.0, 1.0], 1e-4);
        assert_eq!(three.0, 3.0);
        assert!((three.1 - 0.6316).abs() < 1e-4, "{three:?}");
    }

    #[test]
    fn the_weights_are_the_inverse_root_of_the_moments() {
        let matrix = vec![
            vec![4.0, 2.0, 0.6],
            vec![2.0, 5.0, -1.0],
            vec![0.6, -1.0, 3.0],
        ];
        let weights = inverse(&cholesky(&matrix));
        // W M W' = 1.
        for i in 0..3 {
            for j in 0..3 {
                let mut sum = 0.0;
                for (k, a) in weights[i].iter().enumerate() {
                    for (l, b) in weights[j].iter().enumerate() {
                        sum += a * matrix[k][l] * b;
                    }
                }
                assert!(
                    (sum - f64::from(u8::from(i == j))).abs() < 1e-12,
                    "{i} {j} {sum}"
                );
            }
        }
    }

    #[test]
    fn directions_that_surprise_anyway_count_less() {
        // Mostly small innovations, and now and then a large one along the first variable.
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let innovations: Vec<[f32; 2]> = (0..4000)
            .map(|step| {
                let small = [0; 2].map(|_| rng.random::<f32>() - 0.5);
                if step % 200 == 0 {
                    [9.0, small[1]]
                } else {
                    small
                }
            })
            .collect();
        let rows: Vec<&[f32]> = innovations.iter().map(|v| v.as_slice()).collect();
        let weights = weights(&rows, 2).unwrap();
        let score = |v: [f32; 2]| {
            let second = weights[1][0] * v[0] + weights[1][1] * v[1];
            (weights[0][0] * v[0]).hypot(second)
        };
        // Both are as long; the ridge bounds the ratio by sqrt(3).
        let (along, across) = (score([9.0, 0.0]), score([0.0, 9.0]));
        assert!(across > 1.5 * along, "{along} {across}");
        for nothing in [[f32::NAN; 2], [0.0; 2]] {
            assert!(super::weights(&[nothing.as_slice(); 50], 2).is_err());
        }
    }
}
