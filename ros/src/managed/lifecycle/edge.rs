//! The transitions, each with the states that it leads from and to.

use super::state::State;

/// The outcome of the work of a transition state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The work was done as asked.
    Success,
    /// The work is not possible now; nothing changed.
    Failure,
    /// Something broke, and has to be cleared away.
    Error,
}

/// The causes of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A request from outside, through `~/change_state`.
    Request,
    /// The node itself, when the work of a transition state is done: success, failure or error.
    Outcome(Outcome),
    /// The node itself, when something broke in a primary state.
    Fault,
}

/// One transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Number of the transition, as in `lifecycle_msgs/msg/Transition`.
    pub id: u8,
    /// Label of the transition, as `rcl_lifecycle` calls it.
    pub label: &'static str,
    /// State before the transition.
    pub start: State,
    /// State after the transition.
    pub goal: State,
    /// Cause of the transition.
    pub trigger: Trigger,
}

const fn asked(id: u8, label: &'static str, start: State, goal: State) -> Edge {
    Edge {
        id,
        label,
        start,
        goal,
        trigger: Trigger::Request,
    }
}

const fn done(id: u8, outcome: Outcome, start: State, goal: State) -> Edge {
    let label = match outcome {
        Success => "transition_success",
        Failure => "transition_failure",
        Error => "transition_error",
    };
    Edge {
        id,
        label,
        start,
        goal,
        trigger: Trigger::Outcome(outcome),
    }
}

const fn fault(start: State) -> Edge {
    Edge {
        id: 99,
        label: "transition_error",
        start,
        goal: ErrorProcessing,
        trigger: Trigger::Fault,
    }
}

use Outcome::{Error, Failure, Success};
use State::{
    Activating, Active, CleaningUp, Configuring, Deactivating, ErrorProcessing, Finalized,
    Inactive, ShuttingDown, Unconfigured,
};

/// The transitions that `rcl_lifecycle` has, as other nodes list them: all but the faults.
pub fn graph() -> impl Iterator<Item = &'static Edge> {
    EDGES.iter().filter(|e| e.trigger != Trigger::Fault)
}

/// All of them, in the order of `rcl_lifecycle`. The design lets a node go from a primary state to errorprocessing by
/// itself; the messages have no id of its own for that but `TRANSITION_CALLBACK_ERROR`.
#[rustfmt::skip] // one line each
pub const EDGES: &[Edge] = &[
    asked(1, "configure", Unconfigured, Configuring),
    done(10, Success, Configuring, Inactive),
    done(11, Failure, Configuring, Unconfigured),
    done(12, Error, Configuring, ErrorProcessing),
    asked(2, "cleanup", Inactive, CleaningUp),
    done(20, Success, CleaningUp, Unconfigured),
    done(21, Failure, CleaningUp, Inactive),
    done(22, Error, CleaningUp, ErrorProcessing),
    asked(3, "activate", Inactive, Activating),
    done(30, Success, Activating, Active),
    done(31, Failure, Activating, Inactive),
    done(32, Error, Activating, ErrorProcessing),
    asked(4, "deactivate", Active, Deactivating),
    done(40, Success, Deactivating, Inactive),
    done(41, Failure, Deactivating, Active),
    done(42, Error, Deactivating, ErrorProcessing),
    asked(5, "shutdown", Unconfigured, ShuttingDown),
    asked(6, "shutdown", Inactive, ShuttingDown),
    asked(7, "shutdown", Active, ShuttingDown),
    done(50, Success, ShuttingDown, Finalized),
    done(51, Failure, ShuttingDown, Finalized),
    done(52, Error, ShuttingDown, ErrorProcessing),
    done(60, Success, ErrorProcessing, Unconfigured),
    done(61, Failure, ErrorProcessing, Finalized),
    done(62, Error, ErrorProcessing, Finalized),
    fault(Inactive),
    fault(Active),
];
