//! `[surprise]` of a manifest: how far posteriors may be from their priors, as calibrated on episodes that the model was not
//! trained on.
//!
//! The score of a belief step is the greatest of three distances. The length of its weighted innovation: with posterior and prior of
//! the stochastic part as normal distributions, [`innovation`] is the difference of their means in units of the deviation of that
//! difference, and the weights take off what the model is surprised by anyway, such as a thing that changes its colour when it
//! is touched. And the weighted [`picture_error`]: how far the image is from the picture that the decoder makes of the prior, which
//! tells of what the belief itself takes no notice. And the weighted distance of the image from the range of values that each of its
//! pixels has had ([`SeenRange`]), which tells of another light, of something before the lens, and of a camera that was moved, where
//! neither belief nor mean error do. Thresholds of the score are order statistics of the largest scores of whole
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
    /// The greatest of the length of the weighted innovation, the weighted picture error and the weighted distance from the range of
    /// each pixel, of one belief step.
    Innovation,
}

/// The values that each pixel has had in undisturbed driving.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenRange {
    /// Weight of the distance from the range; 0 where it does not count.
    pub weight: f32,
    /// Least value of each byte of an image, `[height, width, 3]`, as hexadecimal digits.
    #[serde(with = "hexadecimal")]
    pub least: Vec<u8>,
    /// Greatest value of each byte of an image, `[height, width, 3]`, as hexadecimal digits.
    #[serde(with = "hexadecimal")]
    pub greatest: Vec<u8>,
}

impl SeenRange {
    /// Makes the range of no image at all, of images of so many bytes.
    #[must_use]
    pub fn nothing(bytes: usize) -> Self {
        Self {
            weight: 0.0,
            least: vec![u8::MAX; bytes],
            greatest: vec![0; bytes],
        }
    }

    /// Widens the range by an image.
    pub fn widen(&mut self, image: &[u8]) {
        let range = self.least.iter_mut().zip(&mut self.greatest);
        for ((least, greatest), byte) in range.zip(image) {
            *least = (*least).min(*byte);
            *greatest = (*greatest).max(*byte);
        }
    }

    /// The mean distance of an image's bytes from the range, in units of full brightness; 0 within it.
    ///
    /// # Real-time
    /// No allocation; linear in the number of bytes.
    #[must_use]
    pub fn distance(&self, image: &[u8]) -> f32 {
        let range = self.least.iter().zip(&self.greatest);
        let beyond = range.zip(image).map(|((least, greatest), byte)| {
            u32::from(least.saturating_sub(*byte)) + u32::from(byte.saturating_sub(*greatest))
        });
        beyond.sum::<u32>() as f32 / (255 * image.len().max(1)) as f32
    }
}

/// Bytes as hexadecimal digits, two each.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        to.serialize_str(&digits)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let pairs = text.as_bytes().chunks(2).map(|pair| {
            let digits = str::from_utf8(pair).ok().filter(|digits| digits.len() == 2);
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())
        });
        let bytes: Option<Vec<u8>> = pairs.collect();
        bytes.ok_or_else(|| D::Error::custom("expected an even number of hexadecimal digits"))
    }
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
    /// The values that each pixel may have; none in calibrations of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SeenRange>,
    /// Weights W of the innovation, a lower triangular matrix by rows, `[ns][1 to ns]`.
    pub weights: Vec<Vec<f32>>,
}

impl ExpectedSurprise {
    /// The score of an innovation `[ns]`, a picture error and a distance from the range that was seen
    /// ([`beyond_seen`](Self::beyond_seen)): the greatest of the length of W times the innovation, the weighted error and the
    /// distance; not a number where one of them is none.
    ///
    /// # Real-time
    /// No allocation; quadratic in ns.
    #[must_use]
    pub fn score(&self, innovation: &[f32], picture_error: f32, beyond_seen: f32) -> f32 {
        let rows = self.weights.iter().map(|row| {
            let sum: f32 = row.iter().zip(innovation).map(|(w, v)| w * v).sum();
            sum * sum
        });
        let distances = [
            rows.sum::<f32>().sqrt(),
            self.picture * picture_error,
            beyond_seen,
        ];
        let greatest = |a: f32, b: f32| if a.is_nan() || a > b { a } else { b };
        distances.into_iter().fold(0.0, greatest)
    }

    /// The weighted distance of an image `[height, width, 3]` from the range that its pixels have had; 0 where none is known.
    ///
    /// # Real-time
    /// No allocation; linear in the number of pixels.
    #[must_use]
    pub fn beyond_seen(&self, image: &[u8]) -> f32 {
        (self.seen.as_ref()).map_or(0.0, |seen| seen.weight * seen.distance(image))
    }

