//! The messages of `lifecycle_msgs`.

use latco_bag::messages::RosMessage;
use ros2_client::Message;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::state::State;

/// `lifecycle_msgs/msg/State`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateMessage {
    /// Number of the state, see [`State::id`].
    pub id: u8,
    /// Name of the state, see [`State::label`].
    pub label: String,
}

impl From<State> for StateMessage {
    fn from(state: State) -> Self {
        Self {
            id: state.id(),
            label: state.label().into(),
        }
    }
}

/// `lifecycle_msgs/msg/Transition`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionMessage {
    /// Number of the transition, see [`Edge`].
    pub id: u8,
    /// Label of the transition, see [`Edge`].
    pub label: String,
}

impl From<&Edge> for TransitionMessage {
    fn from(edge: &Edge) -> Self {
        Self {
            id: edge.id,
            label: edge.label.into(),
        }
    }
}

/// `lifecycle_msgs/msg/TransitionDescription`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionDescription {
    /// The transition.
    pub transition: TransitionMessage,
    /// State before it.
    pub start_state: StateMessage,
    /// State after it.
    pub goal_state: StateMessage,
}

impl From<&Edge> for TransitionDescription {
    fn from(edge: &Edge) -> Self {
        Self {
            transition: edge.into(),
            start_state: edge.start.into(),
            goal_state: edge.goal.into(),
        }
    }
}

/// `lifecycle_msgs/msg/TransitionEvent`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionEvent {
    /// Time of the transition, in ns since the Unix epoch.
    pub timestamp: u64,
    /// The transition.
    pub transition: TransitionMessage,
    /// State before it.
    pub start_state: StateMessage,
    /// State after it.
    pub goal_state: StateMessage,
}

impl TransitionEvent {
    /// Makes the event of a transition at `now_ns`, nanoseconds since the Unix epoch.
    pub fn new(edge: &Edge, now_ns: i64) -> Self {
        Self {
            timestamp: u64::try_from(now_ns).unwrap_or(0),
            transition: edge.into(),
            start_state: edge.start.into(),
            goal_state: edge.goal.into(),
        }
    }
}

impl RosMessage for TransitionEvent {
    const TYPE: &'static str = "lifecycle_msgs/msg/TransitionEvent";
}

/// Request of `lifecycle_msgs/srv/ChangeState`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ChangeStateRequest {
    /// The transition that is asked for: its id, its label, or both.
    pub transition: TransitionMessage,
}

/// Reply of `lifecycle_msgs/srv/ChangeState`; it has no place for a reason.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ChangeStateReply {
    /// Whether the transition was made.
    pub success: bool,
}

/// Reply of `lifecycle_msgs/srv/GetState`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GetStateReply {
    /// The state now.
    pub current_state: StateMessage,
}

/// Reply of `lifecycle_msgs/srv/GetAvailableStates`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GetAvailableStatesReply {
    /// All states.
    pub available_states: Vec<StateMessage>,
}

/// Reply of `lifecycle_msgs/srv/GetAvailableTransitions`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GetAvailableTransitionsReply {
    /// The transitions from the state now, or all of the graph.
    pub available_transitions: Vec<TransitionDescription>,
}

impl Message for ChangeStateRequest {}
impl Message for ChangeStateReply {}
impl Message for GetStateReply {}
impl Message for GetAvailableStatesReply {}
impl Message for GetAvailableTransitionsReply {}
