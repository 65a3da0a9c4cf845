//! YAML as far as bags and ROS parameters need it: maps, lists and text, with the lines where they stand.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

/// Deepest nesting of maps and lists.
const MAX_DEPTH: usize = 64;

/// A YAML document whose scalars are left as text; lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yaml {
    /// Keys in their order, each with its line.
    Map(Vec<(String, usize, Yaml)>),
    /// A list with its line.
    List(usize, Vec<Yaml>),
    /// A value as it is written, without quotes.
    Scalar {
        /// The line of the value.
        line: usize,
        /// The text of the value.
        text: String,
        /// Whether the value has neither quotes nor a tag, so that its text decides its type.
        is_plain: bool,
    },
}

impl Yaml {
    /// Reads a text of at most one document; `None` for an empty one.
    ///
    /// # Errors
    /// The line and what is wrong there.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let mut reader = Reader {
            events: Parser::new_from_str(text),
        };
        let mut found = None;
        loop {
            match reader.next()? {
                (Event::StreamEnd, _) => return Ok(found),
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
                (event, span) if found.is_none() => found = Some(reader.node(event, span, 0)?),
                (_, span) => {
                    return Err(format!(
                        "line {}: expected one document, found another",
                        span.start.line()
                    ));
                }
            }
        }
    }

    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => (entries.iter())
                .find(|(name, ..)| name == key)
                .map(|(.., node)| node),
            _ => None,
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The elements of a list; none of anything else.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(_, nodes) => nodes,
            _ => &[],
        }
    }

    /// The scalars of a map with their keys, as text.
    pub fn texts(&self) -> Vec<(String, String)> {
        match self {
            Self::Map(entries) => (entries.iter())
                .filter_map(|(key, _, node)| Some((key.clone(), node.text()?.to_owned())))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// A scalar as a number.
    pub fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.text()?.trim().parse().ok()
    }
}

struct Reader<'input> {
    events: Parser<'input, StrInput<'input>>,
}

impl<'input> Reader<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Span), String> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(format!(
                "line {}: not valid YAML: {}",
                error.marker().line(),
                error.info()
            )),
            None => Err("not valid YAML: it ends too soon".to_owned()),
        }
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Yaml, String> {
        let line = span.start.line();
        if depth > MAX_DEPTH {
            return Err(format!(
                "line {line}: nested deeper than {MAX_DEPTH} levels"
            ));
        }
        match event {
            Event::Scalar(text, style, _, tag) => Ok(Yaml::Scalar {
                line,
                text: text.into_owned(),
                is_plain: style == ScalarStyle::Plain && tag.is_none_or(|t| t.suffix != "str"),
            }),
            Event::SequenceStart(..) => {
                let mut nodes = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => return Ok(Yaml::List(line, nodes)),
                        (event, span) => nodes.push(self.node(event, span, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => self.map(depth),
            Event::Alias(_) => Err(format!(
                "line {line}: expected a value, found an alias, which is not supported"
            )),
            _ => Err(format!("line {line}: expected a value, map or list")),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Yaml, String> {
        let mut entries: Vec<(String, usize, Yaml)> = Vec::new();
        loop {
            let (key, line) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Yaml::Map(entries)),
                (Event::Scalar(text, ..), span) => (text.into_owned(), span.start.line()),
                (_, span) => {
                    return Err(format!(
                        "line {}: expected a text as key",
                        span.start.line()
                    ));
                }
            };
            if entries.iter().any(|(known, ..)| *known == key) {
                return Err(format!("line {line}: {key} is given twice"));
            }
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            entries.push((key, line, node));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lists_and_texts_are_read() {
        let yaml = Yaml::parse("a:\n  b: [1, \"two\"]\n  c: ''\n- ").unwrap_err();
        assert!(yaml.contains("line"), "{yaml}");
        let yaml = Yaml::parse("a:\n  b: [1, \"two\"]\n  c: ''\n")
            .unwrap()
            .unwrap();
        let a = yaml.get("a").unwrap();
        assert_eq!(a.get("b").unwrap().list()[0].number::<u64>(), Some(1));
        assert_eq!(a.get("b").unwrap().list()[1].text(), Some("two"));
        assert_eq!(a.get("c").unwrap().text(), Some(""));
        assert_eq!(Yaml::parse("").unwrap(), None);
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(Yaml::parse(&"[".repeat(10_000)).is_err());
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(Yaml::parse(&deep).unwrap_err().contains("levels"));
    }
}
