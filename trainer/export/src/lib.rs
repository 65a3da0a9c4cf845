//! RSSM weights to ONNX graphs and bundles.
//!
//! ```no_run
//! use latco_export::{RandomSpec, golden, random_weights, write_bundle};
//!
//! let (weights, metadata) = random_weights(&RandomSpec::planet(), 1);
//! let vectors = golden::from_reference(&weights, &metadata, 4, 2)?;
//! write_bundle("bundle".as_ref(), &weights, &metadata, &vectors)?;
//! # Ok::<(), latco_export::ExportError>(())
//! ```
//!
//! A trainer fills [`RssmWeights`](latco_reference::RssmWeights) and [`Metadata`], computes golden vectors with its own model (see
//! [`latco_models::Golden`]) and calls [`write_bundle`]. This crate knows nothing of the learning library.

mod builder;
mod dynamics;
mod error;
pub mod golden;
mod graphs;
mod metadata;
mod noise;
mod random;
mod write;

pub use error::ExportError;
pub use metadata::Metadata;
pub use random::{Family, RandomSpec, random_weights, write_random_bundle};
pub use write::{graph, write_bundle, write_bundle_of_kind};
