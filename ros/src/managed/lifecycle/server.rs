//! The state machine behind its services, and `~/transition_event`.
//!
//! Requests are decided on the reactor thread, which also answers while a transition takes its time; the work of a
//! transition is the manager's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::channel::{Receiver, unbounded};
use futures::FutureExt;
use futures::channel::oneshot;

use super::edge::{Edge, Outcome, graph};
use super::machine::{Machine, Refused};
use super::messages::{
    ChangeStateReply, ChangeStateRequest, GetAvailableStatesReply, GetAvailableTransitionsReply,
    GetStateReply, StateMessage, TransitionEvent,
};
use super::state::State;
use crate::middleware::{EmptyRequest, NodeBuilder, NodeError, Outbox, qos, stamp};

const PACKAGE: &str = "lifecycle_msgs";

/// A transition that has begun and waits for its work to be done.
pub(crate) struct Change {
    /// The transition.
    pub(crate) edge: &'static Edge,
    /// Channel for the answer to the request; `None` for a transition of the node's own.
    pub(crate) answer: Option<oneshot::Sender<bool>>,
}

/// The state machine, shared between the services and the manager.
pub(crate) struct Lifecycle {
    machine: Mutex<Machine>,
    events: Outbox<TransitionEvent>,
}

impl Lifecycle {
    /// Adds topic and services to a node; the receiver gets the transitions that begin, one at a time.
    ///
    /// # Errors
    /// The error of a name that is remapped to an invalid one.
    pub(crate) fn serve(
        node: &mut NodeBuilder,
    ) -> Result<(Arc<Self>, Receiver<Change>), NodeError> {
        let lifecycle = Arc::new(Self {
            machine: Mutex::new(Machine::new()),
            events: node.publisher("~/transition_event", qos::commands(), 16)?,
        });
        // Never more than one: the next request is refused until this one is done.
        let (sender, changes) = unbounded();
        let shared = lifecycle.clone();
        node.serve_later(
            "~/change_state",
            (PACKAGE, "ChangeState"),
            move |request: ChangeStateRequest| {
                let asked = request.transition;
                let (answer, answered) = oneshot::channel();
                match shared.ask(asked.id, &asked.label) {
                    Ok(edge) => {
                        let answer = Some(answer);
                        let _ = sender.send(Change { edge, answer });
                    }
                    // The reply has no place for the reason.
                    Err(refused) => tracing::warn!("~/change_state refused: {refused}"),
                }
                answered.map(|done| ChangeStateReply {
                    success: done.unwrap_or(false),
                })
            },
        )?;
        let shared = lifecycle.clone();
        node.serve(
            "~/get_state",
            (PACKAGE, "GetState"),
            move |_: EmptyRequest| GetStateReply {
                current_state: shared.state().into(),
            },
        )?;
        node.serve(
            "~/get_available_states",
            (PACKAGE, "GetAvailableStates"),
            |_: EmptyRequest| GetAvailableStatesReply {
                available_states: State::ALL.map(StateMessage::from).to_vec(),
            },
        )?;
        let shared = lifecycle.clone();
        let transitions = (PACKAGE, "GetAvailableTransitions");
        node.serve(
            "~/get_available_transitions",
            transitions,
            move |_: EmptyRequest| GetAvailableTransitionsReply {
                available_transitions: shared.machine().available().map(Into::into).collect(),
            },
        )?;
        node.serve("~/get_transition_graph", transitions, |_: EmptyRequest| {
            GetAvailableTransitionsReply {
                available_transitions: graph().map(Into::into).collect(),
            }
        })?;
        Ok((lifecycle, changes))
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        self.machine().state()
    }

    /// Begins the transition that a request means.
    fn ask(&self, id: u8, label: &str) -> Result<&'static Edge, Refused> {
        let mut machine = self.machine();
        let edge = machine.request(id, label)?;
        // By construction possible here; were it not, the request would be one that comes at the wrong time.
        if machine.begin(edge).is_err() {
            return Err(Refused::NotNow {
                label: edge.label,
                state: machine.state(),
            });
        }
        self.tell(edge);
        Ok(edge)
    }

    /// Begins a transition of the node's own; `None` when it is not possible now.
    pub(crate) fn begin(&self, label: &str) -> Option<Change> {
        let edge = self.ask(0, label).ok()?;
        Some(Change { edge, answer: None })
    }

    /// Ends the transition and returns the state after it.
    pub(crate) fn finish(&self, outcome: Outcome) -> State {
        let mut machine = self.machine();
        match machine.finish(outcome) {
            Ok(edge) => self.tell(edge),
            Err(misplaced) => tracing::error!("a transition ends that never began: {misplaced}"),
        }
        machine.state()
    }

    /// Reacts to a fault outside of a transition; returns false where nothing can break.
    pub(crate) fn fault(&self) -> bool {
        let edge = self.machine().fault();
        if let Ok(edge) = edge {
            self.tell(edge);
        }
        edge.is_ok()
    }

    fn tell(&self, edge: &Edge) {
        tracing::info!(
            "lifecycle: {} -> {} ({})",
            edge.start,
            edge.goal,
            edge.label
        );
        self.events
            .send(TransitionEvent::new(edge, stamp::now_ns()));
    }
}
