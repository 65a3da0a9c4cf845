//! What every command shares: bad input, the request to stop, and JSON on standard output.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use latco_controller::Config;

/// A flag that Ctrl-C and a request to terminate set.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).context("catching signals")?;
    }
    Ok(stop)
}

/// Whether to go on, by such a flag.
pub(crate) fn go_on(stop: &AtomicBool) -> ControlFlow<()> {
    match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Bad usage or bad input: ends the program with status 2. Make one with
/// `return Err(BadInput::new(..))`, attach it with `.context(BadInput(..))`, or say `.or_bad_input()` of another error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadInput(pub(crate) String);

impl BadInput {
    /// An error with this message; list everything that is wrong at once.
    #[allow(clippy::new_ret_no_self)]
    pub(crate) fn new(message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self(message.into()))
    }
}

/// What says of an error that it is one of the user's.
pub(crate) trait OrBadInput<T> {
    /// The same with a [`BadInput`] of the error's message.
    fn or_bad_input(self) -> anyhow::Result<T>;
}

impl<T, E: std::fmt::Display> OrBadInput<T> for Result<T, E> {
    fn or_bad_input(self) -> anyhow::Result<T> {
        self.map_err(|error| BadInput::new(error.to_string()))
    }
}

/// The robot configuration in a file; the built-in one without.
pub(crate) fn configuration(file: Option<&Path>) -> anyhow::Result<Config> {
    file.map_or_else(|| Ok(Config::default()), Config::load)
        .or_bad_input()
}

/// Prints the one JSON object of a command that was run with `--json`.
#[allow(clippy::print_stdout)]
pub(crate) fn print_json(value: &serde_json::Value) {
    println!("{value}");
}

/// Prints a table.
#[allow(clippy::print_stdout)]
pub(crate) fn print(text: &str) {
    print!("{text}");
}

/// Makes the folder of the results and checks that something can be written there.
pub(crate) fn check_writable(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .and_then(|()| tempfile::tempfile_in(folder))
        .map(drop)
        .map_err(|error| {
            BadInput::new(format!(
                "--out {}: expected a folder that can be written, found: {error}",
                folder.display()
            ))
        })
}

/// Checks that nothing of another run is in the folder of the results.
pub(crate) fn check_empty(folder: &Path) -> anyhow::Result<()> {
    match std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        false => Ok(()),
        true => Err(BadInput::new(format!(
            "{}: expected a new or empty folder for --out, found files in it",
            folder.display()
        ))),
    }
}
