//! The facts that a report is made from.

use latco_controller::Config;

use super::recent::Recent;
use crate::controller::intake::Counters;
use crate::controller::status::Now;
use crate::middleware::Network;
use crate::middleware::peers::Peers;

/// The facts that a report is made from, beside the counters.
pub(crate) struct Facts<'a> {
    pub(crate) now: &'a Now<'a>,
    pub(crate) config: &'a Config,
    pub(crate) counters: &'a Counters,
    pub(crate) network: Network,
    pub(crate) middleware_alive: bool,
    /// Publishers of images and of joint states, subscriptions of commands, other publishers of commands and other nodes of
    /// our name; `None` while the node does not listen.
    pub(crate) peers: Option<&'a [Peers; 5]>,
    /// Name of the node's clock, and whether it has not come; `None` while the node does not listen.
    pub(crate) clock: Option<(&'static str, bool)>,
    pub(crate) recent: Option<&'a Recent>,
    /// Names of parameters that wait for the next configure.
    pub(crate) pending: &'a [&'static str],
}

/// Counts since the previous report.
pub(super) struct Fresh {
    pub(super) plan_rate: f64,
    pub(super) misses: u64,
    pub(super) failed: u64,
    pub(super) lost: u64,
}
