//! Options of a controller node, requests to it, and the faults by which it ends.

use std::path::PathBuf;
use std::sync::Arc;

use latco_controller::Decorator;

use super::parameters::Parameters;
use crate::middleware::{Network, NodeIdentity};

/// Options with which a controller node is run.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// Domain and interfaces on which the node talks.
    pub network: Network,
    /// Name of the node, and the names of its topics and services.
    pub identity: NodeIdentity,
    /// Parameters at the start, and whether time is simulated.
    pub parameters: Parameters,
    /// Folder in which the emergency stop is kept over a restart; `None`: it is not.
    pub state_dir: Option<PathBuf>,
    /// Whether the node configures and activates itself, and ends when it cannot or when a fault stops it.
    pub auto: bool,
    /// File for what was decided; `None` keeps nothing.
    pub trace: Option<PathBuf>,
    /// Whether `~/imagined/image` is published.
    pub imagined: bool,
    /// What was asked of the system and refused, in words.
    pub refused: Vec<String>,
    /// What stands round the parts of the controller, such as fault injection.
    pub decorator: Option<Arc<dyn Decorator>>,
}

/// A fault by which a controller node ends by itself.
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
    /// A thread panicked.
    #[error("a thread of this process panicked: the robot was stopped; see the log for the panic")]
    Panicked,
    /// The middleware's threads are gone.
    #[error(
        "the DDS threads of this process ended (a debugger or SIGSTOP does that): nothing arrives any more; restart the \
         controller"
    )]
    MiddlewareDied,
    /// A network came up after the node began.
    #[error(
        "{interface} came up with {address} after this node began, and DDS does not use it: the node begins again, as nothing was \
         seen of a robot yet"
    )]
    NewNetwork {
        /// Name of the interface.
        interface: String,
        /// Its address.
        address: std::net::Ipv4Addr,
    },
}
