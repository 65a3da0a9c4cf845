//! Which domain and which interfaces a process talks on.

use std::net::{IpAddr, Ipv4Addr};

use ros2_client::Context;
use rustdds::DomainParticipantBuilder;
use thiserror::Error;

/// The largest domain whose ports exist: 7400 + 250 * 232 + 250 > 65535 - 250.
pub const MAX_DOMAIN: u16 = 232;

/// Domain and reach of a DDS context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// DDS domain, 0..=232.
    pub domain: u16,
    /// Talk on 127.0.0.1 only. Foreign peers must then be restricted to the loopback interface too.
    pub localhost: bool,
}

/// Why there is no DDS context.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// A domain that is not a number in range.
    #[error(
        "ROS domain: expected a whole number from 0 to {MAX_DOMAIN}, found {found:?}; set ROS_DOMAIN_ID or --domain"
    )]
    Domain {
        /// What was given.
        found: String,
    },
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
    /// From the command line, else from the environment: `ROS_DOMAIN_ID` (default 0), and
    /// `ROS_LOCALHOST_ONLY=1` or `ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST`.
    ///
    /// # Errors
    /// [`NetworkError::Domain`] when the domain is out of range or not a number.
    pub fn new(domain: Option<u16>, localhost: bool) -> Result<Self, NetworkError> {
        Self::resolve(domain, localhost, |name| std::env::var(name).ok())
    }

    fn resolve(
        domain: Option<u16>,
        localhost: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, NetworkError> {
        let given = domain
            .map(|d| d.to_string())
            .or_else(|| variable("ROS_DOMAIN_ID"))
            .filter(|v| !v.is_empty());
        let domain = match given {
            None => 0,
            Some(text) => match text.trim().parse::<u16>() {
                Ok(d) if d <= MAX_DOMAIN => d,
                _ => return Err(NetworkError::Domain { found: text }),
            },
        };
        let localhost = localhost
            || variable("ROS_LOCALHOST_ONLY").as_deref() == Some("1")
            || variable("ROS_AUTOMATIC_DISCOVERY_RANGE")
                .is_some_and(|v| v.eq_ignore_ascii_case("LOCALHOST"));
        Ok(Self { domain, localhost })
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
    fn a_domain_out_of_range_is_refused_with_what_to_do() {
        for bad in ["233", "-1", "seven"] {
            let message = resolve(None, &[("ROS_DOMAIN_ID", bad)])
                .unwrap_err()
                .to_string();
            assert!(
                message.contains("0 to 232") && message.contains(bad),
                "{message}"
            );
        }
    }
}
