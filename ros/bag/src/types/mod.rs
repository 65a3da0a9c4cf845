//! Message types as texts: their definitions, found or built in, and their hashes.
//!
//! ```
//! use latco_bag::types::{TypeFinder, type_hash};
//! let text = TypeFinder::built_in().definition("std_msgs/msg/String")?;
//! assert_eq!(
//!     type_hash("std_msgs/msg/String", &text)?,
//!     "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod find;
mod hash;
mod header;
mod parse;

pub use find::{NoDefinition, TypeFinder};
pub use hash::type_hash;
pub use header::has_header;
pub use parse::DefinitionError;
