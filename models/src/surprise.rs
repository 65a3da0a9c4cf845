//! `[surprise]` of a manifest: how far posteriors may be from their priors, as calibrated on episodes that the model was not
//! trained on.
//!
//! The score of a belief step is the greater of two distances. The length of its weighted innovation: with posterior and prior of
//! the stochastic part as normal distributions, [`innovation`] is the difference of their means in units of the deviation of that
//! difference, and the weights take off what the model is surprised by anyway, such as a thing that changes its colour when it
//! is touched. And the weighted [`picture_error`]: how far the image is from the picture that the decoder makes of the prior, which
//! tells of what the belief itself takes no notice. Thresholds of the score are order statistics of the largest scores of whole
//! episodes.

use serde::{Deserialize, Serialize};

/// Most false stops an hour with which a bundle's thresholds may stop a robot: one in 8 hours.
pub const STOPS_PER_HOUR: f64 = 1.0 / 8.0;
/// Probability with which a stated rate of false alarms holds, over the draw of the calibration's episodes.
pub const CONFIDENCE: f64 = 0.95;

/// The kinds of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreKind {
    /// The greater of the length of the weighted innovation and the weighted picture error of one belief step.
    Innovation,
}

/// The distances of posteriors from their priors that are expected of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedSurprise {
    /// Kind of the score.
    pub score: ScoreKind,
    /// Score above which the robot is to be slow.
    pub slow: f32,
    /// Score above which the robot is to stop.
    pub stop: f32,
    /// Most times an hour that scores of undisturbed driving exceed `slow`, at [`CONFIDENCE`].
    pub false_slows_per_hour: f64,
    /// Most times an hour that scores of undisturbed driving exceed `stop`, at [`CONFIDENCE`].
    pub false_stops_per_hour: f64,
    /// Number of episodes whose largest scores the thresholds are taken from.
    pub episodes: u64,
    /// Length of these episodes altogether, h.
    pub hours: f64,
    /// Where the episodes are from. The rates hold for driving like theirs.
    pub source: String,
    /// Weight of the picture error.
    pub picture: f32,
    /// Weights W of the innovation, a lower triangular matrix by rows, `[ns][1 to ns]`.
    pub weights: Vec<Vec<f32>>,
}

impl ExpectedSurprise {
    /// The score of an innovation `[ns]` and a picture error: the greater of the length of W times the innovation and the weighted
    /// error; not a number where either is none.
    ///
    /// # Real-time
    /// No allocation; quadratic in ns.
    #[must_use]
    pub fn score(&self, innovation: &[f32], picture_error: f32) -> f32 {
        let rows = self.weights.iter().map(|row| {
            let sum: f32 = row.iter().zip(innovation).map(|(w, v)| w * v).sum();
            sum * sum
        });
        let (length, error) = (rows.sum::<f32>().sqrt(), self.picture * picture_error);
        if length.is_nan() || length > error {
            length
        } else {
            error
        }
    }

    /// Whether the thresholds may stop a robot: whether at most [`STOPS_PER_HOUR`] false stops are promised.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        // Rates are rounded where they are written down.
        self.false_stops_per_hour <= STOPS_PER_HOUR * 1.0001
    }

    /// Appends what is contradictory for a model with `stoch` stochastic variables, one sentence each.
    pub(crate) fn check(&self, stoch: usize, found: &mut Vec<String>) {
        let lengths = self.weights.iter().map(Vec::len);
        if !lengths.clone().eq(1..=stoch) {
            found.push(format!(
                "surprise.weights has rows of {:?} entries, expected a lower triangle of {stoch} rows",
                lengths.collect::<Vec<_>>()
            ));
        }
        if !self.weights.iter().flatten().all(|w| w.is_finite()) {
            found.push("surprise.weights has an entry that is not finite".to_owned());
        }
        if !(self.slow > 0.0 && self.slow <= self.stop && self.stop.is_finite()) {
            found.push(format!(
                "surprise.slow is {} and surprise.stop {}, expected 0 < slow <= stop",
                self.slow, self.stop
            ));
        }
        for (name, value) in [
            ("false_slows_per_hour", self.false_slows_per_hour),
            ("false_stops_per_hour", self.false_stops_per_hour),
            ("hours", self.hours),
            ("picture", self.picture.into()),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                found.push(format!(
                    "surprise.{name} is {value}, expected a positive number"
                ));
            }
        }
    }
}

