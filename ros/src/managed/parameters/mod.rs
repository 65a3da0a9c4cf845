//! Parameters of a node: their values and types.

mod value;

pub use value::{Kind, Value};
