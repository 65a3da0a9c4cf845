//! Finds circles of source files: files of one crate that import each other, directly or round about.
//!
//! ```no_run
//! let imports = latco_circles::imports("src/lib.rs".as_ref())?;
//! for circle in latco_circles::circles(&imports) {
//!     println!("{circle:?}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file imports another where it names an item (function, type, trait, constant, macro) that is defined there, in a `use`
//! declaration or in a path. A name is followed through re-exports to the file of its definition. What does not count:
//! `mod` declarations, re-exports as such (`pub use`, also with a narrower visibility), anything under `#[cfg(test)]`, and
//! methods, which are found by type and not by path.

mod circles;
mod imports;
mod modules;
mod names;

pub use circles::circles;
pub use imports::{Imports, imports};
