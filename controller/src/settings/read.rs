//! Reading a configuration so that every mistake in it is found in one go.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::error::{ConfigError, FieldError};
use super::kinds::SettingType;
use super::setting::{Kind, Setting};

/// What takes the place of a key or table of an earlier version, or of a word as `key = "word"`, as it follows "is gone: ";
/// `None` for those that there never were.
pub type Gone<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A whole configuration: a table of settings that is read from a text.
pub trait Settings: SettingType + Serialize + DeserializeOwned {
    /// Adds a mistake for each value that does not fit the others.
    fn check_together(&self, _errors: &mut Vec<FieldError>) {}

    /// The declarations of its settings.
    #[must_use]
    fn declarations() -> &'static [Setting] {
        match Self::KIND {
            Kind::Section(settings) => settings,
            _ => &[],
        }
    }

    /// Reads a text; what it leaves out is as in `defaults`, and keys in `gone` are told what takes their place.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`], or [`ConfigError::Fields`] with every mistake at once.
    fn read(text: &str, defaults: &Self, gone: Gone<'_>) -> Result<Self, ConfigError> {
        Self::read_table(toml::from_str(text)?, defaults, gone)
    }

    /// Reads a table, as [`Settings::read`] reads a text.
    ///
    /// # Errors
    /// [`ConfigError::Fields`] with every mistake at once.
    fn read_table(given: Table, defaults: &Self, gone: Gone<'_>) -> Result<Self, ConfigError> {
        let mut reader = Reader {
            gone,
            errors: Vec::new(),
        };
        let mut whole = reader.written(defaults);
        reader.section("", Self::declarations(), given, &mut whole);
        let mut errors = reader.errors;
        match whole.try_into::<Self>() {
            Ok(read) => {
                read.check_together(&mut errors);
                if errors.is_empty() {
                    return Ok(read);
                }
            }
            Err(error) => errors.push(FieldError::new("", error.message())),
        }
        Err(ConfigError::Fields(errors))
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Fields`] with every mistake at once.
    fn check(&self) -> Result<(), ConfigError> {
        let mut reader = Reader {
            gone: &|_| None,
            errors: Vec::new(),
        };
        let given = reader.written(self);
        reader.section("", Self::declarations(), given, &mut Table::new());
        let mut errors = reader.errors;
        self.check_together(&mut errors);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Fields(errors))
        }
    }
}

struct Reader<'a> {
    gone: Gone<'a>,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    /// Settings as a table.
    fn written<T: Serialize>(&mut self, settings: &T) -> Table {
        Table::try_from(settings).unwrap_or_else(|error| {
            self.errors.push(FieldError::new("", error.to_string()));
            Table::new()
        })
    }

    /// Puts what is given and right into a table that has the defaults.
    fn section(&mut self, at: &str, settings: &[Setting], given: Table, into: &mut Table) {
        for setting in settings.iter().filter(|one| !given.contains_key(one.name)) {
            let path = format!("{at}{}", setting.name);
            match (setting.kind, into.get(setting.name).cloned()) {
                (Kind::Section(inner), Some(Value::Table(mut kept))) => {
                    self.section(&format!("{path}."), inner, Table::new(), &mut kept);
                }
                // A default that is refused: there has to be a value.
                (_, Some(default)) if setting.accept(&default).is_err() => {
                    let expected = setting.expected();
                    let message =
                        format!("expected {expected}, found none: {}", setting.description());
                    self.errors.push(FieldError::new(path, message));
                }
                _ => {}
            }
        }
        for (key, value) in given {
            let path = format!("{at}{key}");
            let Some(setting) = settings.iter().find(|setting| setting.name == key) else {
                let message = match (self.gone)(&path) {
                    Some(instead) => format!("is gone: {instead}"),
                    None => {
                        let known: Vec<&str> = settings.iter().map(|one| one.name).collect();
                        format!("unknown key, expected one of {}", known.join(", "))
                    }
                };
                self.errors.push(FieldError::new(path, message));
                continue;
            };
            match (setting.kind, value) {
                (Kind::Section(inner), Value::Table(given)) => {
                    let kept = into
                        .entry(key)
                        .or_insert_with(|| Value::Table(Table::new()));
                    if let Value::Table(kept) = kept {
                        self.section(&format!("{path}."), inner, given, kept);
                    }
                }
                (_, value) => match setting.accept(&value) {
                    Ok(value) => {
                        into.insert(key, value);
                    }
                    Err(message) => {
                        let message = match (self.gone)(&format!("{path} = {value}")) {
                            Some(instead) => format!("{value} is gone: {instead}"),
                            None => message,
                        };
                        self.errors.push(FieldError::new(path, message));
                    }
                },
            }
        }
    }
}
