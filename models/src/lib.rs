//! Model bundles: manifest, verification and ONNX Runtime sessions with bound buffers.
//!
//! ```no_run
//! use latco_models::{Bundle, LoadOptions};
//!
//! let bundle = Bundle::load("models/bundles/reach", &LoadOptions::default())?;
//! let mut dynamics = bundle.dynamics(20)?;
//! dynamics.state_mut().fill(0.0);
//! dynamics.action_mut().fill(0.0);
//! dynamics.run()?;
//! println!("{:?}", &dynamics.mean()[..bundle.manifest().dims.state()]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A bundle is a folder with `manifest.toml`, its seal, five ONNX graphs and `golden.postcard`. [`Bundle::load`] refuses it,
//! with all mismatches in one message, unless every check passes (see [`verify`](mod@crate::verify)).
//!
//! From the outside in: [`report`] and [`bench()`] are what `latco model` prints, [`Providers`] says where the graphs are
//! computed, [`Bundle`] loads and checks, [`seal()`] and [`sign`] say that a manifest is meant to be as it is, [`convert()`] reads bundles of
//! an earlier format, [`Observe`],
//! [`Dynamics`], [`Reward`], [`Rollout`] and [`Decode`] run the graphs, [`DynamicsWeights`] and [`FactorRow`] are what
//! the solver needs for the Jacobian, [`onnx`] reads and writes the files, [`runtime`] finds the library.

mod action;
mod bench;
mod bundle;
mod contents;
mod convert;
mod engine_cache;
mod error;
pub mod factors;
mod features;
mod file;
pub mod gates;
pub mod golden;
mod graph;
mod graphs;
mod load_options;
pub mod manifest;
mod manifest_file;
mod named;
pub mod onnx;
mod operators;
mod options;
mod provider;
pub mod report;
mod run_limit;
pub mod runtime;
mod seal;
mod session;
mod sessions;
mod shipped;
mod signature;
mod sum;
pub mod surprise;
mod unavailable;
pub mod verify;

pub use action::{Action, ActionKind, check_kinds};
pub use bench::{Bench, BenchError, BenchOptions, Latency, bench};
pub use bundle::Bundle;
pub use convert::convert;
pub use error::{BundleError, RunError, RuntimeError};
pub use factors::{DynamicsWeights, FactorRow};
pub use features::Features;
pub use file::{RegularFile, read_file, replace_file};
pub use golden::{Golden, GoldenCase, GoldenData, GoldenTensor};
pub use graph::{Element, Graph, Port};
pub use graphs::{Decode, Dynamics, Observe, Reward, Rollout};
pub use load_options::LoadOptions;
pub use manifest::{DynamicsKind, Manifest, RewardHead, RewardKind, RewardRange};
pub use manifest_file::{SEAL_FILE, SIGNATURE_FILE, read_manifest};
pub use provider::{Declined, Provider, Providers};
pub use run_limit::RunLimit;
pub use seal::{seal, write_manifest};
pub use shipped::shipped;
pub use signature::{PublicKey, SecretKey, TrustedKeys, sign};
pub use sum::sha256;
pub use surprise::ExpectedSurprise;
