//! The domain and the interfaces on which a process talks.

use std::net::{IpAddr, Ipv4Addr};

use ros2_client::{Context, ServiceMapping};
use rustdds::DomainParticipantBuilder;
use thiserror::Error;

/// The largest domain whose ports exist: 7400 + 250 * 232 + 250 > 65535 - 250.
pub const MAX_DOMAIN: u16 = 232;

/// What other implementations of DDS are told by their own variables and this one cannot do: it finds peers by multicast on
/// all interfaces, or on the loopback interface.
const NOT_OBEYED: [&str; 6] = [
    "ROS_STATIC_PEERS",
    "ROS_DISCOVERY_SERVER",
    "ROS_SUPER_CLIENT",
    "CYCLONEDDS_URI",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
    "FASTDDS_DEFAULT_PROFILES_FILE",
];

/// Domain and reach of a DDS context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// DDS domain, 0..=232.
    pub domain: u16,
    /// Talk on 127.0.0.1 only. Foreign peers must then be restricted to the loopback interface too.
    pub localhost: bool,
}

/// The reason why there is no DDS context.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// The command line or the environment has settings that are not possible; all of them are listed.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    /// The middleware could not start.
    #[error(
        "DDS did not start in domain {domain}: {reason}; another process may hold its ports (at most 120 participants \
         per host), or the domain is in use by another user"
    )]
    Start {
        /// The domain.
        domain: u16,
        /// The middleware's words.
        reason: String,
    },
}

impl Network {
    /// Takes the network from the command line, else from the environment: `ROS_DOMAIN_ID` (default 0),
    /// `ROS_LOCALHOST_ONLY` (0 or 1) or `ROS_AUTOMATIC_DISCOVERY_RANGE` (`SUBNET` or `LOCALHOST`), and
    /// `RMW_IMPLEMENTATION` for [`Services`].
    ///
    /// # Errors
    /// [`NetworkError::Settings`] with everything that is wrong.
    pub fn new(domain: Option<u16>, localhost: bool) -> Result<Self, NetworkError> {
        Self::resolve(domain, localhost, |name| std::env::var(name).ok())
    }

