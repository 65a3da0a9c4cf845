//! The part of YAML that bags need: maps, lists and text.

use saphyr_parser::{Event, Parser, StrInput};

/// Deepest nesting of maps and lists.
const MAX_DEPTH: usize = 32;

/// A YAML document whose scalars are left as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yaml {
    /// A map, its keys in their order.
    Map(Vec<(String, Yaml)>),
    /// A list.
    List(Vec<Yaml>),
    /// A value as it is written, without quotes.
    Scalar(String),
}

impl Yaml {
    /// Reads the first document of `text`; an empty one is an empty scalar.
    ///
    /// # Errors
    /// The line and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut events = Parser::new_from_str(text);
        loop {
            match next(&mut events)? {
                Event::StreamEnd | Event::DocumentEnd => return Ok(Self::Scalar(String::new())),
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                event => return node(&mut events, event, 0),
            }
        }
    }

    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list; empty for anything else.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(nodes) => nodes,
            _ => &[],
        }
    }

    /// A scalar parsed as a number.
    pub fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.text()?.trim().parse().ok()
    }
}

fn next<'a>(events: &mut Parser<'a, StrInput<'a>>) -> Result<Event<'a>, String> {
    match events.next_event() {
        Some(Ok((event, _))) => Ok(event),
        Some(Err(error)) => Err(format!("line {}: {}", error.marker().line(), error.info())),
        None => Err("it ends too soon".to_owned()),
    }
}

fn node<'a>(
    events: &mut Parser<'a, StrInput<'a>>,
    event: Event<'a>,
    depth: usize,
) -> Result<Yaml, String> {
    if depth > MAX_DEPTH {
        return Err(format!("expected at most {MAX_DEPTH} levels, found more"));
    }
    match event {
        Event::Scalar(text, ..) => Ok(Yaml::Scalar(text.into_owned())),
        Event::SequenceStart(..) => {
            let mut nodes = Vec::new();
            loop {
                match next(events)? {
                    Event::SequenceEnd => return Ok(Yaml::List(nodes)),
                    event => nodes.push(node(events, event, depth + 1)?),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut entries = Vec::new();
            loop {
                match next(events)? {
                    Event::MappingEnd => return Ok(Yaml::Map(entries)),
                    event => {
                        let Yaml::Scalar(key) = node(events, event, depth + 1)? else {
                            return Err("expected a text as key, found a list or map".to_owned());
                        };
                        let event = next(events)?;
                        entries.push((key, node(events, event, depth + 1)?));
                    }
                }
            }
        }
        Event::Alias(_) => Err("expected values, found an alias".to_owned()),
        other => Err(format!("expected a value, found {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lists_and_texts_are_read() {
        let yaml = Yaml::parse("a:\n  b: [1, \"two\"]\n  c: ''\n- ").unwrap_err();
        assert!(yaml.contains("line"), "{yaml}");
        let yaml = Yaml::parse("a:\n  b: [1, \"two\"]\n  c: ''\n").unwrap();
        let a = yaml.get("a").unwrap();
        assert_eq!(a.get("b").unwrap().list()[0].number::<u64>(), Some(1));
        assert_eq!(a.get("b").unwrap().list()[1].text(), Some("two"));
        assert_eq!(a.get("c").unwrap().text(), Some(""));
        assert_eq!(Yaml::parse("").unwrap(), Yaml::Scalar(String::new()));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(Yaml::parse(&"[".repeat(10_000)).is_err());
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(Yaml::parse(&deep).unwrap_err().contains("levels"));
    }
}
