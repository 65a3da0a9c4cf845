//! Histograms of latencies with median and 99th percentile.

use std::path::Path;

use plotters::prelude::*;

use crate::PictureError;
use crate::axis::{Axis, Scale};
use crate::chart::{LEFT, framed, heading, instead};
use crate::sheet::{Area, HEADING, INK, LINES, Page, legend, reason};

/// Width and height of a panel, pixels.
const PANEL: (i32, i32) = (760, 400);
/// Number of bars in a diagram.
const BINS: usize = 50;

/// One diagram for each set of samples, under each other with one x axis.
#[derive(Debug, Clone)]
pub struct Histogram {
    title: String,
    unit: String,
    sets: Vec<(String, Vec<f64>)>,
    limit: Option<(String, f64)>,
}

impl Histogram {
    /// Makes a picture without samples yet; the unit stands at the x axis.
    pub fn new(title: impl Into<String>, unit: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            unit: unit.into(),
            sets: Vec::new(),
            limit: None,
        }
    }

    /// Adds a set of samples. Those that are not finite are left out, and counted.
    pub fn samples(mut self, name: impl Into<String>, samples: &[f64]) -> Self {
        self.sets.push((name.into(), samples.to_vec()));
        self
    }

    /// Marks a value in every diagram, such as a deadline.
    pub fn limit(mut self, name: impl Into<String>, value: f64) -> Self {
        self.limit = Some((name.into(), value));
        self
    }

    /// Writes the PNG. A set without finite samples says so in its place.
    ///
    /// # Errors
    /// [`PictureError::NoData`] if no set has a finite sample, [`PictureError::TooLarge`],
    /// [`PictureError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), PictureError> {
        let sets: Vec<Samples> = self.sets.iter().map(|(n, s)| Samples::new(n, s)).collect();
        let shown = sets.iter().flat_map(|set| set.sorted.iter().copied());
        let marked = self
            .limit
            .iter()
            .filter_map(|(_, value)| Scale::Linear.place(*value));
        if sets.iter().all(|set| set.sorted.is_empty()) {
            let samples: usize = sets.iter().map(|set| set.left_out).sum();
            let found = format!(
                "{} sets, {samples} samples, none of them finite",
                sets.len()
            );
            return Err(PictureError::no_data(&self.title, found));
        }
        let axis = Axis::over(Scale::Linear, shown.chain(marked), 0.04)
            .expect("a set that is not empty gives the axis its range");
        let page = Page {
            title: &self.title,
            head: 0,
            panel: PANEL,
            panels: sets.len(),
            across: 1,
        };
        page.save(
            path,
            |_| Ok(()),
            |k, area| self.draw_set(area, &sets[k], &axis),
        )
    }

    fn draw_set(&self, area: &Area, set: &Samples, x: &Axis) -> Result<(), String> {
        let area = area.margin(10, 10, 12, 22);
        heading(&area, &set.heading())?;
        if set.sorted.is_empty() {
            return instead(&area, "no samples to draw");
        }
        let mut marks = vec![
            ("median", set.quantile(0.5), INK),
            ("p99", set.quantile(0.99), LINES[1]),
        ];
        if let Some((name, value)) = &self.limit
            && Scale::Linear.place(*value).is_some()
        {
            marks.push((name, *value, LINES[2]));
        }
        let named = marks.iter().map(|(name, value, colour)| {
            (format!("{name} {} {}", short(*value), self.unit), *colour)
        });
        let top = legend(&area, (LEFT, HEADING + 8), &named.collect::<Vec<_>>())?;
        let (_, plot) = area.split_vertically(top);
        let bin = (x.range.end - x.range.start) / BINS as f64;
        let mut counts = [0usize; BINS];
        for sample in &set.sorted {
            counts[(((sample - x.range.start) / bin) as usize).min(BINS - 1)] += 1;
        }
        let highest = counts.iter().copied().max().unwrap_or(0).max(4) as f64;
        let y = Axis::over(Scale::Linear, [0.0, highest * 1.08].into_iter(), 0.0)
            .expect("two places give a range");
        let mut chart = framed(&plot, x, &y, &self.unit)?;
        let bars = counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(k, count)| {
                let left = x.range.start + k as f64 * bin;
                let corners = [(left, 0.0), (left + bin * 0.9, *count as f64)];
                Rectangle::new(corners, LINES[4].mix(0.75).filled())
            });
        chart.draw_series(bars).map_err(reason)?;

        for (_, value, colour) in marks {
            let line = [(value, 0.0), (value, y.range.end)];
            let line = LineSeries::new(line, colour.stroke_width(2));
            chart.draw_series(line).map_err(reason)?;
        }
        Ok(())
    }
}

/// The samples of one set that can be drawn.
struct Samples {
    name: String,
    sorted: Vec<f64>,
    left_out: usize,
}

impl Samples {
    fn new(name: &str, samples: &[f64]) -> Self {
        let mut sorted: Vec<f64> = samples
            .iter()
            .filter_map(|sample| Scale::Linear.place(*sample))
            .collect();
        sorted.sort_by(f64::total_cmp);
        let left_out = samples.len() - sorted.len();
        Self {
            name: name.to_owned(),
            sorted,
            left_out,
        }
    }

    /// The smallest sample that at least a share of all samples does not exceed (nearest rank).
    fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.sorted.len() as f64).ceil() as usize;
        self.sorted[rank.clamp(1, self.sorted.len()) - 1]
    }

    fn heading(&self) -> String {
        let left_out = match self.left_out {
            0 => String::new(),
            n => format!(", {n} not finite left out"),
        };
        format!("{} ({} samples{left_out})", self.name, self.sorted.len())
    }
}

/// Writes a number with three significant digits.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (0.001..1e6).contains(&magnitude) {
        let power = if magnitude > 0.0 {
            magnitude.log10().floor()
        } else {
            0.0
        };
        format!("{value:.*}", (2.0 - power).clamp(0.0, 5.0) as usize)
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples_by_nearest_rank() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let set = Samples::new("a", &values);
        assert_eq!((set.quantile(0.5), set.quantile(0.99)), (50.0, 99.0));
        let one = Samples::new("b", &[3.0, f64::NAN]);
        assert_eq!(
            (one.quantile(0.5), one.quantile(0.99), one.left_out),
            (3.0, 3.0, 1)
        );
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.0421, 4.2123, 42.123, 421.23, 4.2e-9].map(short);
        assert_eq!(shown, ["0.00", "0.0421", "4.21", "42.1", "421", "4.20e-9"]);
    }
}
