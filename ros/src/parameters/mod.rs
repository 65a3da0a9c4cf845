//! Parameters of the controller node: which there are, and how they become a configuration.

mod configuration;
mod declared;
mod store;
mod value;

pub use configuration::{value_of, values_of, with_values};
pub use declared::{Change, DECLARED, Declared, Range, declared};
pub use store::{Changed, NotSet, Parameters, USE_SIM_TIME};
pub use value::{Kind, Value};
