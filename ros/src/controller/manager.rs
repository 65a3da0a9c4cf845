//! The thread that does the work of the transitions and looks after a configured controller.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, never, tick};
use latco_bag::messages::{DiagnosticArray, DiagnosticStatus};
use latco_controller::safety::{LONGEST_STOP, STOP_MARGIN};

use super::configured::Configured;
use super::diagnostics::Diagnostics;
use super::intake::Counters;
use super::kept_stop::KeptStop;
use super::load::Loading;
use super::options::{ControllerFault, ControllerOptions};
use super::panics;
use super::parameters::Parameters;
use super::parameters::services::SharedParameters;
use super::requests::Asked;
use super::status::RunSummary;
use crate::managed::lifecycle::{Change, Lifecycle, Outcome, State};
use crate::middleware::interfaces::Interfaces;
use crate::middleware::{Outbox, RunningNode, Stop, middleware_alive};
use crate::system::notify;

/// Time between two looks at the planner's records.
const POLL_EVERY: Duration = Duration::from_millis(20);
/// Time between two heartbeats.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// Time between two diagnostics.
const DIAGNOSE_EVERY: Duration = Duration::from_secs(1);
/// Time between two checks that the middleware's threads are alive.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// Time for the last messages to leave before the middleware is taken down.
const LINGER: Duration = Duration::from_millis(100);

/// What the node does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auto {
    /// Nothing: it was not told to, or has done so.
    Nothing,
    /// Activate, as soon as it is configured and no emergency stop is latched.
    Activate,
}

/// The topics and services that the node has in every state.
pub(super) struct Endpoints {
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) changes: Receiver<Change>,
    pub(super) parameters: Arc<SharedParameters>,
    pub(super) live_changes: Receiver<()>,
    pub(super) asked: Arc<Asked>,
    /// Channel that tells of what is asked.
    pub(super) requests: Receiver<()>,
    pub(super) estop: KeptStop,
    pub(super) heartbeat: Outbox<DiagnosticStatus>,
    pub(super) diagnostics: Outbox<DiagnosticArray>,
}

pub(super) struct Manager<'a> {
    pub(super) node: Option<RunningNode>,
    pub(super) name: String,
    pub(super) options: &'a ControllerOptions,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) ends: Endpoints,
    pub(super) diagnostics: Diagnostics,
    /// Networks that were there so far; none where only the loopback interface is used.
    pub(super) interfaces: Option<Interfaces>,
    /// The parameters that the node is configured with.
    pub(super) configured_with: Option<Parameters>,
    /// The transition whose work is under way.
    pub(super) change: Option<Change>,
    pub(super) loading: Option<Loading>,
    /// Time by which a robot that was told to rest must have done so.
    pub(super) rest_by: Option<Instant>,
    pub(super) configured: Option<Configured>,
    pub(super) auto: Auto,
    /// Whether the process was told to end.
    pub(super) stopping: bool,
    /// The reason why the last transition failed, or what broke; empty without.
    pub(super) failure: String,
    /// The error with which the process ends, where it ends by itself.
    pub(super) ending: Option<anyhow::Error>,
    pub(super) counters: Arc<Counters>,
    pub(super) summary: RunSummary,
    /// The summary when the present work began.
    pub(super) before: RunSummary,
}

impl<'a> Manager<'a> {
    pub(super) fn new(
        node: RunningNode,
        name: String,
        options: &'a ControllerOptions,
        ends: Endpoints,
    ) -> Self {
        Self {
            node: Some(node),
            name,
            options,
            lifecycle: ends.lifecycle.clone(),
            ends,
            diagnostics: Diagnostics::new(),
            interfaces: (!options.network.localhost).then(Interfaces::of_now),
            configured_with: None,
            change: None,
            loading: None,
            rest_by: None,
            configured: None,
            auto: if options.auto {
                Auto::Activate
            } else {
                Auto::Nothing
            },
            stopping: false,
            failure: String::new(),
            ending: None,
            counters: Arc::new(Counters::default()),
            summary: RunSummary {
                system_refused: options.refused.clone(),
                ..RunSummary::default()
            },
            before: RunSummary::default(),
        }
    }

    /// Runs until the node is finalized. A panic of this thread brakes the robot before the node ends.
    pub(super) fn run(mut self, stop: &Stop) -> anyhow::Result<RunSummary> {
        let turning = AssertUnwindSafe(|| self.turn(stop));
        if catch_unwind(turning).is_err() {
            self.release();
            self.ending = Some(ControllerFault::Panicked.into());
        }
        self.end()
    }