    fn resolve(
        domain: Option<u16>,
        localhost: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, NetworkError> {
        let variable = |name: &str| {
            variable(name)
                .map(|v| v.trim().to_owned())
                .filter(|v| !v.is_empty())
        };
        let mut errors = Vec::new();
        let given = domain
            .map(|d| ("--domain or node.domain_id", d.to_string()))
            .or_else(|| variable("ROS_DOMAIN_ID").map(|v| ("ROS_DOMAIN_ID", v)));
        let domain = given.map_or(Some(0), |(origin, text)| {
            let domain = text.parse::<u16>().ok().filter(|d| *d <= MAX_DOMAIN);
            if domain.is_none() {
                errors.push(format!(
                    "{origin}: expected a whole number from 0 to {MAX_DOMAIN}, found {text:?}"
                ));
            }
            domain
        });
        let only = variable("ROS_LOCALHOST_ONLY");
        if let Some(text) = only.as_deref().filter(|text| !["0", "1"].contains(text)) {
            errors.push(format!(
                "ROS_LOCALHOST_ONLY: expected 0 or 1, found {text:?}"
            ));
        }
        let range = variable("ROS_AUTOMATIC_DISCOVERY_RANGE").map(|v| v.to_ascii_uppercase());
        match range.as_deref() {
            None | Some("SUBNET" | "LOCALHOST" | "SYSTEM_DEFAULT" | "NOT_SET") => {}
            Some("OFF") => errors.push(
                "ROS_AUTOMATIC_DISCOVERY_RANGE: OFF is not supported; expected SUBNET or LOCALHOST"
                    .to_owned(),
            ),
            Some(text) => errors.push(format!(
                "ROS_AUTOMATIC_DISCOVERY_RANGE: expected SUBNET or LOCALHOST, found {text:?}"
            )),
        }
        // As in ROS, "Enforce" means: rather not at all than in the open.
        let is =
            |name: &str, value: &str| variable(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
        if is("ROS_SECURITY_ENABLE", "true") && is("ROS_SECURITY_STRATEGY", "Enforce") {
            errors.push(
                "ROS_SECURITY_STRATEGY: Enforce cannot be obeyed: this program has no DDS security and would talk in the \
                 open; expected Permissive or ROS_SECURITY_ENABLE=false, and then a network that only trusted hosts reach"
                    .to_owned(),
            );
        }
        for name in NOT_OBEYED {
            if let Some(found) = variable(name) {
                errors.push(format!(
                    "{name}: expected no value, found {found:?}: this program finds its peers by multicast alone and cannot obey \
                     it; start it with `env -u {name}`, in a network where multicast reaches the robot, or with --localhost"
                ));
            }
        }
        if let Err(reason) = Services::of(variable("RMW_IMPLEMENTATION").as_deref()) {
            errors.push(reason);
        }
        // As in ROS: the older variable wins where it is set.
        let localhost = localhost
            || match only.as_deref() {
                Some(text) => text == "1",
                None => range.as_deref() == Some("LOCALHOST"),
            };
        match domain {
            Some(domain) if errors.is_empty() => Ok(Self { domain, localhost }),
            _ => Err(NetworkError::Settings(errors)),
        }
    }

    /// Starts the middleware. Participants of one host find each other by unicast on 127.0.0.1 (up to 12 of them),
    /// so that no multicast route is needed.
    ///
    /// Signals must be blocked before ([`super::Stop::install`]).
    ///
    /// # Errors
    /// [`NetworkError::Start`].
    pub fn open(self) -> Result<Context, NetworkError> {
        let failed = |reason: String| NetworkError::Start {
            domain: self.domain,
            reason,
        };
        let mut builder = DomainParticipantBuilder::new(self.domain);
        if self.localhost {
            builder = builder.with_only_networks([IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        }
        let participant = builder.build().map_err(|e| failed(e.to_string()))?;
        Context::from_domain_participant(participant).map_err(|e| failed(e.to_string()))
    }
}

/// The mapping of services to DDS. Topics cross between implementations; services do not, and nothing on the
/// wire tells which mapping a peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Services {
    /// The mapping of rmw_fastrtps, the default of ROS 2.
    FastRtps,
    /// The mapping of rmw_cyclonedds.
    Cyclone,
}

impl Services {
    /// The mapping that `RMW_IMPLEMENTATION` names; without it that of rmw_fastrtps.
    pub fn from_environment() -> Self {
        let name = std::env::var("RMW_IMPLEMENTATION").ok();
        Self::of(name.as_deref()).unwrap_or(Self::FastRtps)
    }

    fn of(name: Option<&str>) -> Result<Self, String> {
        match name.map(str::trim) {
            None | Some("" | "rmw_fastrtps_cpp" | "rmw_fastrtps_dynamic_cpp") => Ok(Self::FastRtps),
            Some("rmw_cyclonedds_cpp") => Ok(Self::Cyclone),
            Some(other) => Err(format!(
                "RMW_IMPLEMENTATION: expected rmw_fastrtps_cpp or rmw_cyclonedds_cpp, whose services this program can \
                 speak, found {other:?}"
            )),
        }
    }

    /// Name of the implementation that has this mapping.
    pub fn name(self) -> &'static str {
        match self {
            Self::FastRtps => "rmw_fastrtps",
            Self::Cyclone => "rmw_cyclonedds",
        }
    }

    /// The middleware's name for the mapping.
    pub(super) fn mapping(self) -> ServiceMapping {
        match self {
            Self::FastRtps => ServiceMapping::Enhanced,
            Self::Cyclone => ServiceMapping::Cyclone,
        }
    }
}

/// Whether the middleware's own threads are alive. They end without a word when a system call of theirs is
/// interrupted (SIGSTOP and SIGCONT, a debugger); publishing then still reports success.
///
/// Reads the names of this process's threads from `/proc`; where there is none, reports `true`.
pub fn middleware_alive() -> bool {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return true;
    };
    // Names are cut to 15 bytes by the kernel: "RustDDS discovery thread", "RustDDS Participant 0 event loop".
    let (mut discovery, mut events) = (false, false);
    for task in tasks.flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        discovery |= name.starts_with("RustDDS discove");
        events |= name.starts_with("RustDDS Partici");
    }
    discovery && events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(domain: Option<u16>, variables: &[(&str, &str)]) -> Result<Network, NetworkError> {
        Network::resolve(domain, false, |name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        assert_eq!(
            resolve(None, &[]).unwrap(),
            Network {
                domain: 0,
                localhost: false
            }
        );
        assert_eq!(resolve(None, &[("ROS_DOMAIN_ID", "7")]).unwrap().domain, 7);
        assert_eq!(
            resolve(Some(9), &[("ROS_DOMAIN_ID", "7")]).unwrap().domain,
            9
        );
    }

    #[test]
    fn both_variables_restrict_to_loopback() {
        assert!(
            resolve(None, &[("ROS_LOCALHOST_ONLY", "1")])
                .unwrap()
                .localhost
        );
        assert!(
            !resolve(None, &[("ROS_LOCALHOST_ONLY", "0")])
                .unwrap()
                .localhost
        );
        assert!(
            resolve(None, &[("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")])
                .unwrap()
                .localhost
        );
        assert!(
            !resolve(None, &[("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")])
                .unwrap()
                .localhost
        );
    }

    #[test]
    fn everything_that_is_wrong_comes_at_once_with_what_to_do() {
        for bad in ["233", "-1", "seven"] {
            let message = resolve(None, &[("ROS_DOMAIN_ID", bad)])
                .unwrap_err()
                .to_string();
            assert!(
                message.contains("0 to 232") && message.contains(bad),
                "{message}"
            );
        }
        let wrong = [
            ("ROS_DOMAIN_ID", "x"),
            ("ROS_LOCALHOST_ONLY", "yes"),
            ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF"),
            ("RMW_IMPLEMENTATION", "rmw_zenoh_cpp"),
            ("ROS_SECURITY_STRATEGY", "Enforce"),
            ("ROS_SECURITY_ENABLE", "true"),
        ];
        let message = resolve(None, &wrong).unwrap_err().to_string();
        assert_eq!(message.lines().count(), 5, "{message}");
        for (name, _) in wrong {
            assert!(message.contains(name), "{message}");
        }
        let others = NOT_OBEYED.map(|name| (name, "10.0.0.7"));
        let message = resolve(None, &others).unwrap_err().to_string();
        for (name, _) in others {
            assert!(
                message.contains(&format!("{name}: expected no value")),
                "{message}"
            );
        }
        assert!(
            resolve(None, &[("CYCLONEDDS_URI", " ")]).is_ok(),
            "an empty one says nothing"
        );
    }

    #[test]
    fn the_older_variable_wins_over_the_discovery_range() {
        let both = [
            ("ROS_LOCALHOST_ONLY", "0"),
            ("ROS_AUTOMATIC_DISCOVERY_RANGE", "localhost"),
        ];
        assert!(!resolve(None, &both).unwrap().localhost);
        assert!(resolve(None, &both[1..]).unwrap().localhost);
    }

    #[test]
    fn services_are_mapped_as_the_named_implementation_does() {
        assert_eq!(Services::of(None), Ok(Services::FastRtps));
        assert_eq!(
            Services::of(Some("rmw_cyclonedds_cpp")),
            Ok(Services::Cyclone)
        );
        assert!(Services::of(Some("rmw_connextdds")).is_err());
    }
}
