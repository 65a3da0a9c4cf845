//! Line curves in several panels of one picture.

use std::path::Path;

use plotters::prelude::*;

use crate::PictureError;
use crate::axis::{Axis, Scale};
use crate::chart::{LEFT, framed, heading, instead};
use crate::sheet::{Area, HEADING, LINES, Page, legend, reason};

/// Width and height of a panel, pixels.
const PANEL: (i32, i32) = (600, 400);

/// A picture of several panels of curves.
#[derive(Debug, Clone)]
pub struct Curves {
    title: String,
    panels: Vec<Panel>,
}

/// One diagram with its own axes.
#[derive(Debug, Clone)]
pub struct Panel {
    title: String,
    x_title: String,
    x_scale: Scale,
    y_scale: Scale,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Curves {
    /// Makes a picture without panels yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            panels: Vec::new(),
        }
    }

    /// Adds a panel. Up to two stand side by side, three from the fifth on.
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Writes the PNG. A panel without values that can be drawn says so in its place.
    ///
    /// # Errors
    /// [`PictureError::NoData`] if no panel has anything to draw, [`PictureError::TooLarge`],
    /// [`PictureError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), PictureError> {
        let lines = || self.panels.iter().flat_map(|panel| &panel.lines);
        if !self.panels.iter().any(|panel| panel.axes().is_some()) {
            let values: usize = lines().map(|(_, points)| points.len()).sum();
            let found = format!(
                "{} panels, {} lines, {values} values, none of them finite (and positive where \
                 the axis is logarithmic)",
                self.panels.len(),
                lines().count()
            );
            return Err(PictureError::no_data(&self.title, found));
        }
        let page = Page {
            title: &self.title,
            head: 0,
            panel: PANEL,
            panels: self.panels.len(),
            across: if self.panels.len() > 4 { 3 } else { 2 },
        };
        page.save(
            path,
            |_| Ok(()),
            |number, area| self.panels[number].draw(area),
        )
    }
}

impl Panel {
    /// Makes a panel with linear axes and without lines yet. Put the unit into the title.
    pub fn new(title: impl Into<String>, x_title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x_title: x_title.into(),
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            lines: Vec::new(),
        }
    }

    /// Lays out the x axis by logarithm; points at places that are not positive are left out.
    pub fn log_x(mut self) -> Self {
        self.x_scale = Scale::Log;
        self
    }

    /// Lays out the y axis by logarithm; values that are not positive are left out.
    pub fn log_y(mut self) -> Self {
        self.y_scale = Scale::Log;
        self
    }

    /// Adds a line through values at x = 0, 1, 2, ...
    pub fn line(self, name: impl Into<String>, values: &[f64]) -> Self {
        let points: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(x, y)| (x as f64, *y))
            .collect();
        self.points(name, &points)
    }

    /// Adds a line through points (x, y). It is broken where a point cannot be drawn.
    pub fn points(mut self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.lines.push((name.into(), points.to_vec()));
        self
    }

    /// Where a point stands on the axes; none if it cannot be drawn.
    fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x_scale.place(x)?, self.y_scale.place(y)?))
    }

    fn axes(&self) -> Option<(Axis, Axis)> {
        let places = || {
            let points = self.lines.iter().flat_map(|(_, points)| points);
            points.filter_map(|point| self.place(*point))
        };
        let x = Axis::over(self.x_scale, places().map(|(x, _)| x), 0.01)?;
        let y = Axis::over(self.y_scale, places().map(|(_, y)| y), 0.06)?;
        Some((x, y))
    }

    fn draw(&self, area: &Area) -> Result<(), String> {
        let area = area.margin(10, 10, 12, 22);
        heading(&area, &self.title)?;
        let lines = self.lines.iter().zip(LINES.iter().cycle());
        let names = lines.map(|((name, points), colour)| (self.named(name, points), *colour));
        let top = legend(&area, (LEFT, HEADING + 8), &names.collect::<Vec<_>>())?;
        let (_, plot) = area.split_vertically(top);
        let Some((x, y)) = self.axes() else {
            return instead(&plot, "no values to draw");
        };
        let mut chart = framed(&plot, &x, &y, &self.x_title)?;
        for (k, (_, points)) in self.lines.iter().enumerate() {
            let colour = LINES[k % LINES.len()];
            let places: Vec<_> = points.iter().map(|point| self.place(*point)).collect();
            for piece in places.split(Option::is_none) {
                let piece: Vec<(f64, f64)> = piece.iter().copied().flatten().collect();
                if let [alone] = piece[..] {
                    chart
                        .draw_series([Circle::new(alone, 3, colour.filled())])
                        .map_err(reason)?;
                } else {
                    chart
                        .draw_series(LineSeries::new(piece, colour.stroke_width(2)))
                        .map_err(reason)?;
                }
            }
        }
        Ok(())
    }

    /// The name of a line, with how many of its points cannot be drawn.
    fn named(&self, name: &str, points: &[(f64, f64)]) -> String {
        let missing = |point: &&(f64, f64)| self.place(**point).is_none();
        match points.iter().filter(missing).count() {
            0 => name.to_owned(),
            skipped if skipped == points.len() => format!("{name} (no values to draw)"),
            skipped => format!("{name} ({skipped} left out)"),
        }
    }
}
