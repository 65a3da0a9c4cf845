//! Quality of service of publishers as rosbag2 keeps it beside a topic: a YAML list with the numbers of rmw.

use latco_bag::Yaml;
use ros2_client::QosProfile;
use ros2_client::qos::{Durability, History};
use rustdds::policy;

use super::qos;

/// The quality of service that matters when a topic is recorded or played again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Whether every publisher repeats what is lost.
    pub reliable: bool,
    /// Whether every publisher keeps its newest messages for those who come later.
    pub transient_local: bool,
}

impl Offered {
    /// The quality of service that a publisher announces in discovery.
    pub fn of(publication: &rustdds::discovery::PublicationBuiltinTopicData) -> Self {
        Self {
            reliable: matches!(
                publication.reliability,
                Some(policy::Reliability::Reliable { .. })
            ),
            transient_local: !matches!(
                publication.durability,
                None | Some(policy::Durability::Volatile)
            ),
        }
    }

    /// The quality of service that all of them offer; `None` without any.
    pub fn common(all: &[Self]) -> Option<Self> {
        let (first, rest) = all.split_first()?;
        Some(rest.iter().fold(*first, |a, b| Self {
            reliable: a.reliable && b.reliable,
            transient_local: a.transient_local && b.transient_local,
        }))
    }

    /// The text that rosbag2 writes for publishers like these. History and depth are not announced in discovery.
    pub fn to_text(all: &[Self]) -> String {
        const FOREVER: &str = "\n    sec: 9223372036\n    nsec: 854775807\n";
        let of_one = |offered: &Self| {
            format!(
                "- history: 3\n  depth: 0\n  reliability: {}\n  durability: {}\n  deadline:{FOREVER}  lifespan:{FOREVER}  \
                 liveliness: 1\n  liveliness_lease_duration:{FOREVER}  avoid_ros_namespace_conventions: false",
                if offered.reliable { 1 } else { 2 },
                if offered.transient_local { 1 } else { 2 },
            )
        };
        all.iter().map(of_one).collect::<Vec<_>>().join("\n")
    }

    /// The quality of service that the publishers in such a text have in common; its policies are numbers up
    /// to version 8 of the format, words from then on. `None` where nothing is said.
    pub fn from_text(text: &str) -> Option<Self> {
        let yaml = Yaml::parse(text).ok()??;
        let all: Vec<Self> = yaml
            .list()
            .iter()
            .map(|one| {
                let word = |key: &str| one.get(key).and_then(Yaml::text).unwrap_or_default();
                Self {
                    reliable: matches!(word("reliability"), "1" | "reliable"),
                    transient_local: matches!(word("durability"), "1" | "transient_local"),
                }
            })
            .collect();
        Self::common(&all)
    }

    /// The profile of a subscription that hears all that these publishers keep.
    pub fn to_listen(offered: Option<Self>) -> QosProfile {
        match offered {
            Some(Self {
                reliable: true,
                transient_local: true,
            }) => qos::latched().history(History::KeepLast { depth: 100 }),
            _ => qos::anything(),
        }
    }

    /// The profile of a publisher that stands for these. Large messages are never reliable, see
    /// [`qos::images`].
    pub fn to_publish(offered: Option<Self>, type_name: &str) -> QosProfile {
        let large = type_name.ends_with("Image") || type_name.ends_with("PointCloud2");
        match offered {
            _ if large => qos::images(),
            Some(Self {
                reliable: false, ..
            }) => qos::sensors(10),
            Some(Self {
                transient_local: true,
                ..
            }) => qos::commands().durability(Durability::TransientLocal),
            _ => qos::commands(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATCHED: Offered = Offered {
        reliable: true,
        transient_local: true,
    };
    const SENSOR: Offered = Offered {
        reliable: false,
        transient_local: false,
    };

    #[test]
    fn the_text_says_what_was_offered() {
        for offered in [LATCHED, SENSOR] {
            assert_eq!(
                Offered::from_text(&Offered::to_text(&[offered])),
                Some(offered)
            );
        }
        assert_eq!(
            Offered::from_text(&Offered::to_text(&[LATCHED, SENSOR])),
            Some(SENSOR)
        );
        assert_eq!(Offered::from_text(""), None);
        assert_eq!(Offered::from_text("]"), None);
        let words = "- reliability: reliable\n  durability: transient_local\n";
        assert_eq!(Offered::from_text(words), Some(LATCHED));
    }
}
