//! Parameters of the controller node: which there are, and how they become a configuration.

mod configuration;
mod declared;
pub mod messages;
pub(super) mod services;
mod store;

pub use configuration::{unknown, value_of, with_values};
pub use declared::{DECLARED, Declared, USE_SIM_TIME, declared};
pub use store::{Changed, NotSet, Parameters};
