//! Pages: one HTML file that holds everything it shows, from a template that all pages share.

use base64::Engine as _;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use minijinja::Environment;
use serde::Serialize;

pub use minijinja::{Value, context};

use crate::error::PictureError;
use crate::frame::Frame;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Bytes of base64 text that the pictures of a page may take together: with what else it holds, it stays below 5 MB.
pub const PICTURES_BUDGET: usize = 3_900_000;
const JPEG_QUALITY: u8 = 82;

/// A question that a reader asks first, with its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The question.
    pub question: &'static str,
    /// The answer, in a sentence.
    pub answer: String,
    /// Identifier of the section that shows it.
    pub place: &'static str,
}

/// A page. It begins with questions and their answers and ends with what ran; between them stand sections of its own.
///
/// ```
/// # fn main() -> Result<(), latco_pictures::PictureError> {
/// use latco_pictures::page::{Page, context};
///
/// let page = Page {
///     title: "lengths",
///     answers: &[],
///     sections: &[("lengths", "how long")],
///     body: "<section id=\"lengths\"><h2>{{ name }}</h2><svg id=\"chart\"></svg></section>",
///     script: "lines(\"chart\", \"number\", [data], false);",
///     data: "[[0, 1.5], [1, 2.5]]",
///     facts: &[("made by", "hand".into())],
///     configuration: None,
/// };
/// let html = page.render(context! { name => "a < b" })?;
/// assert!(html.contains("<h2>a &lt; b</h2>") && html.contains("[1, 2.5]"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Title of the page.
    pub title: &'a str,
    /// Questions and answers.
    pub answers: &'a [Answer],
    /// Identifiers and names of the sections in `body`.
    pub sections: &'a [(&'a str, &'a str)],
    /// Template of the sections (minijinja).
    pub body: &'a str,
    /// What runs after the shared script, which has `data`, `find`, `lines` and what they are made of.
    pub script: &'a str,
    /// JSON that the script finds as `data`.
    pub data: &'a str,
    /// Names and values of what ran.
    pub facts: &'a [(&'a str, String)],
    /// The configuration as text.
    pub configuration: Option<&'a str>,
}

impl Page<'_> {
    /// The HTML. `context` is for the template of the sections; its values are escaped.
    ///
    /// # Errors
    /// [`PictureError::Page`] for a template that is wrong.
    pub fn render(&self, context: Value) -> Result<String, PictureError> {
        let mut environment = Environment::new();
        environment.add_template("page.html", TEMPLATE)?;
        environment.add_template("body.html", self.body)?;
        let body = environment.get_template("body.html")?.render(context)?;
        Ok(environment.get_template("page.html")?.render(context! {
            style => STYLE,
            script => format!("{SCRIPT}\n{}", self.script),
            // A script element ends at the first "</", wherever it stands.
            data => self.data.replace("</", "<\\/"),
            title => self.title,
            sections => self.sections,
            answers => self.answers,
            body,
            facts => self.facts,
            configuration => self.configuration,
        })?)
    }
}

/// Bytes as text, as pictures stand in a page.
pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Frames of one size side by side as a JPEG, in base64: the shared script draws them from it.
///
/// # Errors
/// [`PictureError::Draw`] when there are none, they differ in size, or the encoder refuses them.
pub fn jpeg(frames: &[Frame]) -> Result<String, PictureError> {
    let refused = |reason: String| PictureError::Draw {
        title: "frames side by side".to_owned(),
        reason,
    };
    let (width, height) = frames.first().map_or((0, 0), |f| (f.width(), f.height()));
    if width == 0
        || frames
            .iter()
            .any(|f| (f.width(), f.height()) != (width, height))
    {
        return Err(refused(
            "expected frames of one size, found none or several sizes".to_owned(),
        ));
    }
    let mut strip = Vec::with_capacity(frames.len() * width * height * 3);
    for row in 0..height {
        for frame in frames {
            strip.extend_from_slice(&frame.rgb()[row * width * 3..][..width * 3]);
        }
    }
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
        .write_image(
            &strip,
            side(frames.len() * width),
            side(height),
            ExtendedColorType::Rgb8,
        )
        .map_err(|error| refused(error.to_string()))?;
    Ok(base64(&bytes))
}

/// Numbers below `count` in an order of which every beginning is spread over the whole: where not all pictures fit, the first
/// of this order are drawn.
pub fn spread(count: usize) -> Vec<usize> {
    let mut stride = count.next_power_of_two().max(1);
    let mut order: Vec<usize> = (count > 0).then_some(0).into_iter().collect();
    while stride > 1 {
        order.extend((stride / 2..count).step_by(stride));
        stride /= 2;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_once_and_the_beginning_is_spread() {
        for count in [0, 1, 2, 7, 64, 243] {
            let mut order = spread(count);
            let begin = order.clone();
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<_>>());
            if count == 243 {
                let far = begin[..8].iter().max().copied();
                assert!(far.is_some_and(|far| far > 180), "{begin:?}");
            }
        }
    }

    #[test]
    fn frames_of_several_sizes_are_refused() {
        let frame = |side: usize| Frame::new(side, side, vec![9; side * side * 3]).unwrap();
        assert!(jpeg(&[frame(4), frame(4)]).unwrap().len() > 100);
        for wrong in [&[frame(4), frame(5)][..], &[]] {
            assert!(jpeg(wrong).unwrap_err().to_string().contains("one size"));
        }
    }
}
