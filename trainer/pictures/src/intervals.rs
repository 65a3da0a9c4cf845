//! Values with their intervals, a row each: what shares and their uncertainty are compared in.

use std::path::Path;

use plotters::prelude::*;

use crate::PictureError;
use crate::axis::{Axis, Scale};
use crate::sheet::{
    Align, Area, GRID, HEADING, INK, LABEL, LINES, PALE_INK, Sheet, TITLE, reason, text, text_width,
};

/// Width of a panel without its names, pixels.
const PLOT: i32 = 420;
/// Height of one value, and between rows, pixels.
const VALUE: i32 = 15;
const BETWEEN: i32 = 11;
/// White around everything and between panels, pixels.
const MARGIN: i32 = 18;
/// Room under a panel for the labels and title of its axis, pixels.
const UNDER: i32 = 46;

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Which of the series it is of, from 0.
    pub series: usize,
    /// The value.
    pub value: f64,
    /// Ends of its interval.
    pub low: f64,
    /// See `low`.
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
    /// Without panels yet. `series` are the names of what has a colour of its own.
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
                let title = self.title.clone();
                let found = format!("{} rows, none with a finite value", rows().count());
                return Err(PictureError::NoData { title, found });
            }
        };
        let named = rows().map(|(name, _)| text_width(name, LABEL));
        let left = named.max().unwrap_or(0) + 12;
        let most = self.panels.iter().map(|(_, rows)| height(rows)).max();
        let (panel, across) = (most.unwrap_or(0), self.panels.len().clamp(1, 2) as i32);
        let down = (self.panels.len() as i32 + across - 1) / across;
        let wide = left + PLOT + 2 * MARGIN;
        let top = MARGIN + TITLE + MARGIN / 2 + LABEL + MARGIN;
        let title_width = text_width(&self.title, TITLE) + 2 * MARGIN;
        let mut sheet = Sheet::new(
            &self.title,
            (across * wide).max(title_width) as usize,
            (top + down * (panel + MARGIN)) as usize,
        )?;
        sheet.draw(|area| {
            let at = (MARGIN, MARGIN + TITLE / 2);
            text(area, &self.title, at, TITLE, Align::Left, INK)?;
            self.draw_legend(area, MARGIN + TITLE + MARGIN / 2 + LABEL / 2)?;
            for (number, (title, rows)) in self.panels.iter().enumerate() {
                let (column, row) = (number as i32 % across, number as i32 / across);
                let corner = (column * wide + MARGIN, top + row * (panel + MARGIN));
                let frame = Frame {
                    axis: &axis,
                    x_title: &self.x_title,
                    corner,
                    left,
                };
                frame.draw(area, title, rows)?;
            }
            Ok(())
        })?;
        sheet.save(path)
    }

    fn draw_legend(&self, area: &Area, y: i32) -> Result<(), String> {
        let mut x = MARGIN;
        for (number, name) in self.series.iter().enumerate() {
            let colour = LINES[number % LINES.len()];
            area.draw(&Circle::new((x + 6, y), 5, colour.filled()))
                .map_err(reason)?;
            text(area, name, (x + 18, y), LABEL, Align::Left, INK)?;
            x += 18 + text_width(name, LABEL) + 24;
        }
        Ok(())
    }
}

/// Height of a row with all its values.
fn row_height(values: &[Interval]) -> i32 {
    values.len().max(1) as i32 * VALUE + BETWEEN
}

/// Height of a panel.
fn height(rows: &[Row]) -> i32 {
    let rows = rows.iter().map(|(_, values)| row_height(values));
    HEADING + MARGIN / 2 + rows.sum::<i32>() + UNDER
}

/// Where a panel stands.
struct Frame<'a> {
    axis: &'a Axis,
    x_title: &'a str,
    corner: (i32, i32),
    left: i32,
}

impl Frame<'_> {
    fn place(&self, x: f64) -> i32 {
        let range = &self.axis.range;
        let share = (x - range.start) / (range.end - range.start);
        self.corner.0 + self.left + (share.clamp(0.0, 1.0) * f64::from(PLOT)).round() as i32
    }

    fn draw(&self, area: &Area, title: &str, rows: &[Row]) -> Result<(), String> {
        let (x, top) = self.corner;
        let heading = (x + self.left, top + HEADING / 2);
        text(area, title, heading, HEADING, Align::Left, INK)?;
        let first = top + HEADING + MARGIN / 2;
        let last = top + height(rows) - UNDER;
        let line = |from: (i32, i32), to: (i32, i32), style: ShapeStyle| {
            area.draw(&PathElement::new(vec![from, to], style))
                .map_err(reason)
        };
        for (place, label) in &self.axis.ticks {
            let x = self.place(*place);
            line((x, first), (x, last), GRID.stroke_width(1))?;
            let at = (x, last + 4 + LABEL / 2);
            text(area, label, at, LABEL, Align::Middle, INK)?;
        }
        let far = x + self.left + PLOT;
        line((x + self.left, last), (far, last), PALE_INK.stroke_width(1))?;
        let at = (x + self.left + PLOT / 2, last + 28);
        text(area, self.x_title, at, LABEL, Align::Middle, INK)?;
        let mut y = first;
        for (name, values) in rows {
            let tall = row_height(values);
            let at = (x + self.left - 8, y + tall / 2);
            text(area, name, at, LABEL, Align::Right, INK)?;
            for (number, value) in values.iter().enumerate() {
                if ![value.value, value.low, value.high]
                    .iter()
                    .all(|v| v.is_finite())
                {
                    continue;
                }
                let middle = y + BETWEEN / 2 + number as i32 * VALUE + VALUE / 2;
                let colour = LINES[value.series % LINES.len()];
                let (from, to) = (self.place(value.low), self.place(value.high));
                line((from, middle), (to, middle), colour.stroke_width(2))?;
                let at = (self.place(value.value), middle);
                area.draw(&Circle::new(at, 4, colour.filled()))
                    .map_err(reason)?;
            }
            y += tall;
        }
        Ok(())
    }
}
