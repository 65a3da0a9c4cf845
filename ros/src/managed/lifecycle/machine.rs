//! The state machine of a managed node: its state, and the requests that are possible there.

use thiserror::Error;

use super::edge::{EDGES, Edge, Outcome, Trigger};
use super::state::State;

/// The reason why a request for a transition is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The id is none of `lifecycle_msgs/msg/Transition` that can be asked for, or the label none of theirs: a request of a
    /// client with another service mapping is read from foreign bytes and looks like this.
    #[error(
        "expected one of {}, found id {id} and label {label:?}; a client of another RMW_IMPLEMENTATION sends what \
         cannot be understood",
        known()
    )]
    Unknown {
        /// The id in the request.
        id: u8,
        /// The label in the request.
        label: String,
    },
    /// Id and label contradict each other.
    #[error(
        "id {id} and label {label:?} do not belong together: {label:?} is id {}; give one of the two",
        list(.ids, ToString::to_string)
    )]
    Contradiction {
        /// The id in the request.
        id: u8,
        /// The label in the request.
        label: String,
        /// The ids with this label.
        ids: Vec<u8>,
    },
    /// The transition is not possible in this state.
    #[error("{label} is not possible while {state}: {}", possible(.state))]
    NotNow {
        /// Label of the transition that was asked for.
        label: &'static str,
        /// The state of the node.
        state: State,
    },
}

fn known() -> String {
    let asked = EDGES.iter().filter(|e| e.trigger == Trigger::Request);
    list(&asked.collect::<Vec<_>>(), |e| {
        format!("{} ({})", e.id, e.label)
    })
}

fn possible(state: &State) -> String {
    let labels: Vec<_> = requestable(*state).map(|e| e.label).collect();
    if labels.is_empty() && *state == State::Finalized {
        "it has ended".to_owned()
    } else if labels.is_empty() {
        "wait until this transition is done".to_owned()
    } else {
        format!("possible are {}", labels.join(", "))
    }
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn requestable(state: State) -> impl Iterator<Item = &'static Edge> {
    EDGES
        .iter()
        .filter(move |e| e.start == state && e.trigger == Trigger::Request)
}

/// A step that the machine does not have in its state: a mistake of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no such transition from {0}")]
pub struct Misplaced(pub State);

