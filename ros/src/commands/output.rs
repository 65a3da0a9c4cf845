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

/// Converts a time given in seconds.
pub(super) fn seconds(option: &str, value: f64) -> Result<std::time::Duration, Failure> {
    std::time::Duration::try_from_secs_f64(value).map_err(|e| {
        Failure::usage(anyhow::anyhow!(
            "{option}: expected seconds, at least 0, found {value}: {e}"
        ))
    })
}
