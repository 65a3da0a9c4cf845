//! What is declared of one setting.

use toml::Value;

use super::unit;

/// When a new value of a setting is taken over by a node that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At once, in every state.
    Live,
    /// At the next configure, because memory and sessions are made for it there; it may not be changed while the node is active.
    NextConfigure,
    /// Never: it is no parameter of the node. Names of topics and of the node are remapped instead.
    Fixed,
}

/// One of the words that a setting may be.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The word.
    pub name: &'static str,
    /// What it means, as it was written in the source.
    pub doc: &'static str,
}

/// What kind of value a setting has.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// True or false.
    Flag,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A text.
    Text,
    /// One of these words.
    Choice(&'static [Choice]),
    /// A list of numbers.
    Numbers,
    /// A list of whole numbers.
    Integers,
    /// A list of texts.
    Texts,
    /// A table of further settings.
    Section(&'static [Setting]),
}

/// Which numbers are allowed, alone or in a list. What depends on other settings is checked beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least number, or what has to be exceeded.
    pub low: f64,
    /// Whether `low` itself is too little.
    pub is_low_excluded: bool,
    /// The largest number.
    pub high: f64,
}

impl Range {
    /// Every number but infinities.
    pub const FINITE: Self = Self::of(f64::MIN, f64::MAX);

    /// From `low` to `high`, both included.
    #[must_use]
    pub const fn of(low: f64, high: f64) -> Self {
        Self {
            low,
            is_low_excluded: false,
            high,
        }
    }

    /// Whether a number is in the range; NaN never is.
    #[must_use]
    pub fn contains(&self, number: f64) -> bool {
        let is_enough = match self.is_low_excluded {
            true => number > self.low,
            false => number >= self.low,
        };
        is_enough && number <= self.high
    }

    /// In words, as they follow "a number": `above 0`, `from 1 to 64`; empty where every number of a type is allowed.
    #[must_use]
    pub fn words(&self) -> String {
        // The largest number of a type says nothing to people.
        let is_open = self.high >= f64::from(u32::MAX);
        let low = self.low;
        match (low <= f64::MIN, self.is_low_excluded, is_open) {
            (true, _, true) => String::new(),
            (true, _, false) => format!("up to {}", self.high),
            (false, true, true) => format!("above {low}"),
            (false, true, false) => format!("above {low} and up to {}", self.high),
            (false, false, true) => format!("of {low} or more"),
            (false, false, false) => format!("from {low} to {}", self.high),
        }
    }
}

/// The declaration of one setting, as [`settings!`](crate::settings!) writes it. The methods that return another one are the
/// words that may follow the default value there.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in its table.
    pub name: &'static str,
    /// What it means, as it was written in the source.
    pub doc: &'static str,
    /// What kind of value it has.
    pub kind: Kind,
    /// Which numbers are allowed.
    pub range: Range,
    /// Whether it may be without a value.
    pub is_optional: bool,
    /// When a new value is taken over.
    pub change: Change,
    /// Whether an empty text is refused.
    is_filled: bool,
    /// Whether a text with spaces is refused.
    is_word: bool,
    unit: Option<&'static str>,
    check: fn(&Value) -> Result<(), String>,
}

impl Setting {
    /// A setting of a type, with the type's own range.
    #[must_use]
    pub const fn new(
        name: &'static str,
        doc: &'static str,
        (kind, range, is_optional): (Kind, Range, bool),
        check: fn(&Value) -> Result<(), String>,
    ) -> Self {
        Self {
            name,
            doc,
            kind,
            range,
            is_optional,
            change: Change::NextConfigure,
            is_filled: false,
            is_word: false,
            unit: None,
            check,
        }
    }

    /// Numbers from `low` to `high`, both included.
    #[must_use]
    pub const fn within(self, low: f64, high: f64) -> Self {
        self.at_least(low).at_most(high)
    }

    /// Numbers of `low` or more.
    #[must_use]
    pub const fn at_least(mut self, low: f64) -> Self {
        self.range.low = low;
        self
    }

    /// Numbers above `low`.
    #[must_use]
    pub const fn above(mut self, low: f64) -> Self {
        self.range.is_low_excluded = true;
        self.at_least(low)
    }

