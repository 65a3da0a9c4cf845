//! Film strips: rows of frames under each other, columns by time.

use std::path::Path;

use plotters::prelude::*;

use crate::sheet::{Align, HEADING, INK, LABEL, PALE_INK, Sheet, TITLE, reason, text, text_width};
use crate::{Frame, PictureError};

/// Gap between frames, pixels.
const GAP: usize = 6;
/// White around everything, pixels.
const MARGIN: usize = 18;
/// Frames are enlarged to at least this width unless a scale is set, pixels.
const LEAST_WIDTH: usize = 112;

/// Number of columns of the strip of a plan.
const COLUMNS: usize = 9;

/// The steps, from 0 to `length`, that the strip of a plan of so many steps shows.
pub fn columns(length: usize) -> Vec<usize> {
    let columns = COLUMNS.min(length + 1);
    (0..columns)
        .map(|c| (c as f64 * length as f64 / (columns - 1).max(1) as f64).round() as usize)
        .collect()
}

/// Labelled rows of frames, one column a step.
#[derive(Debug, Clone)]
pub struct FilmStrip {
    title: String,
    rows: Vec<(String, Vec<Frame>)>,
    /// Texts under the frames of each row.
    captions: Vec<Vec<String>>,
    columns: Option<Vec<String>>,
    scale: Option<usize>,
}

impl FilmStrip {
    /// Makes a strip without rows yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
            captions: Vec::new(),
            columns: None,
            scale: None,
        }
    }

    /// Adds a row. Rows may have different numbers of frames. Frames may have different sizes:
    /// each is enlarged by a whole number to the width of the widest, as nearly as that goes.
    pub fn row(mut self, title: impl Into<String>, frames: &[Frame]) -> Self {
        self.rows.push((title.into(), frames.to_vec()));
        self.captions.push(Vec::new());
        self
    }

    /// Adds a row with a text under every frame.
    pub fn captioned_row(mut self, title: impl Into<String>, frames: &[(Frame, String)]) -> Self {
        let (frames, captions) = frames.iter().cloned().unzip();
        self.rows.push((title.into(), frames));
        self.captions.push(captions);
        self
    }

    /// Labels over the columns, `step 0`, `5`, ...; 0, 1, 2, ... where not set.
    pub fn columns<T: ToString>(mut self, labels: impl IntoIterator<Item = T>) -> Self {
        self.columns = Some(labels.into_iter().map(|label| label.to_string()).collect());
        self
    }

    /// Draws every pixel of the widest frame this many times as large; by default that frame
    /// becomes at least 112 pixels wide.
    pub fn scale(mut self, scale: usize) -> Self {
        self.scale = Some(scale.max(1));
        self
    }

    /// Writes the PNG.
    ///
    /// # Errors
    /// [`PictureError::NoData`] without any frame, [`PictureError::TooLarge`],
    /// [`PictureError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), PictureError> {
        let frames = || self.rows.iter().flat_map(|(_, frames)| frames);
        let columns = self
            .rows
            .iter()
            .map(|(_, frames)| frames.len())
            .max()
            .unwrap_or(0);
        if columns == 0 {
            let found = format!("{} rows, all without frames", self.rows.len());
            return Err(PictureError::no_data(&self.title, found));
        }
        let widest = frames().map(Frame::width).max().unwrap_or(1);
        let scale = self.scale.unwrap_or_else(|| LEAST_WIDTH.div_ceil(widest));
        let cell = widest * scale;

        let row_title = |(title, _): &(String, _)| text_width(title, HEADING).max(0) as usize;
        let left = MARGIN + self.rows.iter().map(row_title).max().unwrap_or(0) + 2 * GAP;
        let title_width = text_width(&self.title, TITLE).max(0) as usize + 2 * MARGIN;
        let width = (left + columns * (cell + GAP) + MARGIN).max(title_width);
        let top = MARGIN + TITLE as usize + 2 * GAP + LABEL as usize + GAP;
        let heights: Vec<usize> = self
            .rows
            .iter()
            .map(|(_, frames)| {
                let tallest = frames
                    .iter()
                    .map(|frame| frame.height() * (cell / frame.width()))
                    .max();
                tallest.unwrap_or(HEADING as usize)
            })
            .collect();
        let row_heights: Vec<usize> = (heights.iter().zip(&self.captions))
            .map(|(height, captions)| match captions.is_empty() {
                true => height + GAP,
                false => height + LABEL as usize + 2 * GAP,
            })
            .collect();
        let height = top + row_heights.iter().sum::<usize>() + MARGIN;

        let mut sheet = Sheet::new(&self.title, width, height)?;
        let column_left = |column: usize| left + column * (cell + GAP);
        let mut row_top = top;
        for ((_, frames), row_height) in self.rows.iter().zip(&row_heights) {
            for (column, frame) in frames.iter().enumerate() {
                sheet.put(frame, column_left(column), row_top, cell / frame.width());
            }
            row_top += row_height;
        }
        sheet.draw(|area| {
            let middle = (MARGIN + TITLE as usize / 2) as i32;
            text(
                area,
                &self.title,
                (MARGIN as i32, middle),
                TITLE,
                Align::Left,
                INK,
            )?;
            let over = (top - GAP - LABEL as usize / 2) as i32;
            for column in 0..columns {
                let label = match &self.columns {
                    Some(labels) => labels.get(column).cloned().unwrap_or_default(),
                    None => column.to_string(),
                };
                let at = ((column_left(column) + cell / 2) as i32, over);
                text(area, &label, at, LABEL, Align::Middle, PALE_INK)?;
            }
            let mut row_top = top;
            for (row, (title, frames)) in self.rows.iter().enumerate() {
                let height = heights[row];
                let at = ((left - 2 * GAP) as i32, (row_top + height / 2) as i32);
                text(area, title, at, HEADING, Align::Right, INK)?;
                for (column, frame) in frames.iter().enumerate() {
                    let (x, y) = (column_left(column) as i32 - 1, row_top as i32 - 1);
                    let enlarged = cell / frame.width();
                    let far_x = x + (frame.width() * enlarged) as i32 + 1;
                    let far_y = y + (frame.height() * enlarged) as i32 + 1;
                    area.draw(&Rectangle::new([(x, y), (far_x, far_y)], PALE_INK))
                        .map_err(reason)?;
                    if let Some(caption) = self.captions[row].get(column) {
                        let under = (row_top + height + GAP + LABEL as usize / 2) as i32;
                        let at = ((column_left(column) + cell / 2) as i32, under);
                        text(area, caption, at, LABEL, Align::Middle, PALE_INK)?;
                    }
                }
                row_top += row_heights[row];
            }
            Ok(())
        })?;
        sheet.save(path)
    }
}
