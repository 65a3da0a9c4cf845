//! The controller node from its start to its end.

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded};
use latco_bag::messages::{DiagnosticArray, DiagnosticStatus, Int64};

use super::manager::{Endpoints, Manager};
use super::options::{ControllerOptions, Request};
use super::parameters::services::SharedParameters;
use super::status::RunSummary;
use crate::managed::lifecycle::Lifecycle;
use crate::middleware::{NodeBuilder, NodeError, RunningNode, Services, Stop, TriggerReply, qos};

/// Runs the node until it is finalized: by a transition or because a stop is asked for. A robot that moves is braked to rest
/// before, and the last status published.
///
/// # Errors
/// [`ControllerFault`](super::ControllerFault) inside when the node stopped by itself; otherwise the node could not be made, or the trace not
/// written; with `auto` also what kept it from being configured.
pub fn run(options: &ControllerOptions, stop: &Stop) -> anyhow::Result<RunSummary> {
    let mut node = NodeBuilder::open_as(options.network, options.identity.clone())?;
    let name = node.node().fully_qualified_name();
    let heartbeat = node.publisher::<DiagnosticStatus>("~/status", qos::commands(), 4)?;
    let (lifecycle, changes) = Lifecycle::serve(&mut node)?;
    let (parameters, live_changes) =
        SharedParameters::serve(&mut node, options.parameters.clone(), &lifecycle)?;
    let diagnostics = node.publisher::<DiagnosticArray>("/diagnostics", qos::commands(), 4)?;
    let requests = serve(&mut node)?;
    let node = RunningNode::start(node).context("the node's threads")?;
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
    let ends = Endpoints {
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
