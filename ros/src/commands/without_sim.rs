//! Commands that a build without the feature `sim` lacks; each takes any arguments and refuses.

use std::ffi::OsString;

use clap::Args;

use super::failure::Failure;
use crate::managed::arguments::RosArguments;
use crate::middleware::Stop;

/// Declares what stands for a command.
macro_rules! refused {
    ($($(#[$doc:meta])* $Name:ident($($given:ty),*) = $command:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Args)]
        #[command(disable_help_flag = true)]
        pub(super) struct $Name {
            #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
            arguments: Vec<OsString>,
        }

        impl $Name {
            /// # Errors
            /// An error in any case, with the way to a build that has the command.
            pub(super) fn run(self $(, _: $given)*) -> Result<(), Failure> {
                tracing::debug!(arguments = ?self.arguments, "ignored");
                Err(needs_sim($command))
            }
        }
    )*};
}
refused! {
    /// Simulated robot and controller in one go (not in this build)
    Demo(&Stop) = "latco demo";
    /// The simulated robot with a camera, as a node (not in this build)
    Sim(&RosArguments, &Stop) = "latco sim";
    /// One HTML file that explains a recorded run (not in this build)
    Report() = "latco report";
    /// Time of one LatCo iteration (not in this build)
    SolverBench(&Stop) = "latco bench solver";
}

/// The error of something that needs the feature `sim`.
pub(super) fn needs_sim(what: &str) -> Failure {
    Failure::usage(anyhow::anyhow!(
        "{what}: not in this build of latco, which has no simulated robots (feature `sim` off, as in the Debian package); \
         in the repository `cargo build --release -p latco-ros` builds target/release/latco with them, and `make demo` \
         runs the demonstration"
    ))
}
