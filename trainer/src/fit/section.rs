//! Reads one table of a configuration, collecting every error with the path of its key.

use std::ops::RangeInclusive;

use toml::{Table, Value};

/// One table and the errors found in it so far.
pub struct Section<'a> {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    errors: &'a mut Vec<String>,
}

impl<'a> Section<'a> {
    /// The table `name` of `root`, or an empty one; `root` itself for an empty name.
    pub fn of(root: &Table, name: &str, errors: &'a mut Vec<String>) -> Self {
        let table = if name.is_empty() {
            root.clone()
        } else {
            match root.get(name) {
                None => Table::new(),
                Some(Value::Table(table)) => table.clone(),
                Some(other) => {
                    errors.push(format!("{name}: expected a table [{name}], found {other}"));
                    Table::new()
                }
            }
        };
        let path = if name.is_empty() {
            String::new()
        } else {
            format!("{name}.")
        };
        Self {
            path,
            table,
            known: Vec::new(),
            errors,
        }
    }

    /// A real number in `range`.
    pub fn number(&mut self, key: &'static str, default: f64, range: RangeInclusive<f64>) -> f64 {
        let found = match self.take(key) {
            None => return default,
            Some(Value::Float(x)) => x,
            Some(Value::Integer(x)) => x as f64,
            Some(other) => return self.refuse(key, "a number", &other, default),
        };
        if range.contains(&found) {
            return found;
        }
        let expected = format!("a number in {}..={}", range.start(), range.end());
        self.refuse(key, &expected, &Value::Float(found), default)
    }

    /// A whole number in `range`.
    pub fn count(
        &mut self,
        key: &'static str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        let found = self.take(key);
        match found {
            None => default,
            Some(Value::Integer(x)) if usize::try_from(x).is_ok_and(|x| range.contains(&x)) => {
                x as usize
            }
            Some(other) => {
                let expected = format!("a whole number in {}..={}", range.start(), range.end());
                self.refuse(key, &expected, &other, default)
            }
        }
    }

    /// true or false.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Value::Boolean(x)) => x,
            Some(other) => self.refuse(key, "true or false", &other, default),
        }
    }

    /// Any text.
    pub fn text(&mut self, key: &'static str, default: &str) -> String {
        match self.take(key) {
            None => default.to_owned(),
            Some(Value::String(x)) => x,
            Some(other) => self.refuse(key, "text", &other, default.to_owned()),
        }
    }

    /// A list of numbers in `range`; empty if the key is absent.
    pub fn numbers(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Vec<f64> {
        let Some(found) = self.take(key) else {
            return Vec::new();
        };
        let number = |value: &Value| {
            let x = value
                .as_float()
                .or_else(|| value.as_integer().map(|x| x as f64))?;
            range.contains(&x).then_some(x)
        };
        let list: Option<Vec<f64>> = found
            .as_array()
            .and_then(|list| list.iter().map(number).collect());
        list.unwrap_or_else(|| {
            let expected = format!("a list of numbers in {}..={}", range.start(), range.end());
            self.refuse(key, &expected, &found, Vec::new())
        })
    }

    /// One of several words; the first is the default.
    pub fn choice(&mut self, key: &'static str, words: &[&'static str]) -> &'static str {
        match self.take(key) {
            None => words[0],
            Some(found) => {
                let known = found.as_str().and_then(|s| words.iter().find(|w| **w == s));
                match known {
                    Some(word) => word,
                    None => {
                        let expected = format!("one of {}", words.join(", "));
                        self.refuse(key, &expected, &found, words[0])
                    }
                }
            }
        }
    }

    /// Reports every key that was not asked for, except the tables named in `tables`.
    pub fn finish(mut self, tables: &[&str]) {
        let unknown: Vec<String> = self
            .table
            .keys()
            .filter(|key| !tables.contains(&key.as_str()))
            .cloned()
            .collect();
        self.known.sort_unstable();
        for key in unknown {
            self.errors.push(format!(
                "{}{key}: unknown key; known here: {}",
                self.path,
                self.known
                    .iter()
                    .chain(tables)
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn refuse<T>(&mut self, key: &str, expected: &str, found: &Value, default: T) -> T {
        self.errors.push(format!(
            "{}{key}: expected {expected}, found {found}",
            self.path
        ));
        default
    }
}