/// The state machine. It changes only along [`EDGES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    state: State,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// Makes a machine that is unconfigured.
    pub fn new() -> Self {
        Self {
            state: State::Unconfigured,
        }
    }

    /// The state of the machine.
    pub fn state(&self) -> State {
        self.state
    }

    /// The transition that a request means, by the rules of `rclcpp_lifecycle`: a label counts more than an id, whose default
    /// is 0; without one the id decides. Unlike there, an id other than 0 that contradicts the label is refused.
    ///
    /// # Errors
    /// [`Refused`], with the reason; nothing has changed in any case.
    pub fn request(&self, id: u8, label: &str) -> Result<&'static Edge, Refused> {
        let asked = || EDGES.iter().filter(|e| e.trigger == Trigger::Request);
        let unknown = || Refused::Unknown {
            id,
            label: label.to_owned(),
        };
        let meant: Vec<&'static Edge> = if label.is_empty() {
            asked().filter(|e| e.id == id).collect()
        } else {
            asked().filter(|e| e.label == label).collect()
        };
        let Some(first) = meant.first() else {
            return Err(unknown());
        };
        if !label.is_empty() && id != 0 && meant.iter().all(|e| e.id != id) {
            if asked().all(|e| e.id != id) {
                return Err(unknown());
            }
            return Err(Refused::Contradiction {
                id,
                label: label.to_owned(),
                ids: meant.iter().map(|e| e.id).collect(),
            });
        }
        let here = |e: &&&Edge| e.start == self.state && (id == 0 || e.id == id);
        meant.iter().find(here).copied().ok_or(Refused::NotNow {
            label: first.label,
            state: self.state,
        })
    }

    /// The transitions that may be asked for now.
    pub fn available(&self) -> impl Iterator<Item = &'static Edge> {
        requestable(self.state)
    }

    /// The transition with this label that may be asked for now.
    pub fn find(&self, label: &str) -> Option<&'static Edge> {
        self.available().find(|e| e.label == label)
    }

    /// Enters the transition state of a request.
    ///
    /// # Errors
    /// [`Misplaced`] when the request belongs to another state.
    pub fn begin(&mut self, edge: &'static Edge) -> Result<(), Misplaced> {
        if edge.trigger != Trigger::Request {
            return Err(Misplaced(self.state));
        }
        self.take(edge)
    }

    /// Leaves a transition state; returns the transition by which it did.
    ///
    /// # Errors
    /// [`Misplaced`] when the machine is in a primary state.
    pub fn finish(&mut self, outcome: Outcome) -> Result<&'static Edge, Misplaced> {
        self.step(Trigger::Outcome(outcome))
    }

    /// Goes to errorprocessing, because something broke in a primary state.
    ///
    /// # Errors
    /// [`Misplaced`] where nothing can break: unconfigured, finalized; or in a transition state, which
    /// [`Machine::finish`] leaves.
    pub fn fault(&mut self) -> Result<&'static Edge, Misplaced> {
        self.step(Trigger::Fault)
    }

    fn step(&mut self, trigger: Trigger) -> Result<&'static Edge, Misplaced> {
        let state = self.state;
        let edge = EDGES
            .iter()
            .find(|e| e.start == state && e.trigger == trigger)
            .ok_or(Misplaced(state))?;
        self.take(edge)?;
        Ok(edge)
    }

    fn take(&mut self, edge: &'static Edge) -> Result<(), Misplaced> {
        if edge.start != self.state {
            return Err(Misplaced(self.state));
        }
        self.state = edge.goal;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Event {
        Request(u8, String),
        Finish(Outcome),
        Fault,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let label = prop_oneof![
            4 => prop::sample::select(vec!["", "configure", "cleanup", "activate", "deactivate", "shutdown"])
                .prop_map(str::to_owned),
            1 => "[a-z_\\x00]{0,12}",
        ];
        let id = prop_oneof![4 => 0_u8..8, 1 => any::<u8>()];
        let outcome = prop_oneof![
            4 => Just(Outcome::Success),
            1 => Just(Outcome::Failure),
            1 => Just(Outcome::Error)
        ];
        let event = prop_oneof![
            3 => (id, label).prop_map(|(id, label)| Event::Request(id, label)),
            3 => outcome.prop_map(Event::Finish),
            1 => Just(Event::Fault),
        ];
        prop::collection::vec(event, 0..60)
    }

    proptest! {
        #[test]
        fn it_moves_along_the_edges_alone_and_primary_states_alternate_with_transition_states(events in events()) {
            let mut machine = Machine::new();
            for event in events {
                let before = machine.state();
                let taken = match &event {
                    Event::Request(id, label) => {
                        let asked = machine.request(*id, label);
                        prop_assert_eq!(machine.state(), before, "asking changes nothing");
                        match asked {
                            Ok(edge) => {
                                prop_assert!(label.is_empty() || edge.label == label);
                                prop_assert!(*id == 0 || edge.id == *id);
                                machine.begin(edge).unwrap();
                                Some(edge)
                            }
                            Err(refused) => {
                                prop_assert!(!refused.to_string().is_empty());
                                None
                            }
                        }
                    }
                    Event::Finish(outcome) => machine.finish(*outcome).ok(),
                    Event::Fault => machine.fault().ok(),
                };
                let after = machine.state();
                match taken {
                    Some(edge) => {
                        prop_assert!(EDGES.contains(edge));
                        prop_assert_eq!((edge.start, edge.goal), (before, after));
                        // Errors pass from one transition state to another; all else comes to rest.
                        prop_assert!(before.is_primary() != after.is_primary() || after == State::ErrorProcessing);
                    }
                    None => prop_assert_eq!(before, after),
                }
                prop_assert!(after != State::Unknown);
                if before == State::Finalized {
                    prop_assert_eq!(after, State::Finalized, "nothing leads back");
                }
                // Active is only reached through activating, and that only from inactive.
                if after == State::Active && before != State::Active {
                    prop_assert!(matches!(before, State::Activating | State::Deactivating));
                }
                if after == State::Activating && before != after {
                    prop_assert_eq!(before, State::Inactive);
                }
            }
        }

        #[test]
        fn a_request_is_decided_as_the_table_says(id in any::<u8>(), label in "[a-z]{0,10}", state in 0_usize..11) {
            let machine = Machine { state: State::ALL[state] };
            let fits = |e: &&Edge| e.trigger == Trigger::Request && e.start == machine.state
                && if label.is_empty() { e.id == id } else { e.label == label && (id == 0 || e.id == id) };
            prop_assert_eq!(machine.request(id, &label).ok(), EDGES.iter().find(fits));
        }
    }

    #[test]
    fn ids_and_labels_are_those_of_the_messages() {
        let find = |id| EDGES.iter().find(|e| e.id == id).unwrap();
        for (id, label, goal) in [
            (1, "configure", 10),
            (2, "cleanup", 11),
            (3, "activate", 13),
            (4, "deactivate", 14),
            (5, "shutdown", 12),
            (6, "shutdown", 12),
            (7, "shutdown", 12),
            (10, "transition_success", 2),
            (12, "transition_error", 15),
            (60, "transition_success", 1),
            (61, "transition_failure", 4),
        ] {
            let edge = find(id);
            assert_eq!((edge.label, edge.goal.id()), (label, goal));
        }
        let names: Vec<_> = State::ALL.iter().map(|s| s.label()).collect();
        assert_eq!(names[10], "errorprocessing");
        assert!(
            State::ALL
                .windows(2)
                .all(|pair| pair[0].id() < pair[1].id())
        );
    }

    #[test]
    fn every_transition_state_has_all_three_outcomes_and_every_state_leads_to_finalized() {
        for state in State::ALL {
            let outcomes = EDGES
                .iter()
                .filter(|e| e.start == state && matches!(e.trigger, Trigger::Outcome(_)))
                .count();
            let expected = if state.is_primary() || state == State::Unknown {
                0
            } else {
                3
            };
            assert_eq!(outcomes, expected, "{state}");
            if state.is_primary() && state != State::Finalized {
                let mut machine = Machine { state };
                let edge = machine.request(0, "shutdown").unwrap();
                machine.begin(edge).unwrap();
                machine.finish(Outcome::Success).unwrap();
                assert_eq!(machine.state(), State::Finalized);
            }
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        let machine = Machine::new();
        let words = |id, label| machine.request(id, label).unwrap_err().to_string();
        assert!(words(3, "").contains("activate is not possible while unconfigured"));
        assert!(words(3, "").contains("possible are configure, shutdown"));
        assert!(words(200, "").contains("found id 200"));
        assert!(words(0, "").contains("1 (configure)"));
        assert!(words(1, "shutdown").contains("\"shutdown\" is id 5, 6, 7"));
        assert!(words(0, "go").contains("\"go\""));
        // 10 is an outcome, which nobody asks for.
        assert!(words(10, "").contains("found id 10"));
        let configuring = Machine {
            state: State::Configuring,
        };
        let refused = configuring.request(3, "activate").unwrap_err().to_string();
        assert!(refused.contains("wait until"), "{refused}");
    }
}