    /// Does what comes, until the node is finalized.
    fn turn(&mut self, stop: &Stop) {
        let requests = self.ends.requests.clone();
        let changes = self.ends.changes.clone();
        let live_changes = self.ends.live_changes.clone();
        if self.options.auto {
            self.begin("configure");
        }
        let (poll, status_due, check_alive) =
            (tick(POLL_EVERY), tick(STATUS_EVERY), tick(WATCH_EVERY));
        let diagnostics_due = tick(DIAGNOSE_EVERY);
        let (nothing, not_loaded, not_stopped) = (never(), never(), never());
        while self.lifecycle.state() != State::Finalized {
            let awake = self.configured.is_some() && self.lifecycle.state() != State::Inactive;
            let poll = if awake { &poll } else { &nothing };
            let stopped = if stop.is_requested() {
                self.stop();
                &not_stopped
            } else {
                stop.channel()
            };
            if self.lifecycle.state() == State::Finalized {
                break;
            }
            let loaded = match &self.loading {
                Some(loading) => loading.done.clone(),
                None => Receiver::clone(&not_loaded),
            };
            crossbeam::channel::select! {
                recv(requests) -> _ => self.handle(),
                recv(changes) -> change => if let Ok(change) = change {
                    // A reset that was answered before comes before.
                    self.handle();
                    self.carry_out(change);
                },
                recv(loaded) -> loaded => {
                    self.loading = None;
                    let gone = |_| Err(anyhow::anyhow!("the loader thread ended; see the log for its panic"));
                    self.configure(loaded.unwrap_or_else(gone));
                }
                recv(live_changes) -> _ => self.set_live(),
                recv(poll) -> _ => self.poll(),
                recv(diagnostics_due) -> _ => self.publish_diagnostics(None),
                recv(status_due) -> _ => self.publish_status(None),
                recv(check_alive) -> _ => {
                    self.check_alive();
                    self.look_for_networks();
                    notify("WATCHDOG=1");
                }
                recv(stopped) -> _ => {}
            }
        }
    }

    /// Does what is asked for.
    fn handle(&mut self) {
        if let Some(stops) = self.ends.asked.take_reset() {
            let active = self.lifecycle.state() == State::Active;
            if let Some(configured) = &self.configured {
                configured.reset();
            }
            self.ends.estop.release(stops, active);
            self.summary.resets += 1;
            self.activate_by_itself();
        }
        if let Some(episode) = self.ends.asked.take_episode() {
            if let Some(configured) = &mut self.configured {
                configured.begin_episode(episode, &mut self.summary);
            }
            self.summary.resets += 1;
            tracing::info!(episode, "episode begins");
        }
    }

    fn poll(&mut self) {
        let Some(configured) = &mut self.configured else {
            return;
        };
        configured.poll(&mut self.summary);
        let Some(rest_by) = self.rest_by else { return };
        if configured.is_at_rest() {
            self.ends.estop.set_active(false);
            self.finish(Outcome::Success);
        } else if Instant::now() >= rest_by {
            self.fault(ControllerFault::NotAtRest(LONGEST_STOP + STOP_MARGIN));
        }
    }

    fn check_alive(&mut self) {
        if self.change.is_none() && !self.lifecycle.state().is_primary() {
            return; // its transition is about to be taken up
        }
        if !self.configured.as_ref().is_none_or(Configured::is_alive) {
            self.fault(ControllerFault::ThreadDied);
        } else if panics::happened() {
            self.fault(ControllerFault::Panicked);
        }
        if !middleware_alive() {
            self.fault(ControllerFault::MiddlewareDied);
        }
    }

    /// Begins again with a network that came up, where the node has seen nothing of a robot; else tells of it.
    fn look_for_networks(&mut self) {
        let Some((interface, address)) = self.interfaces.as_mut().and_then(Interfaces::came_up)
        else {
            return;
        };
        let images = &self.counters.image_arrivals.count;
        let begins = self.options.auto || self.lifecycle.state() == State::Unconfigured;
        if begins && images.load(Ordering::Relaxed) == 0 {
            // It rests, so that the next one may move.
            self.ends.estop.set_active(false);
            self.fault(ControllerFault::NewNetwork { interface, address });
        } else {
            tracing::warn!(
                "{interface} came up with {address} after this node began, and DDS does not use it: where the robot is to be seen \
                 there, start the node again"
            );
        }
    }

    fn end(mut self) -> anyhow::Result<RunSummary> {
        notify("STOPPING=1");
        let last = if self.ending.is_some() {
            "ended by a fault"
        } else {
            "ended"
        };
        if self.ending.is_none() {
            self.ends.estop.set_active(false);
        }
        self.publish_status(Some(last));
        self.publish_diagnostics(Some(last));
        Stop::new().wait(LINGER);
        if let Some(mut configured) = self.configured.take() {
            configured.poll(&mut self.summary);
            self.close(configured);
        }
        drop(self.node.take());
        match self.ending {
            Some(error) => Err(error),
            None => Ok(self.summary),
        }
    }
}
