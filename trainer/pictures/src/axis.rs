//! Ranges, ticks and labels of axes, linear or logarithmic.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Values of a larger magnitude cannot be drawn.
const MAX_MAGNITUDE: f64 = 1e100;
/// Values below this cannot be drawn on a logarithmic axis.
const MIN_POSITIVE: f64 = 1e-100;
/// Ticks on an axis are at most about this many.
const TICKS: f64 = 8.0;

/// How values are laid out along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// Positive values by their logarithm to base 10.
    Log,
}

impl Scale {
    /// Where a value stands on the axis; none if it cannot be drawn.
    pub(crate) fn place(self, value: f64) -> Option<f64> {
        match self {
            Self::Linear => (value.abs() <= MAX_MAGNITUDE).then_some(value),
            Self::Log => (MIN_POSITIVE..=MAX_MAGNITUDE)
                .contains(&value)
                .then(|| value.log10()),
        }
    }
}

/// An axis that shows all of its places.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) range: Range<f64>,
    /// Places of the ticks and their labels.
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis over places given by [`Scale::place`], widened by a margin (a share of its
    /// length) at both ends. None without places.
    pub(crate) fn over(
        scale: Scale,
        places: impl Iterator<Item = f64>,
        margin: f64,
    ) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for place in places {
            low = low.min(place);
            high = high.max(place);
        }
        if low > high {
            return None;
        }
        let least = match scale {
            Scale::Linear => (low.abs().max(high.abs()) * 1e-6).max(1e-12),
            Scale::Log => 0.2,
        };
        if high - low < least {
            // Constant data stand in the middle.
            let half = match scale {
                Scale::Linear if low == 0.0 && high == 0.0 => 1.0,
                Scale::Linear => low.abs().max(high.abs()) * 0.1,
                Scale::Log => 0.5,
            };
            (low, high) = (low - half, high + half);
        } else {
            let wide = (high - low) * margin;
            (low, high) = (low - wide, high + wide);
        }
        let ticks = match scale {
            Scale::Linear => linear_ticks(low, high),
            Scale::Log => log_ticks(low, high),
        };
        Some(Self {
            range: low..high,
            ticks,
        })
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (place - self.range.start) / (self.range.end - self.range.start);
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.max_num_points() == 0 {
            return Vec::new();
        }
        self.ticks.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, place: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick == place);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// Ticks at multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let rough = (high - low) / TICKS;
    let power = rough.log10().floor();
    let unit = 10f64.powf(power);
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * unit)
        .into_iter()
        .find(|s| *s >= rough);
    let step = step.unwrap_or(10.0 * unit);
    // A rounding error must not cost the tick at an end.
    let (low, high) = (low - step * 1e-9, high + step * 1e-9);
    let first = (low / step).ceil();
    (0..=2 * TICKS as i64 + 2)
        .map(|k| (first + k as f64) * step)
        .take_while(|place| *place <= high)
        .map(|place| (place, linear_label(place, step)))
        .collect()
}

fn linear_label(value: f64, step: f64) -> String {
    let largest = value.abs().max(step);
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e5).contains(&largest) {
        let digits = value.abs().log10().floor() - (step * 1.000001).log10().floor();
        let digits = digits.clamp(0.0, 6.0) as usize;
        format!("{value:.digits$e}")
    } else {
        let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        format!("{value:.digits$}")
    }
}

/// Ticks at powers of ten; between them at 2 and 5 where there are few.
fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let (first, last) = (low.ceil() as i64, high.floor() as i64);
    let decades = last - first + 1;
    let stride = (decades as f64 / TICKS).ceil().max(1.0) as usize;
    let mantissas: &[f64] = if decades <= 2 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let mut ticks = Vec::new();
    for power in (low.floor() as i64..=last).filter(|p| p.rem_euclid(stride as i64) == 0) {
        for mantissa in mantissas {
            let place = power as f64 + mantissa.log10();
            if (low..=high).contains(&place) {
                ticks.push((place, log_label(*mantissa, power)));
            }
        }
    }
    ticks
}

fn log_label(mantissa: f64, power: i64) -> String {
    match power {
        -2..=-1 => format!(
            "{:.*}",
            -power as usize,
            mantissa * 10f64.powi(power as i32)
        ),
        0..=3 => format!("{:.0}", mantissa * 10f64.powi(power as i32)),
        _ => format!("{mantissa}e{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, values: &[f64]) -> Vec<String> {
        let places = values.iter().filter_map(|v| scale.place(*v));
        let axis = Axis::over(scale, places, 0.0).unwrap();
        axis.ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn linear_ticks_are_round_numbers() {
        assert_eq!(
            labels(Scale::Linear, &[0.0, 50.0]),
            ["0", "10", "20", "30", "40", "50"]
        );
        assert_eq!(
            labels(Scale::Linear, &[-0.3, 0.2]),
            ["-0.3", "-0.2", "-0.1", "0", "0.1", "0.2"]
        );
        assert_eq!(
            labels(Scale::Linear, &[2e6, 1e7])[..3],
            ["2e6", "3e6", "4e6"]
        );
    }

    #[test]
    fn log_ticks_are_powers_of_ten() {
        assert_eq!(
            labels(Scale::Log, &[1e-5, 0.1]),
            ["1e-5", "1e-4", "1e-3", "0.01", "0.1"]
        );
        assert_eq!(labels(Scale::Log, &[20.0, 110.0]), ["20", "50", "100"]);
        assert!(labels(Scale::Log, &[1e-40, 1e40]).len() <= 8);
    }

    #[test]
    fn what_cannot_be_drawn_has_no_place() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
            assert_eq!(Scale::Linear.place(value), None);
            assert_eq!(Scale::Log.place(value), None);
        }
        for value in [0.0, -1.0, f64::MIN_POSITIVE] {
            assert_eq!(Scale::Log.place(value), None);
        }
        assert_eq!(Scale::Linear.place(-1.0), Some(-1.0));
        assert!(Axis::over(Scale::Linear, std::iter::empty(), 0.1).is_none());
    }

    #[test]
    fn constant_data_get_a_range_and_ticks() {
        for scale in [Scale::Linear, Scale::Log] {
            for value in [0.0, 1.0, -3.0, 1e99, 1e-99, 7e15] {
                let Some(place) = scale.place(value) else {
                    continue;
                };
                let axis = Axis::over(scale, [place, place].into_iter(), 0.05).unwrap();
                assert!(
                    axis.range.start < place && place < axis.range.end,
                    "{scale:?} {value}"
                );
                assert!(axis.ticks.len() >= 2, "{scale:?} {value} {:?}", axis.ticks);
            }
        }
    }
}
