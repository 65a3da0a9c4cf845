//! Programs that are run to their end.

use std::io::Write;
use std::process::Command;

/// Runs a program to its end: its standard output, or all that it said.
///
/// # Errors
/// The command, its status and its output, where it failed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!(
            "{command:?} ended with {}:\n{}{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        ))
    }
}

/// A line on standard error, past the capture of the test harness.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
