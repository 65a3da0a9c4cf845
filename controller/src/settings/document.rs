//! The settings as a document for people.

use std::fmt::Write;

use toml::{Table, Value};

use super::setting::{Change, Kind, Setting, paragraph};

/// Settings, those of inner tables among them, without the tables.
#[must_use]
pub fn count(settings: &[Setting]) -> usize {
    let each = settings.iter().map(|setting| match setting.kind {
        Kind::Section(inner) => count(inner),
        _ => 1,
    });
    each.sum()
}

/// One Markdown table for every table of settings: key, default, what is allowed and what it means. `defaults` are the values of
/// settings that are not given, one column each under its title.
#[must_use]
pub fn document(settings: &[Setting], defaults: &[(&str, &Table)]) -> String {
    let mut text = String::new();
    let values: Vec<Option<&Table>> = defaults.iter().map(|(_, table)| Some(*table)).collect();
    let titles: Vec<&str> = defaults.iter().map(|(title, _)| *title).collect();
    section(&mut text, "", settings, &titles, &values);
    text
}

fn section(
    text: &mut String,
    at: &str,
    settings: &[Setting],
    titles: &[&str],
    defaults: &[Option<&Table>],
) {
    let is_table = |setting: &&Setting| matches!(setting.kind, Kind::Section(_));
    let keys: Vec<&Setting> = settings.iter().filter(|one| !is_table(one)).collect();
    if !keys.is_empty() {
        let _ = writeln!(text, "| key | {} | allowed | meaning |", titles.join(" | "));
        let _ = writeln!(text, "|---|{}---|---|", "---|".repeat(titles.len()));
        for setting in keys {
            row(text, setting, defaults);
        }
    }
    for setting in settings.iter().filter(is_table) {
        let Kind::Section(inner) = setting.kind else {
            continue;
        };
        let path = format!("{at}{}", setting.name);
        let _ = write!(text, "\n## `[{path}]`\n{}\n\n", setting.description());
        let below: Vec<Option<&Table>> = (defaults.iter())
            .map(|table| table.and_then(|table| table.get(setting.name)?.as_table()))
            .collect();
        section(text, &format!("{path}."), inner, titles, &below);
    }
}

fn row(text: &mut String, setting: &Setting, defaults: &[Option<&Table>]) {
    let unit = setting.unit().map(|unit| format!(", {unit}"));
    let mut meaning = setting.description();
    if let Kind::Choice(choices) = setting.kind {
        for choice in choices {
            let _ = write!(meaning, "<br>`{}`: {}", choice.name, paragraph(choice.doc));
        }
    }
    if setting.change == Change::Live {
        meaning += " *May change while the node is active.*";
    }
    let _ = write!(text, "| `{}` |", setting.name);
    for table in defaults {
        let value = table.and_then(|table| table.get(setting.name));
        let _ = match value {
            None => write!(text, " none |"),
            Some(Value::String(empty)) if empty.is_empty() => write!(text, " |"),
            Some(value) => write!(text, " `{value}` |"),
        };
    }
    let _ = writeln!(
        text,
        " {}{} | {meaning} |",
        setting.expected(),
        unit.unwrap_or_default()
    );
}
