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
//! A bundle is a folder with `manifest.toml`, five ONNX graphs and `golden.postcard`. [`Bundle::load`] refuses it,
//! with all mismatches in one message, unless every check passes (see [`verify`](mod@crate::verify)).
//!
//! From the outside in: [`report`] and [`bench()`] are what `latco model` prints, [`Providers`] says where the graphs are
//! computed, [`Bundle`] loads and checks, [`convert()`] reads bundles of an earlier format, [`Observe`],
//! [`Dynamics`], [`Reward`], [`Rollout`] and [`Decode`] run the graphs, [`DynamicsWeights`] and [`FactorRow`] are what
//! the solver needs for the Jacobian, [`onnx`] reads and writes the files, [`runtime`] finds the library.

mod bench;
mod bundle;
mod contents;
mod convert;
mod engine_cache;
mod error;
pub mod factors;
mod features;
pub mod gates;
pub mod golden;
mod graph;
mod graphs;
pub mod manifest;
pub mod onnx;
mod options;
mod provider;
pub mod report;
pub mod runtime;
mod session;
mod sessions;
mod sum;
pub mod surprise;
mod unavailable;
pub mod verify;

pub use bench::{Bench, BenchError, BenchOptions, Latency, bench};
pub use bundle::{Bundle, LoadOptions, read_manifest};
pub use convert::convert;
pub use error::{BundleError, RunError, RuntimeError};
pub use factors::{DynamicsWeights, FactorRow};
pub use features::Features;
pub use golden::{Golden, GoldenCase, GoldenData, GoldenTensor};
pub use graph::{Element, Graph, Port};
pub use graphs::{Decode, Dynamics, Observe, Reward, Rollout};
pub use manifest::{DynamicsKind, Manifest, RewardHead, RewardKind, RewardRange};
pub use provider::{Declined, Provider, Providers};
pub use sum::sha256;
pub use surprise::ExpectedSurprise;
