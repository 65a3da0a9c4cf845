//! The controller as a managed node.
//!
//! ```text
//!  camera, joint_states ─▶ reactor thread: checks (intake) ─▶ ports ─▶ planner thread ─▶ plan ─▶ executor thread
//!  commands or joint_trajectory ◀─ publisher thread ◀─ Outbox ◀─ Sink ◀──────────────────────────────┘
//!  ~/change_state, ~/reset, ~/estop, episode ─▶ this thread (manager) ─▶ Work ─▶ Runtime
//!                                                     └─ configure ─▶ loader thread ─▶ Work
//! ```
//!
//! Nothing is decided here.

mod diagnostics;
mod lifecycle;
mod load;
mod manager;
mod parameter_services;
mod status;
mod topics;
mod work;

use std::path::PathBuf;

use anyhow::Context as _;
use crossbeam::channel::{Receiver, Sender, bounded};
use latco_bag::messages::{DiagnosticArray, DiagnosticStatus, Int64};

use self::lifecycle::Lifecycle;
use self::manager::{Ends, Manager};
use self::parameter_services::SharedParameters;
use super::{Network, NodeBuilder, NodeError, Services, Stop, TriggerReply, qos};
use crate::arguments::Place;
use crate::parameters::Parameters;

pub use self::status::RunSummary;
pub use self::work::stamp_to_command_ms;

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
enum Request {
    Estop,
    Reset,
    Episode(i64),
}

/// Runs the node until it is finalized: by a transition or because a stop is asked for. A robot that moves is braked to rest
/// before, and the last status published.
///
/// # Errors
/// [`ControllerFault`] inside when the node stopped by itself; otherwise the node could not be made, or the trace not
/// written; with `auto` also what kept it from being configured.
pub fn run(options: &ControllerOptions, stop: &Stop) -> anyhow::Result<RunSummary> {
    let mut node = NodeBuilder::open_at(options.network, options.place.clone())?;
    let name = node.node().fully_qualified_name();
    let heartbeat = node.publisher::<DiagnosticStatus>("~/status", qos::commands(), 4)?;
    let (lifecycle, changes) = Lifecycle::serve(&mut node)?;
    let (parameters, live_changes) =
        SharedParameters::serve(&mut node, options.parameters.clone(), &lifecycle)?;
    let diagnostics = node.publisher::<DiagnosticArray>("/diagnostics", qos::commands(), 4)?;
    let requests = serve(&mut node)?;
    let node = node.start().context("the node's threads")?;
    tracing::info!(
        node = %name,
        domain = options.network.domain,
        localhost = options.network.localhost,
        services = Services::from_environment().name(),
        "{}",
        if options.auto {
            "configures and activates itself"
        } else {
            "unconfigured: waits for ~/change_state (ros2 lifecycle set); --auto configures and activates at once"
        }
    );
    let ends = Ends {
        lifecycle,
        changes,
        parameters,
        live_changes,
        requests,
        heartbeat,
        diagnostics,
    };
    Manager::new(node, name, options, ends).run(stop)
}

fn serve(node: &mut NodeBuilder) -> Result<Receiver<Request>, NodeError> {
    let (sender, requests) = bounded(64);
    let reply = |sender: &Sender<Request>, request, done: &str| match sender.try_send(request) {
        Ok(()) => TriggerReply {
            success: true,
            message: done.into(),
        },
        Err(_) => TriggerReply {
            success: false,
            message: "the node is busy; call again".into(),
        },
    };
    let estop = sender.clone();
    node.serve_trigger("~/estop", move || {
        reply(
            &estop,
            Request::Estop,
            "emergency stop latched; ~/reset releases it",
        )
    })?;
    let reset = sender.clone();
    node.serve_trigger("~/reset", move || {
        reply(
            &reset,
            Request::Reset,
            "belief and plan forgotten, stop released",
        )
    })?;
    node.subscribe::<Int64>("episode", qos::commands(), move |message| {
        if let Some(message) = message {
            let _ = sender.try_send(Request::Episode(message.data));
        }
    })?;
    Ok(requests)
}
