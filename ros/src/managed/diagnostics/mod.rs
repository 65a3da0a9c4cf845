//! Parts of a `/diagnostics` message that any node may have.

mod arrivals;
mod input;
mod part;

pub(crate) use arrivals::Arrivals;
pub(crate) use input::Input;
pub(crate) use part::Part;
