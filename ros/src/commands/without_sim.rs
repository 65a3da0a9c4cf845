//! Commands that a build without the feature `sim` lacks.

use std::ffi::OsString;

use clap::Args;

use super::failure::Failure;

/// A command that needs the simulated robots, the exporter or the pictures; it takes any arguments and refuses.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(super) struct WithoutSim {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

impl WithoutSim {
    /// # Errors
    /// An error in any case, with the way to a build that has the command.
    pub(super) fn run(self, command: &str) -> Result<(), Failure> {
        tracing::debug!(arguments = ?self.arguments, "ignored");
        Err(needs_sim(command))
    }
}

/// The error of something that needs the feature `sim`.
pub(super) fn needs_sim(what: &str) -> Failure {
    Failure::usage(anyhow::anyhow!(
        "{what}: not in this build of latco, which has no simulated robots (feature `sim` off, as in the Debian package); \
         in the repository `cargo build --release -p latco-ros` builds target/release/latco with them, and `make demo` \
         runs the demonstration"
    ))
}
