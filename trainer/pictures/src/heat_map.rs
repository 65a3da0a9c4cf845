//! Values over a plane, as colours.

use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;

use crate::PictureError;
use crate::axis::{Axis, Scale};
use crate::chart::{framed, heading};
use crate::sheet::{Align, Area, INK, LABEL, MARGIN, PALE_INK, Page, reason, text, text_width};

/// Side of a map, with its labels, pixels.
const SIDE: i32 = 440;
/// Room beside a map for its colour bar, pixels.
const BAR: i32 = 96;
/// Room above a map for its heading, pixels.
const ABOVE: i32 = 34;
/// Room below a map, pixels.
const BELOW: i32 = 16;
/// Colour of what has no value.
const NONE: RGBColor = RGBColor(225, 227, 231);
/// Colours from low to high, told apart also in grey and by people who do not see all colours.
const COLOURS: [[f64; 3]; 5] = [
    [24.0, 28.0, 66.0],
    [58.0, 82.0, 139.0],
    [33.0, 145.0, 140.0],
    [120.0, 200.0, 85.0],
    [250.0, 231.0, 60.0],
];

/// One map of values over the plane.
#[derive(Debug, Clone)]
pub struct Map {
    /// Title, which says what the map shows.
    pub title: String,
    /// Columns of the grid.
    pub columns: usize,
    /// Values row by row, the lowest row first; none where there is no value.
    pub values: Vec<Option<f64>>,
    /// Things to point at: name and place.
    pub marks: Vec<(String, (f64, f64))>,
}

/// Maps of the same plane in one picture, with a common scale of colours.
#[derive(Debug, Clone)]
pub struct HeatMaps {
    title: String,
    x: Range<f64>,
    y: Range<f64>,
    axes: (String, String),
    scale: Option<Range<f64>>,
    maps: Vec<Map>,
}

impl HeatMaps {
    /// Makes a picture without maps yet. The grids lie over `x` and `y`, whose titles are `axes`; put the unit there.
    pub fn new(
        title: impl Into<String>,
        x: Range<f64>,
        y: Range<f64>,
        axes: (impl Into<String>, impl Into<String>),
    ) -> Self {
        Self {
            title: title.into(),
            x,
            y,
            axes: (axes.0.into(), axes.1.into()),
            scale: None,
            maps: Vec::new(),
        }
    }

    /// Sets the values of the darkest and the lightest colour; the range of all values otherwise.
    pub fn scale(mut self, scale: Range<f64>) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Adds a map; two stand side by side.
    pub fn map(mut self, map: Map) -> Self {
        self.maps.push(map);
        self
    }

