//! What a report is made from.

use latco_controller::Config;

use super::recent::Recent;
use crate::controller::intake::Counters;
use crate::controller::status::Now;
use crate::middleware::Network;
use crate::middleware::peers::Peers;

/// What a report is made from, beside the counters.
pub(crate) struct Facts<'a> {
    pub(crate) now: &'a Now<'a>,
    pub(crate) config: &'a Config,
    pub(crate) counters: &'a Counters,
    pub(crate) network: Network,
    pub(crate) middleware_alive: bool,
    /// Publishers of images and joint states, subscriptions of commands; none while we do not listen.
    pub(crate) peers: Option<&'a [Peers; 3]>,
    pub(crate) recent: Option<&'a Recent>,
    /// Parameters that wait for the next configure.
    pub(crate) pending: &'a [&'static str],
}

/// What happened since the report before.
pub(super) struct Fresh {
    pub(super) plan_rate: f64,
    pub(super) misses: u64,
    pub(super) failed: u64,
    pub(super) lost: u64,
}