    /// Whether the thresholds may stop a robot: whether at most [`STOPS_PER_HOUR`] false stops are promised.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        // Rates are rounded where they are written down.
        self.false_stops_per_hour <= STOPS_PER_HOUR * 1.0001
    }

    /// Appends what is contradictory for a model with `stoch` stochastic variables and images of `bytes` bytes, one sentence each.
    pub(crate) fn check(&self, stoch: usize, bytes: usize, found: &mut Vec<String>) {
        if let Some(SeenRange {
            weight,
            least,
            greatest,
        }) = &self.seen
        {
            if (least.len(), greatest.len()) != (bytes, bytes) {
                found.push(format!(
                    "surprise.seen has {} least and {} greatest values, expected {bytes}, one for each byte of an image",
                    least.len(),
                    greatest.len()
                ));
            }
            if !(*weight >= 0.0 && weight.is_finite()) {
                found.push(format!(
                    "surprise.seen.weight is {weight}, expected 0 or more"
                ));
            }
        }
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
            seen: None,
            weights: vec![vec![1.0], vec![-2.0, 0.5]],
        }
    }

    #[test]
    fn pixels_beyond_what_was_seen_count_by_how_far() {
        let mut seen = SeenRange::nothing(3);
        seen.widen(&[10, 20, 30]);
        seen.widen(&[20, 20, 10]);
        seen.weight = 255.0;
        assert_eq!(seen.distance(&[15, 20, 30]), 0.0);
        assert_eq!(seen.distance(&[8, 21, 0]), 13.0 / (3.0 * 255.0));
        let surprise = ExpectedSurprise {
            seen: Some(seen),
            ..expected()
        };
        assert_eq!(surprise.beyond_seen(&[10, 20, 27]), 0.0);
        assert!((surprise.beyond_seen(&[10, 20, 60]) - 10.0).abs() < 1e-4);
        assert_eq!(expected().beyond_seen(&[0, 0, 0]), 0.0);
        let text = toml::to_string(&surprise).unwrap();
        assert!(text.contains("least = \"0a140a\"") && text.contains("greatest = \"14141e\""));
        assert_eq!(toml::from_str::<ExpectedSurprise>(&text).unwrap(), surprise);
        for wrong in ["0a1", "0a14zz"] {
            let wrong = toml::from_str::<ExpectedSurprise>(&text.replace("0a140a", wrong));
            assert!(
                wrong
                    .unwrap_err()
                    .to_string()
                    .contains("hexadecimal digits")
            );
        }
    }

    #[test]
    fn the_score_is_the_greatest_distance() {
        let mut innovated = [0.0; 2];
        let moments = |mean, std| Moments { mean, std };
        innovation(
            moments(&[1.0, 5.0], &[0.3, 3.0]),
            moments(&[2.5, -5.0], &[0.4, 4.0]),
            &mut innovated,
        );
        assert_eq!(innovated, [-3.0, 2.0]);
        // W v = (-3, 6 + 1).
        assert!((expected().score(&innovated, 0.5, 7.5) - 58.0f32.sqrt()).abs() < 1e-6);
        assert_eq!(expected().score(&innovated, 0.875, 0.0), 8.75);
        assert_eq!(expected().score(&innovated, 0.5, 9.0), 9.0);
        assert!(expected().score(&[f32::NAN, 0.0], 0.5, 0.0).is_nan());
        assert!(expected().score(&innovated, f32::NAN, 9.0).is_nan());
        let error = picture_error(&[0, 255, 51], &[0.5, 1.0, 0.0]);
        assert!((error - 0.7 / 3.0).abs() < 1e-6, "{error}");
    }

    #[test]
    fn what_contradicts_itself_is_found_and_weak_promises_are_told() {
        let check = |change: &dyn Fn(&mut ExpectedSurprise)| {
            let (mut surprise, mut found) = (expected(), Vec::new());
            change(&mut surprise);
            surprise.check(2, 3, &mut found);
            found
        };
        assert_eq!(check(&|_| ()), Vec::<String>::new());
        assert!(check(&|s| s.slow = 3.0)[0].contains("slow <= stop"));
        assert!(check(&|s| s.stop = f32::NAN)[0].contains("slow <= stop"));
        assert!(check(&|s| s.hours = 0.0)[0].contains("surprise.hours is 0"));
        assert!(check(&|s| s.weights[1][0] = f32::INFINITY)[0].contains("not finite"));
        let found = check(&|s| s.weights.truncate(1));
        assert!(found[0].contains("triangle of 2 rows"), "{found:?}");
        let found = check(&|s| s.seen = Some(SeenRange::nothing(4)));
        assert!(
            found[0].contains("expected 3, one for each byte"),
            "{found:?}"
        );

        assert_eq!(shortcoming(Some(&expected())), None);
        let weak = ExpectedSurprise {
            false_stops_per_hour: 20.0,
            ..expected()
        };
        assert!(shortcoming(Some(&weak)).unwrap().contains("at most 20.000"));
        assert!(shortcoming(None).unwrap().contains("not calibrated"));
    }
}
