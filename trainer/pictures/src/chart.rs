//! The frame of a diagram: axes, grid and labels.

use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;

use crate::axis::Axis;
use crate::sheet::{Area, FONT, GRID, INK, LABEL, PALE_INK, reason};

/// Room for the labels of the y axis; titles and legends begin there too, pixels.
pub(crate) const LEFT: i32 = 62;

/// A diagram that series can be drawn into.
pub(crate) type Chart<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<Axis, Axis>>;

/// Draws axes, grid and labels over the whole area.
pub(crate) fn framed<'a, 'b>(
    area: &'a Area<'b>,
    x: &Axis,
    y: &Axis,
    x_title: &str,
) -> Result<Chart<'a, 'b>, String> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        .x_label_area_size(46)
        .y_label_area_size(LEFT)
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