    /// Writes the PNG.
    ///
    /// # Errors
    /// [`PictureError::NoData`] if there is no finite value, [`PictureError::TooLarge`],
    /// [`PictureError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), PictureError> {
        let values = || self.maps.iter().flat_map(|map| &map.values).flatten();
        let axis = |range: &Range<f64>| {
            Axis::over(Scale::Linear, [range.start, range.end].into_iter(), 0.0)
        };
        let (Some(x), Some(y), Some(found)) = (
            axis(&self.x),
            axis(&self.y),
            Axis::over(
                Scale::Linear,
                values().filter_map(|v| Scale::Linear.place(*v)),
                0.0,
            ),
        ) else {
            let found = format!("{} maps, none with a finite value", self.maps.len());
            return Err(PictureError::no_data(&self.title, found));
        };
        let scale = match &self.scale {
            Some(scale) => axis(scale).unwrap_or(found),
            None => found,
        };
        let page = Page {
            title: &self.title,
            head: MARGIN / 2,
            panel: (SIDE + BAR + MARGIN, SIDE + ABOVE + BELOW),
            panels: self.maps.len(),
            across: 2,
        };
        page.save(
            path,
            |_| Ok(()),
            |number, area| self.draw(area, &self.maps[number], (&x, &y), &scale),
        )
    }

    fn draw(
        &self,
        area: &Area,
        map: &Map,
        (x, y): (&Axis, &Axis),
        scale: &Axis,
    ) -> Result<(), String> {
        heading(area, &map.title)?;
        let y_title = (4, ABOVE - 4);
        text(area, &self.axes.1, y_title, LABEL, Align::Left, INK)?;
        let plot = area.clone().shrink((0, ABOVE), (SIDE, SIDE));
        let mut chart = framed(&plot, x, y, &self.axes.0)?;
        let columns = map.columns.max(1);
        let rows = map.values.len().div_ceil(columns).max(1);
        let width = (self.x.end - self.x.start) / columns as f64;
        let height = (self.y.end - self.y.start) / rows as f64;
        let cells = map.values.iter().enumerate().map(|(number, value)| {
            let left = self.x.start + (number % columns) as f64 * width;
            let low = self.y.start + (number / columns) as f64 * height;
            let colour = value.map_or(NONE, |v| colour_of(v, &scale.range));
            Rectangle::new([(left, low), (left + width, low + height)], colour.filled())
        });
        chart.draw_series(cells).map_err(reason)?;
        for (name, at) in &map.marks {
            let (px, py) = chart.backend_coord(at);
            let (ox, oy) = plot.get_base_pixel();
            let at = (px - ox, py - oy);
            for (size, colour) in [(6, WHITE), (5, INK)] {
                plot.draw(&Circle::new(at, size, colour.stroke_width(2)))
                    .map_err(reason)?;
            }
            let wide = text_width(name, LABEL);
            // On a plate of its own: it is read on any colour.
            let x = if at.0 + wide + 18 > SIDE {
                at.0 - 12 - wide
            } else {
                at.0 + 12
            };
            let half = LABEL / 2 + 2;
            let plate = [(x - 3, at.1 - half), (x + wide + 3, at.1 + half)];
            plot.draw(&Rectangle::new(plate, INK.filled()))
                .map_err(reason)?;
            text(&plot, name, (x, at.1), LABEL, Align::Left, WHITE)?;
        }
        self.draw_bar(area, scale)
    }

    fn draw_bar(&self, area: &Area, scale: &Axis) -> Result<(), String> {
        let (left, top, bottom) = (SIDE + 14, ABOVE + 8, ABOVE + SIDE - 46);
        let tall = f64::from(bottom - top);
        let range = &scale.range;
        let span = range.end - range.start;
        for pixel in top..bottom {
            let value = range.end - f64::from(pixel - top) / tall * span;
            let bar = Rectangle::new(
                [(left, pixel), (left + 16, pixel + 1)],
                colour_of(value, range).filled(),
            );
            area.draw(&bar).map_err(reason)?;
        }
        for (value, label) in &scale.ticks {
            let y = bottom - ((value - range.start) / span * tall).round() as i32;
            let tick = PathElement::new(vec![(left + 16, y), (left + 20, y)], PALE_INK);
            area.draw(&tick).map_err(reason)?;
            text(area, label, (left + 24, y), LABEL, Align::Left, INK)?;
        }
        Ok(())
    }
}

fn colour_of(value: f64, range: &Range<f64>) -> RGBColor {
    if !value.is_finite() {
        return NONE;
    }
    let span = (range.end - range.start).max(1e-12);
    let share = ((value - range.start) / span).clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
    let (low, rest) = (share.floor() as usize, share.fract());
    let high = (low + 1).min(COLOURS.len() - 1);
    let channel = |c: usize| (COLOURS[low][c] * (1.0 - rest) + COLOURS[high][c] * rest) as u8;
    RGBColor(channel(0), channel(1), channel(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_run_from_the_first_to_the_last() {
        let all = |v| colour_of(v, &(0.0..1.0));
        assert_eq!(all(-3.0), RGBColor(24, 28, 66));
        assert_eq!(all(0.5), RGBColor(33, 145, 140));
        assert_eq!(all(9.0), RGBColor(250, 231, 60));
        assert_eq!(all(f64::NAN), NONE);
    }
}
