//! The newest status of every part of every node.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use latco_bag::messages::DiagnosticStatus;

/// The newest statuses, by their names.
#[derive(Debug, Default)]
pub struct Heard {
    parts: BTreeMap<String, Part>,
}

/// The newest status of one part.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) status: DiagnosticStatus,
    pub(super) at: Instant,
    /// Position in its message, which orders the parts of a node as it tells them.
    pub(super) place: usize,
}

impl Heard {
    /// Takes one message.
    pub fn take(&mut self, status: Vec<DiagnosticStatus>, now: Instant) {
        for (place, status) in status.into_iter().enumerate() {
            let part = Part {
                status,
                at: now,
                place,
            };
            self.parts.insert(part.status.name.clone(), part);
        }
    }

    /// Whether nothing was heard yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The parts of each node, in the order in which it tells them. A part that nobody has told of for `forget` is left out.
    pub(super) fn nodes(
        &self,
        now: Instant,
        forget: Duration,
    ) -> BTreeMap<&str, Vec<(&str, &Part)>> {
        let mut nodes: BTreeMap<&str, Vec<(&str, &Part)>> = BTreeMap::new();
        for (name, part) in &self.parts {
            if now.duration_since(part.at) > forget {
                continue;
            }
            // REP-107 names a part "node: part".
            let (node, subject) = name.split_once(": ").unwrap_or((name, ""));
            nodes.entry(node).or_default().push((subject, part));
        }
        for parts in nodes.values_mut() {
            parts.sort_by_key(|(_, part)| part.place);
        }
        nodes
    }
}
