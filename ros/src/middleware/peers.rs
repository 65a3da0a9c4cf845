//! The peers on our topics, and whether they and we can hear each other.

use ros2_client::{Context, QosProfile};
use rustdds::QosPolicies;

/// The peers on one of our topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peers {
    /// Number of peers that are known.
    pub(crate) known: usize,
    /// The reasons why some of them are not heard, or do not hear us: a policy by its DDS name with what is
    /// offered and requested, or another message type.
    pub(crate) mismatches: Vec<String>,
}

impl Peers {
    /// Adds the peers of another topic.
    pub(crate) fn join(&mut self, other: Self) {
        self.known += other.known;
        self.mismatches.extend(other.mismatches);
    }

    /// Whether there are known peers and none of them matches.
    pub(crate) fn all_mismatch(&self) -> bool {
        self.known > 0 && self.mismatches.len() >= self.known
    }

    /// The foreign publishers of a topic that we subscribe to. `topic` and `ty` are given as they stand on
    /// the wire.
    pub(crate) fn publishers(context: &Context, topic: &str, ty: &str, ours: &QosProfile) -> Self {
        let requested = QosPolicies::from(ours);
        let mut peers = Self::default();
        for writer in context.domain_participant().discovered_writers() {
            let data = &writer.publication_topic_data;
            if data.topic_name == topic {
                peers.add(ty, &data.type_name, &data.qos(), &requested);
            }
        }
        peers
    }

    /// The foreign subscriptions of a topic that we publish.
    pub(crate) fn subscriptions(
        context: &Context,
        topic: &str,
        ty: &str,
        ours: &QosProfile,
    ) -> Self {
        let offered = QosPolicies::from(ours);
        let mut peers = Self::default();
        for reader in context.domain_participant().discovered_readers() {
            let data = &reader.subscription_topic_data;
            if data.topic_name() == topic {
                peers.add(ty, data.type_name(), &offered, &data.qos());
            }
        }
        peers
    }

    fn add(&mut self, ours: &str, theirs: &str, offered: &QosPolicies, requested: &QosPolicies) {
        self.known += 1;
        if ours != theirs {
            self.mismatches
                .push(format!("message type: expected {ours}, found {theirs}"));
        } else if let Some(policy) = offered.compliance_failure_wrt(requested) {
            let name = format!("{policy:?}");
            let [offered, requested] = [offered, requested].map(|qos| match name.as_str() {
                "Reliability" => plain(qos.reliability()),
                "Durability" => plain(qos.durability()),
                "Deadline" => plain(qos.deadline()),
                "Liveliness" => plain(qos.liveliness()),
                _ => "another value".to_owned(),
            });
            self.mismatches.push(format!(
                "incompatible QoS policy {name}: offered {offered}, requested {requested}"
            ));
        }
    }
}

/// The value of a policy without the type that wraps it.
fn plain(policy: Option<impl std::fmt::Debug>) -> String {
    let Some(policy) = policy else {
        return "the default".to_owned();
    };
    let text = format!("{policy:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::qos;
    use super::*;

    #[test]
    fn the_policy_is_named() {
        let (images, commands) = (
            QosPolicies::from(&qos::images()),
            QosPolicies::from(&qos::commands()),
        );
        let mut peers = Peers::default();
        peers.add("T", "T", &commands, &images);
        assert!(peers.mismatches.is_empty(), "reliable serves best effort");
        assert!(!peers.all_mismatch());
        peers.add("T", "T", &images, &commands);
        assert!(
            peers.mismatches[0].contains("policy Reliability"),
            "{peers:?}"
        );
        assert!(peers.mismatches[0].contains("BestEffort"), "{peers:?}");
        let latched = QosPolicies::from(&qos::latched());
        let mut peers = Peers::default();
        peers.add("T", "T", &commands, &latched);
        assert!(
            peers.mismatches[0].contains("policy Durability"),
            "{peers:?}"
        );
        peers.add("T", "U", &images, &images);
        assert!(
            peers.mismatches[1].contains("expected T, found U"),
            "{peers:?}"
        );
        assert!(peers.all_mismatch());
    }
}
