//! Line curves in several panels of one picture.

use std::path::Path;

use plotters::prelude::*;

use crate::PictureError;
use crate::axis::{Axis, Scale};
use crate::chart::{LEFT, framed};
use crate::sheet::{
    Align, Area, HEADING, INK, LABEL, LINES, PALE_INK, Sheet, TITLE, reason, text, text_width,
};

/// Width and height of a panel, pixels.
const PANEL: (usize, usize) = (600, 400);
/// White around everything, pixels.
const MARGIN: i32 = 18;

/// Panels of curves.
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
    /// Without panels yet.
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
            return Err(PictureError::NoData {
                title: self.title.clone(),
                found,
            });
        }
        let across = match self.panels.len() {
            1 => 1,
            2..=4 => 2,
            _ => 3,
        };
        let down = self.panels.len().div_ceil(across);
        let top = MARGIN + TITLE + MARGIN / 2;
        let title_width = text_width(&self.title, TITLE) + 2 * MARGIN;
        let width = (across * PANEL.0).max(title_width.max(0) as usize);
        let mut sheet = Sheet::new(&self.title, width, top as usize + down * PANEL.1)?;
        sheet.draw(|area| {
            text(
                area,
                &self.title,
                (MARGIN, MARGIN + TITLE / 2),
                TITLE,
                Align::Left,
                INK,
            )?;
            let (_, panels) = area.split_vertically(top);
            for (panel, area) in self.panels.iter().zip(panels.split_evenly((down, across))) {
                panel.draw(&area)?;
            }
            Ok(())
        })?;
        sheet.save(path)
    }
}

impl Panel {
    /// Without lines yet, with linear axes. Put the unit into the title.
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
        let (width, height) = area.dim_in_pixel();
        text(
            &area,
            &self.title,
            (LEFT, HEADING / 2),
            HEADING,
            Align::Left,
            INK,
        )?;
        let top = self.draw_legend(&area, HEADING + 8, width as i32)?;
        let (_, plot) = area.split_vertically(top);
        let Some((x, y)) = self.axes() else {
            let at = (width as i32 / 2, (height as i32 - top) / 2);
            return text(
                &plot,
                "no values to draw",
                at,
                HEADING,
                Align::Middle,
                PALE_INK,
            );
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

    /// Names of the lines beside their colours, in as many rows as they need; returns where the
    /// diagram begins.
    fn draw_legend(&self, area: &Area, top: i32, width: i32) -> Result<i32, String> {
        const SWATCH: i32 = 22;
        let (mut x, mut y) = (LEFT, top + LABEL / 2);
        for (k, (name, points)) in self.lines.iter().enumerate() {
            let skipped = points
                .iter()
                .filter(|point| self.place(**point).is_none())
                .count();
            let name = match skipped {
                0 => name.clone(),
                _ if skipped == points.len() => format!("{name} (no values to draw)"),
                _ => format!("{name} ({skipped} left out)"),
            };
            let wide = SWATCH + 6 + text_width(&name, LABEL) + 18;
            if x > LEFT && x + wide > width {
                (x, y) = (LEFT, y + LABEL + 5);
            }
            let swatch = Rectangle::new(
                [(x, y - 2), (x + SWATCH, y + 2)],
                LINES[k % LINES.len()].filled(),
            );
            area.draw(&swatch).map_err(reason)?;
            text(area, &name, (x + SWATCH + 6, y), LABEL, Align::Left, INK)?;
            x += wide;
        }
        Ok(y + LABEL / 2)
    }
}