    /// Numbers of at most `high`.
    #[must_use]
    pub const fn at_most(mut self, high: f64) -> Self {
        self.range.high = high;
        self
    }

    /// All numbers and infinities.
    #[must_use]
    pub const fn or_infinite(self) -> Self {
        self.within(f64::NEG_INFINITY, f64::INFINITY)
    }

    /// A running node takes it over at once.
    #[must_use]
    pub const fn live(mut self) -> Self {
        self.change = Change::Live;
        self
    }

    /// It is no parameter of a node, nor are the settings below it.
    #[must_use]
    pub const fn no_parameter(mut self) -> Self {
        self.change = Change::Fixed;
        self
    }

    /// The text may not be empty; where the default is, there has to be a value.
    #[must_use]
    pub const fn filled(mut self) -> Self {
        self.is_filled = true;
        self
    }

    /// The text is a name: not empty and without spaces.
    #[must_use]
    pub const fn word(mut self) -> Self {
        self.is_word = true;
        self.filled()
    }

    /// The unit where the name of the key does not say it.
    #[must_use]
    pub const fn unit_of(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// The unit: what the declaration or the end of the name says.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        self.unit.or_else(|| unit::of_name(self.name))
    }

    /// What it means, as one paragraph.
    #[must_use]
    pub fn description(&self) -> String {
        paragraph(self.doc)
    }

    /// Which values are allowed, in words.
    #[must_use]
    pub fn expected(&self) -> String {
        let kind = match self.kind {
            Kind::Flag => "true or false".to_owned(),
            Kind::Integer => "a whole number".to_owned(),
            Kind::Number => "a number".to_owned(),
            Kind::Text if self.is_word => "a name without spaces".to_owned(),
            Kind::Text if self.is_filled => "a text that is not empty".to_owned(),
            Kind::Text => "a text".to_owned(),
            Kind::Choice(choices) => {
                let names: Vec<&str> = choices.iter().map(|choice| choice.name).collect();
                format!("one of {}", names.join(", "))
            }
            Kind::Numbers => "a list of numbers".to_owned(),
            Kind::Integers => "a list of whole numbers".to_owned(),
            Kind::Texts => "a list of texts".to_owned(),
            Kind::Section(_) => "a section".to_owned(),
        };
        let range = match self.kind {
            Kind::Integer | Kind::Number | Kind::Numbers | Kind::Integers => self.range.words(),
            _ => String::new(),
        };
        match range.as_str() {
            "" => kind,
            range => format!("{kind} {range}"),
        }
    }

    /// The value as it is kept, if it is allowed: whole numbers also stand for numbers.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn accept(&self, value: &Value) -> Result<Value, String> {
        let refused = || format!("expected {}, found {value}", self.expected());
        let number = |value: &Value| {
            let number = match value {
                Value::Integer(whole) => *whole as f64,
                other => other.as_float()?,
            };
            self.range.contains(number).then_some(Value::Float(number))
        };
        let whole = |value: &Value| {
            let whole = value.as_integer()?;
            self.range
                .contains(whole as f64)
                .then_some(Value::Integer(whole))
        };
        let list = |one: &dyn Fn(&Value) -> Option<Value>| {
            let items = value.as_array()?.iter().map(one);
            items.collect::<Option<Vec<Value>>>().map(Value::Array)
        };
        let accepted = match (self.kind, value) {
            (Kind::Flag, Value::Boolean(_)) => Some(value.clone()),
            (Kind::Integer, _) => whole(value),
            (Kind::Number, _) => number(value),
            (Kind::Numbers, _) => list(&number),
            (Kind::Integers, _) => list(&whole),
            (Kind::Texts, _) => list(&|item| item.is_str().then(|| item.clone())),
            (Kind::Text, Value::String(text)) => {
                let is_refused = (self.is_filled && text.is_empty())
                    || (self.is_word && text.contains(char::is_whitespace));
                (!is_refused).then(|| value.clone())
            }
            (Kind::Choice(choices), Value::String(text)) => {
                let is_known = choices.iter().any(|choice| choice.name == text);
                is_known.then(|| value.clone())
            }
            _ => None,
        };
        let accepted = accepted.ok_or_else(refused)?;
        (self.check)(&accepted)?;
        Ok(accepted)
    }
}

/// The lines of a comment as one paragraph.
pub(super) fn paragraph(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}
