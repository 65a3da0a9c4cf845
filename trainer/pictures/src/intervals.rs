//! Values with their intervals, a row each: what shares and their uncertainty are compared in.

use std::path::Path;

use plotters::prelude::*;

use crate::PictureError;
use crate::axis::{Axis, Scale};
use crate::chart::framed_from;
use crate::sheet::{
    Align, Area, HEADING, INK, LABEL, LINES, MARGIN, Page, legend, reason, text, text_width,
};

/// Width of a panel without its names, pixels.
const PLOT: i32 = 420;
/// Height of one value, and between rows, pixels.
const VALUE: i32 = 15;
const BETWEEN: i32 = 11;
/// Room around the rows of a panel: over them, and for the labels and title of the axis, pixels.
const UNDER: i32 = 54;

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Which of the series it is of, from 0.
    pub series: usize,
    /// The value.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// A name and its values.
type Row = (String, Vec<Interval>);

/// Panels of rows of values with intervals.
#[derive(Debug, Clone)]
pub struct Intervals {
    title: String,
    x_title: String,
    series: Vec<String>,
    panels: Vec<(String, Vec<Row>)>,
}

impl Intervals {
    /// Makes a picture without panels yet. `series` are the names of what has a colour of its own.
    pub fn new(
        title: impl Into<String>,
        x_title: impl Into<String>,
        series: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            title: title.into(),
            x_title: x_title.into(),
            series: series.into_iter().map(Into::into).collect(),
            panels: Vec::new(),
        }
    }

    /// Adds a panel of named rows. Two stand side by side.
    pub fn panel(mut self, title: impl Into<String>, rows: Vec<(String, Vec<Interval>)>) -> Self {
        self.panels.push((title.into(), rows));
        self
    }

    /// Writes the PNG; all panels have the same axis, which begins at 0 at the latest.
    ///
    /// # Errors
    /// [`PictureError::NoData`] if there is no finite value, [`PictureError::TooLarge`],
    /// [`PictureError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), PictureError> {
        let rows = || self.panels.iter().flat_map(|(_, rows)| rows);
        let values = || rows().flat_map(|(_, values)| values);
        let ends = values().flat_map(|v| [v.low, v.value, v.high, 0.0]);
        let places = ends.filter_map(|x| Scale::Linear.place(x));
        let axis = match Axis::over(Scale::Linear, places, 0.03) {
            Some(axis) if values().any(|v| v.value.is_finite()) => axis,
            _ => {
                let found = format!("{} rows, none with a finite value", rows().count());
                return Err(PictureError::no_data(&self.title, found));
            }
        };
        let named = rows().map(|(name, _)| text_width(name, LABEL));
        let left = named.max().unwrap_or(0) + 12;
        let most = self.panels.iter().map(|(_, rows)| height(rows)).max();
        let page = Page {
            title: &self.title,
            head: LABEL + MARGIN,
            panel: (
                left + PLOT + 2 * MARGIN,
                most.unwrap_or(0) + UNDER + HEADING + 2 * MARGIN,
            ),
            panels: self.panels.len(),
            across: 2,
        };
        let names = self.series.iter().cloned();
        let names: Vec<_> = names.zip(LINES.into_iter().cycle()).collect();
        page.save(
            path,
            |head| legend(head, (MARGIN, 0), &names).map(drop),
            |number, area| {
                let (title, rows) = &self.panels[number];
                self.draw(
                    &area.margin(0, 0, MARGIN, MARGIN),
                    (title, rows),
                    left,
                    &axis,
                )
            },
        )
    }

    fn draw(
        &self,
        area: &Area,
        (title, rows): (&str, &[Row]),
        left: i32,
        x: &Axis,
    ) -> Result<(), String> {
        text(area, title, (left, HEADING / 2), HEADING, Align::Left, INK)?;
        let bottom = HEADING + MARGIN / 2 + height(rows) + UNDER;
        let (_, plot) = area.split_vertically(HEADING + MARGIN / 2);
        let (plot, _) = plot.split_vertically(bottom - HEADING - MARGIN / 2);
        // From the first row down, in pixels; a name stands at the middle of its row.
        let (mut names, mut values) = (Vec::new(), Vec::new());
        let mut top = 0;
        for (name, row) in rows {
            let tall = row_height(row);
            names.push((f64::from(top) + f64::from(tall) / 2.0, name.clone()));
            for (number, value) in row.iter().enumerate() {
                let middle = top + BETWEEN / 2 + number as i32 * VALUE + VALUE / 2;
                values.push((f64::from(middle), value));
            }
            top += tall;
        }
        let y = Axis {
            range: f64::from(top)..0.0,
            ticks: names,
        };
        let mut chart = framed_from(&plot, left, (x, &y), &self.x_title)?;
        for (
            y,
            Interval {
                series,
                value,
                low,
                high,
            },
        ) in values
        {
            if ![value, low, high].iter().all(|v| v.is_finite()) {
                continue;
            }
            let colour = LINES[series % LINES.len()];
            let line = LineSeries::new([(*low, y), (*high, y)], colour.stroke_width(2));
            chart.draw_series(line).map_err(reason)?;
            let dot = Circle::new((*value, y), 4, colour.filled());
            chart.draw_series([dot]).map_err(reason)?;
        }
        Ok(())
    }
}

/// Height of a row with all its values.
fn row_height(values: &[Interval]) -> i32 {
    values.len().max(1) as i32 * VALUE + BETWEEN
}

/// Height of all rows of a panel.
fn height(rows: &[Row]) -> i32 {
    rows.iter().map(|(_, values)| row_height(values)).sum()
}
