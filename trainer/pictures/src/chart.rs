//! The frame of a diagram: axes, grid and labels.

use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;

use crate::axis::Axis;
use crate::sheet::{Align, Area, FONT, GRID, HEADING, INK, LABEL, PALE_INK, reason, text};

/// Room for the labels of the y axis; titles and legends begin there too, pixels.
pub(crate) const LEFT: i32 = 62;

/// A diagram that series can be drawn into.
pub(crate) type Chart<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<Axis, Axis>>;

/// Draws axes, grid and labels over the whole area, with the labels of the y axis at [`LEFT`].
pub(crate) fn framed<'a, 'b>(
    area: &'a Area<'b>,
    x: &Axis,
    y: &Axis,
    x_title: &str,
) -> Result<Chart<'a, 'b>, String> {
    framed_from(area, LEFT, (x, y), x_title)
}

/// Draws like [`framed`], with `left` pixels of room for the labels of the y axis.
pub(crate) fn framed_from<'a, 'b>(
    area: &'a Area<'b>,
    left: i32,
    (x, y): (&Axis, &Axis),
    x_title: &str,
) -> Result<Chart<'a, 'b>, String> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        .x_label_area_size(46)
        .y_label_area_size(left)
        .build_cartesian_2d(x.clone(), y.clone())
        .map_err(reason)?;
    chart
        .configure_mesh()
        .max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(PALE_INK)
        .label_style((FONT, LABEL).into_font().color(&INK))
        .x_desc(x_title)
        .axis_desc_style((FONT, LABEL).into_font().color(&INK))
        .draw()
        .map_err(reason)?;
    Ok(chart)
}

/// Writes the heading of a panel over its diagram.
pub(crate) fn heading(area: &Area, title: &str) -> Result<(), String> {
    text(area, title, (LEFT, HEADING / 2), HEADING, Align::Left, INK)
}

/// Says in the middle of an area why there is no diagram.
pub(crate) fn instead(area: &Area, why: &str) -> Result<(), String> {
    let (width, height) = area.dim_in_pixel();
    let at = (width as i32 / 2, height as i32 / 2);
    text(area, why, at, HEADING, Align::Middle, PALE_INK)
}
