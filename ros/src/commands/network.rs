//! The domain and the interfaces of a node, on the command line.

use clap::Args;

use super::failure::Failure;
use crate::middleware::Network;

/// The domain and the interfaces on which a node talks.
#[derive(Clone, Debug, Default, Args)]
pub struct NetworkArgs {
    /// ROS domain, 0 to 232 [default: ROS_DOMAIN_ID, else 0]
    #[arg(long, value_name = "ID")]
    pub domain: Option<u16>,
    /// Talk on 127.0.0.1 only (also: ROS_LOCALHOST_ONLY=1 or ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST)
    #[arg(long)]
    pub localhost: bool,
}

impl NetworkArgs {
    /// The network that the command line asks for, else the environment.
    ///
    /// # Errors
    /// [`Failure::usage`] for a domain out of range.
    pub fn network(&self) -> Result<Network, Failure> {
        Network::new(self.domain, self.localhost).map_err(Failure::usage)
    }
}
