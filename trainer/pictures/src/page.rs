//! Pages: one HTML file that holds everything it shows, from a template that all pages share.

use base64::Engine as _;
use minijinja::Environment;
use serde::Serialize;

pub use minijinja::{Value, context};

use crate::error::PictureError;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

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
