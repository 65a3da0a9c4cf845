//! The controller node from its start to its end.

use anyhow::Context as _;
use latco_bag::messages::{DiagnosticArray, DiagnosticStatus};

use super::kept_stop::KeptStop;
use super::manager::{Endpoints, Manager};
use super::options::ControllerOptions;
use super::parameters::services::SharedParameters;
use super::status::RunSummary;
use super::{panics, requests};
use crate::managed::lifecycle::Lifecycle;
use crate::middleware::{NodeBuilder, RunningNode, Services, Stop, qos};
use crate::system::notify;

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
    let folder = options.state_dir.as_deref();
    let estop = KeptStop::open(folder, options.network.domain, &name);
    panics::latch_on_panic(estop.latch().clone());
    let (asked, requests) = requests::serve(&mut node, &estop)?;
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
    notify("READY=1");
    let ends = Endpoints {
        lifecycle,
        changes,
        parameters,
        live_changes,
        asked,
        requests,
        estop,
        heartbeat,
        diagnostics,
    };
    Manager::new(node, name, options, ends).run(stop)
}