/// What a bundle's calibration of surprise does not promise, in one sentence; `None` if it may stop a robot.
#[must_use]
pub fn shortcoming(surprise: Option<&ExpectedSurprise>) -> Option<String> {
    match surprise {
        None => Some(
            "surprise is not calibrated: a scene that the model does not know is not noticed \
             (latco-train surprise --calibrate)"
                .to_owned(),
        ),
        Some(surprise) if !surprise.may_stop() => Some(format!(
            "surprise is reported and does not stop the robot: its calibration on {:.1} hours of episodes promises at most {:.3} \
             false stops an hour, expected at most {STOPS_PER_HOUR} (latco-train surprise --calibrate on more episodes)",
            surprise.hours, surprise.false_stops_per_hour
        )),
        Some(_) => None,
    }
}

/// Mean and deviation of normal distributions, `[ns]` each.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'a> {
    /// The means.
    pub mean: &'a [f32],
    /// The standard deviations.
    pub std: &'a [f32],
}

/// Writes the innovation to `out` `[ns]`: `(m - m') / sqrt(d^2 + d'^2)` with mean m and deviation d of the posterior, m' and d' of
/// the prior.
pub fn innovation(posterior: Moments<'_>, prior: Moments<'_>, out: &mut [f32]) {
    let posterior = posterior.mean.iter().zip(posterior.std);
    let prior = prior.mean.iter().zip(prior.std);
    for (out, ((m, d), (m_prior, d_prior))) in out.iter_mut().zip(posterior.zip(prior)) {
        *out = (m - m_prior) / d.hypot(*d_prior);
    }
}

/// How far an image of bytes is from a picture with values in 0..1: the mean absolute difference, in units of full brightness.
#[must_use]
pub fn picture_error(image: &[u8], picture: &[f32]) -> f32 {
    let differences = image.iter().zip(picture);
    let sum: f32 = differences
        .map(|(byte, value)| (f32::from(*byte) / 255.0 - value).abs())
        .sum();
    sum / image.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> ExpectedSurprise {
        ExpectedSurprise {
            score: ScoreKind::Innovation,
            slow: 1.0,
            stop: 2.0,
            false_slows_per_hour: 1.25,
            false_stops_per_hour: 0.125,
            episodes: 100,
            hours: 24.0,
            source: "test".to_owned(),
            picture: 10.0,
            weights: vec![vec![1.0], vec![-2.0, 0.5]],
        }
    }

    #[test]
    fn the_score_is_the_greater_of_innovation_and_picture_error() {
        let mut innovated = [0.0; 2];
        let moments = |mean, std| Moments { mean, std };
        innovation(
            moments(&[1.0, 5.0], &[0.3, 3.0]),
            moments(&[2.5, -5.0], &[0.4, 4.0]),
            &mut innovated,
        );
        assert_eq!(innovated, [-3.0, 2.0]);
        // W v = (-3, 6 + 1).
        assert!((expected().score(&innovated, 0.5) - 58.0f32.sqrt()).abs() < 1e-6);
        assert_eq!(expected().score(&innovated, 0.875), 8.75);
        assert!(expected().score(&[f32::NAN, 0.0], 0.5).is_nan());
        assert!(expected().score(&innovated, f32::NAN).is_nan());
        let error = picture_error(&[0, 255, 51], &[0.5, 1.0, 0.0]);
        assert!((error - 0.7 / 3.0).abs() < 1e-6, "{error}");
    }

    #[test]
    fn what_contradicts_itself_is_found_and_weak_promises_are_told() {
        let check = |change: &dyn Fn(&mut ExpectedSurprise)| {
            let (mut surprise, mut found) = (expected(), Vec::new());
            change(&mut surprise);
            surprise.check(2, &mut found);
            found
        };
        assert_eq!(check(&|_| ()), Vec::<String>::new());
        assert!(check(&|s| s.slow = 3.0)[0].contains("slow <= stop"));
        assert!(check(&|s| s.stop = f32::NAN)[0].contains("slow <= stop"));
        assert!(check(&|s| s.hours = 0.0)[0].contains("surprise.hours is 0"));
        assert!(check(&|s| s.weights[1][0] = f32::INFINITY)[0].contains("not finite"));
        let found = check(&|s| s.weights.truncate(1));
        assert!(found[0].contains("triangle of 2 rows"), "{found:?}");

        assert_eq!(shortcoming(Some(&expected())), None);
        let weak = ExpectedSurprise {
            false_stops_per_hour: 20.0,
            ..expected()
        };
        assert!(shortcoming(Some(&weak)).unwrap().contains("at most 20.000"));
        assert!(shortcoming(None).unwrap().contains("not calibrated"));
    }
}
