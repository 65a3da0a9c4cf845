//! Standard output: one JSON object, or lines for people.

use std::io::Write;

use serde::Serialize;

use super::failure::Failure;

/// Writes the one JSON object of a command.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(Failure::failed)?;
    print_line(&line)
}

/// Writes one line to standard output.
pub(super) fn print_line(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(Failure::failed)
}

/// Writes figures: as one JSON object, or one line a field.
pub(super) fn print_figures(figures: &impl Serialize, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(figures);
    }
    let value = serde_json::to_value(figures).map_err(Failure::failed)?;
    let fields = value.as_object().into_iter().flatten();
    for (name, value) in fields {
        let text = match value {
            serde_json::Value::Null => "-".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) if number.is_f64() => {
                format!("{:.3}", number.as_f64().unwrap_or(f64::NAN))
            }
            value => value.to_string(),
        };
        print_line(&format!("{name:30} {text}"))?;
    }
    Ok(())
}

/// Converts a time given in seconds.
pub(super) fn seconds(option: &str, value: f64) -> Result<std::time::Duration, Failure> {
    std::time::Duration::try_from_secs_f64(value).map_err(|e| {
        Failure::usage(anyhow::anyhow!(
            "{option}: expected seconds, at least 0, found {value}: {e}"
        ))
    })
}
