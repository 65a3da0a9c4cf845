//! How a controller node is run, what is asked of it, and why it ends.

use std::path::PathBuf;

use super::parameters::Parameters;
use crate::middleware::{Network, Place};

/// How a controller node is run.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// Where it talks.
    pub network: Network,
    /// Its name, and what its topics and services are called.
    pub place: Place,
    /// Its configuration, and whether time is simulated, at the start.
    pub parameters: Parameters,
    /// Whether it configures and activates itself, and ends when it cannot or when a fault stops it.
    pub auto: bool,
    /// Where to keep what was decided.
    pub trace: Option<PathBuf>,
    /// Publish `~/imagined/image`.
    pub imagined: bool,
}

/// Why a controller node ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ControllerFault {
    /// A thread of the runtime is gone.
    #[error(
        "the planner or executor thread ended: the robot was stopped; see the log for its panic"
    )]
    ThreadDied,
    /// The robot did not come to rest.
    #[error("the robot was not at rest {0:?} after it was told to stop")]
    NotAtRest(std::time::Duration),
    /// The middleware's threads are gone.
    #[error(
        "the DDS threads of this process ended (a debugger or SIGSTOP does that): nothing arrives any more; restart the \
         controller"
    )]
    MiddlewareDied,
}

/// What others ask of the node, beside transitions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Estop,
    Reset,
    Episode(i64),
}
