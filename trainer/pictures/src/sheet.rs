//! The paper that is drawn on: pixels, text, and the PNG file.

use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::{Frame, PictureError};

/// An area of a sheet, in pixels.
pub(crate) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Largest side of a picture, pixels.
const MAX_SIDE: usize = 16_000;
/// Name under which the font is registered.
pub(crate) const FONT: &str = "latco";
/// Colour of text.
pub(crate) const INK: RGBColor = RGBColor(30, 33, 40);
/// Colour of less important text and of axes.
pub(crate) const PALE_INK: RGBColor = RGBColor(105, 110, 120);
/// Colour of grid lines.
pub(crate) const GRID: RGBColor = RGBColor(225, 227, 231);
/// Text sizes, pixels.
pub(crate) const TITLE: i32 = 24;
/// Text size of panel and row titles, pixels.
pub(crate) const HEADING: i32 = 19;
/// Text size of labels, pixels.
pub(crate) const LABEL: i32 = 16;

/// Colours of lines, told apart also by people who do not see all colours (Okabe and Ito).
pub(crate) const LINES: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

/// White around everything, pixels.
pub(crate) const MARGIN: i32 = 18;

/// How a text is placed at its point.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Align {
    Left,
    Middle,
    Right,
}

/// A white RGB picture.
pub(crate) struct Sheet {
    title: String,
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Sheet {
    pub(crate) fn new(title: &str, width: usize, height: usize) -> Result<Self, PictureError> {
        if width > MAX_SIDE || height > MAX_SIDE {
            let title = title.to_owned();
            return Err(PictureError::TooLarge {
                title,
                width,
                height,
                limit: MAX_SIDE,
            });
        }
        load_font();
        let rgb = vec![255; width * height * 3];
        Ok(Self {
            title: title.to_owned(),
            width,
            height,
            rgb,
        })
    }

    /// Draws with plotters over the whole sheet.
    pub(crate) fn draw(
        &mut self,
        draw: impl FnOnce(&Area) -> Result<(), String>,
    ) -> Result<(), PictureError> {
        let size = (self.width as u32, self.height as u32);
        let area = BitMapBackend::with_buffer(&mut self.rgb, size).into_drawing_area();
        let drawn = draw(&area).and_then(|()| area.present().map_err(reason));
        drawn.map_err(|reason| PictureError::Draw {
            title: self.title.clone(),
            reason,
        })
    }

    /// Puts a frame at a place, every pixel `scale` times as large.
    pub(crate) fn put(&mut self, frame: &Frame, left: usize, top: usize, scale: usize) {
        for y in 0..(frame.height() * scale).min(self.height.saturating_sub(top)) {
            for x in 0..(frame.width() * scale).min(self.width.saturating_sub(left)) {
                let at = ((top + y) * self.width + left + x) * 3;
                self.rgb[at..at + 3].copy_from_slice(&frame.pixel(x / scale, y / scale));
            }
        }
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), PictureError> {
        image::save_buffer_with_format(
            path,
            &self.rgb,
            self.width as u32,
            self.height as u32,
            image::ExtendedColorType::Rgb8,
            image::ImageFormat::Png,
        )
        .map_err(|source| PictureError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

/// Panels of one size under a common title, some of them side by side.
pub(crate) struct Page<'a> {
    pub(crate) title: &'a str,
    /// Room between title and panels, pixels.
    pub(crate) head: i32,
    /// Width and height of a panel, pixels.
    pub(crate) panel: (i32, i32),
    pub(crate) panels: usize,
    /// Panels side by side.
    pub(crate) across: usize,
}

impl Page<'_> {
    /// Draws what stands in the head, whose area begins under the title, and the panels by their number; writes the PNG.
    pub(crate) fn save(
        &self,
        path: &Path,
        head: impl FnOnce(&Area) -> Result<(), String>,
        draw: impl Fn(usize, &Area) -> Result<(), String>,
    ) -> Result<(), PictureError> {
        let (wide, tall) = self.panel;
        let across = self.across.clamp(1, self.panels.max(1)) as i32;
        let down = (self.panels as i32 + across - 1) / across;
        let under_title = MARGIN + TITLE + MARGIN / 2;
        let top = under_title + self.head;
        let title_width = text_width(self.title, TITLE) + 2 * MARGIN;
        let width = (across * wide).max(title_width);
        let mut sheet = Sheet::new(self.title, width as usize, (top + down * tall) as usize)?;
        sheet.draw(|area| {
            let at = (MARGIN, MARGIN + TITLE / 2);
            text(area, self.title, at, TITLE, Align::Left, INK)?;
            head(&area.clone().shrink((0, under_title), (width, self.head)))?;
            for number in 0..self.panels {
                let (column, row) = (number as i32 % across, number as i32 / across);
                let corner = (column * wide, top + row * tall);
                draw(number, &area.clone().shrink(corner, self.panel))?;
            }
            Ok(())
        })?;
        sheet.save(path)
    }
}

/// Names beside their colours from `left` on, in as many rows as they need; returns where the rows end.
pub(crate) fn legend(
    area: &Area,
    (left, top): (i32, i32),
    names: &[(String, RGBColor)],
) -> Result<i32, String> {
    const SWATCH: i32 = 22;
    let width = area.dim_in_pixel().0 as i32;
    let (mut x, mut y) = (left, top + LABEL / 2);
    for (name, colour) in names {
        let wide = SWATCH + 6 + text_width(name, LABEL) + 18;
        if x > left && x + wide > width {
            (x, y) = (left, y + LABEL + 5);
        }
        let swatch = Rectangle::new([(x, y - 2), (x + SWATCH, y + 2)], colour.filled());
        area.draw(&swatch).map_err(reason)?;
        text(area, name, (x + SWATCH + 6, y), LABEL, Align::Left, INK)?;
        x += wide;
    }
    Ok(y + LABEL / 2)
}

/// Writes a text with its middle line at `y`.
pub(crate) fn text(
    area: &Area,
    text: &str,
    at: (i32, i32),
    size: i32,
    align: Align,
    colour: RGBColor,
) -> Result<(), String> {
    let horizontal = match align {
        Align::Left => HPos::Left,
        Align::Middle => HPos::Center,
        Align::Right => HPos::Right,
    };
    let style = (FONT, size)
        .into_font()
        .color(&colour)
        .pos(Pos::new(horizontal, VPos::Center));
    area.draw_text(text, &style, at).map_err(reason)
}

/// Width of a text, pixels.
pub(crate) fn text_width(text: &str, size: i32) -> i32 {
    load_font();
    // The library knows no width for a text it cannot set; a guess only moves labels.
    (FONT, size).into_font().box_size(text).map_or_else(
        |_| text.chars().count() as i32 * size / 2,
        |(width, _)| width as i32,
    )
}

/// A drawing error as text.
pub(crate) fn reason(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn load_font() {
    static LOADED: Once = Once::new();
    LOADED.call_once(|| {
        let loaded = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        assert!(loaded.is_ok(), "the font that is compiled in can be read");
    });
}
