//! Processes that do nothing but keep a processor busy.

use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use clap::Args;

use crate::commands::failure::Failure;
use crate::middleware::Stop;

/// Keep a processor busy until standard input is closed
#[derive(Debug, Args)]
pub(super) struct KeepBusy {}

impl KeepBusy {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        stop.when_stdin_closes().map_err(Failure::failed)?;
        while !stop.is_requested() {
            std::hint::spin_loop();
        }
        Ok(())
    }
}

/// Running processes of [`KeepBusy`]; they end when this is dropped, and with this process.
pub(super) struct Busy(Vec<Child>);

impl Busy {
    /// Starts so many.
    ///
    /// # Errors
    /// An error when the system does not start one.
    pub(super) fn start(count: u8) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("the path of this program")?;
        let mut busy = Self(Vec::new());
        for _ in 0..count {
            let child = Command::new(&program)
                .args(["bench", "keep-busy"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .context("starting a process that keeps a processor busy")?;
            busy.0.push(child);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
