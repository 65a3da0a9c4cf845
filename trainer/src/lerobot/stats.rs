//! Smallest and largest value, mean and deviation of features, as LeRobot keeps them to normalise with.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Running sums of one feature.
#[derive(Debug, Clone, PartialEq)]
struct Sums {
    least: Vec<f64>,
    most: Vec<f64>,
    sum: Vec<f64>,
    squares: Vec<f64>,
    /// Values of each dimension.
    count: u64,
    /// Frames.
    frames: u64,
    is_image: bool,
}

/// Statistics of features by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Stats(BTreeMap<String, Sums>);

impl Stats {
    /// Takes rows of `width` numbers.
    pub(super) fn rows(&mut self, name: &str, width: usize, values: impl Iterator<Item = f64>) {
        let sums = self.sums(name, width, false);
        let before = sums.count;
        let mut seen = 0_u64;
        for (at, value) in values.enumerate() {
            sums.take(at % width, value);
            seen += u64::from(at.is_multiple_of(width));
        }
        sums.count = before + seen;
        sums.frames = sums.count;
    }

    /// Takes an image; its colours count from 0 to 1.
    pub(super) fn image(&mut self, name: &str, rgb: &[u8]) {
        let mut histogram = [[0_u64; 256]; 3];
        for pixel in rgb.as_chunks::<3>().0 {
            for (colour, value) in histogram.iter_mut().zip(pixel) {
                colour[usize::from(*value)] += 1;
            }
        }
        let sums = self.sums(name, 3, true);
        for (colour, histogram) in histogram.iter().enumerate() {
            for (value, times) in histogram
                .iter()
                .enumerate()
                .filter(|(_, times)| **times > 0)
            {
                let (value, times) = (value as f64 / 255.0, *times as f64);
                sums.least[colour] = sums.least[colour].min(value);
                sums.most[colour] = sums.most[colour].max(value);
                sums.sum[colour] += times * value;
                sums.squares[colour] += times * value * value;
            }
        }
        sums.count += rgb.len() as u64 / 3;
        sums.frames += 1;
    }

    /// Adds the statistics of other frames.
    pub(super) fn merge(&mut self, other: &Self) {
        for (name, more) in &other.0 {
            let sums = self.sums(name, more.sum.len(), more.is_image);
            for at in 0..more.sum.len() {
                sums.least[at] = sums.least[at].min(more.least[at]);
                sums.most[at] = sums.most[at].max(more.most[at]);
                sums.sum[at] += more.sum[at];
                sums.squares[at] += more.squares[at];
            }
            sums.count += more.count;
            sums.frames += more.frames;
        }
    }

    /// In the form of `meta/stats.json`: those of images are `[3, 1, 1]`.
    pub(super) fn json(&self) -> Value {
        let features = self.0.iter().map(|(name, sums)| {
            let shaped = |values: Vec<f64>| match sums.is_image {
                true => values.into_iter().map(|value| json!([[value]])).collect(),
                false => json!(values),
            };
            let count = sums.count.max(1) as f64;
            let mean: Vec<f64> = sums.sum.iter().map(|sum| sum / count).collect();
            let deviation = (sums.squares.iter().zip(&mean))
                .map(|(squares, mean)| (squares / count - mean * mean).max(0.0).sqrt());
            let value = json!({
                "min": shaped(sums.least.clone()),
                "max": shaped(sums.most.clone()),
                "std": shaped(deviation.collect()),
                "mean": shaped(mean),
                "count": [sums.frames],
            });
            (name.clone(), value)
        });
        Value::Object(features.collect())
    }

    fn sums(&mut self, name: &str, width: usize, is_image: bool) -> &mut Sums {
        (self.0.entry(name.to_owned())).or_insert_with(|| Sums {
            least: vec![f64::INFINITY; width],
            most: vec![f64::NEG_INFINITY; width],
            sum: vec![0.0; width],
            squares: vec![0.0; width],
            count: 0,
            frames: 0,
            is_image,
        })
    }
}

impl Sums {
    fn take(&mut self, at: usize, value: f64) {
        self.least[at] = self.least[at].min(value);
        self.most[at] = self.most[at].max(value);
        self.sum[at] += value;
        self.squares[at] += value * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_parts_are_those_of_the_whole() {
        let mut parts = [Stats::default(), Stats::default()];
        for (part, values) in parts
            .iter_mut()
            .zip([[1.0, 5.0, 3.0, 5.0], [2.0, 5.0, 6.0, 5.0]])
        {
            part.rows("x", 2, values.into_iter());
            part.image("i", &[0, 0, 255, 255, 0, 255]);
        }
        let [mut all, other] = parts;
        all.merge(&other);
        let json = all.json();
        let x = &json["x"];
        assert_eq!(
            (&x["min"], &x["max"]),
            (&json!([1.0, 5.0]), &json!([6.0, 5.0]))
        );
        assert_eq!((&x["mean"], &x["count"]), (&json!([3.0, 5.0]), &json!([4])));
        let deviation = x["std"][0].as_f64().unwrap();
        assert!((deviation - 3.5_f64.sqrt()).abs() < 1e-12, "{deviation}");
        let image = &json["i"];
        assert_eq!(image["mean"], json!([[[0.5]], [[0.0]], [[1.0]]]));
        assert_eq!(image["count"], json!([2]));
    }
}
