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
//! A trainer fills [`RssmWeights`] and [`Metadata`], computes golden vectors with its own model (see
//! [`latco_models::Golden`]) and calls [`write_bundle`]. This crate knows nothing of the learning library.
//! [`reference`] is every graph again in plain arrays.

mod builder;
mod dynamics;
mod error;
pub mod golden;
mod graphs;
mod metadata;
mod random;
pub mod reference;
pub mod weights;
mod write;

pub use error::ExportError;
pub use metadata::Metadata;
pub use random::{Family, RandomSpec, random_weights, write_random_bundle};
pub use weights::{
    Activation, Conv, Decoder, Dense, Encoder, Gru, Mlp, Normalisation, Penalty, PixelScaling,
    RssmWeights, TransposedConv,
};
pub use write::{graph, write_bundle, write_bundle_of_kind};
