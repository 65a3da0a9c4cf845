//! A recurrent state-space model with all its graphs in plain arrays, written for reading and not for speed.
//!
//! ```no_run
//! use latco_reference::{Activation, Dense, Mlp};
//! use ndarray::{Array1, Array2};
//!
//! let layer = |inputs, outputs| Dense { kernel: Array2::ones((inputs, outputs)), bias: Array1::zeros(outputs) };
//! let head: Mlp = Mlp { layers: vec![layer(3, 2), layer(2, 1)], activation: Activation::Elu };
//! assert_eq!(head.apply(Array2::ones((5, 3)).view())[[0, 0]], 6.0);
//! ```
//!
//! The exporter completes golden vectors with it, the graphs in ONNX Runtime and the solver's Jacobians are tested
//! against it, and the program `golden` solves with it. No program on a robot contains it.
//!
//! From the inside out: [`layers`] are what a model is made of, [`weights`] names all of them, [`step`] is the prior
//! step with its gate factors and Jacobians, [`reward`] the reward head with its gradient, [`image`] the encoder and the
//! decoder, [`graphs`] the five graphs of a bundle, and [`SolverModel`] a model as the solver takes it.

mod check;
pub mod graphs;
pub mod image;
pub mod layers;
pub mod reward;
mod solver_model;
pub mod step;
pub mod weights;

pub use check::WeightsError;
pub use layers::{Activation, Conv, Dense, Gru, Mlp, TransposedConv};
pub use solver_model::SolverModel;
pub use weights::{Decoder, Encoder, Normalisation, Penalty, PixelScaling, PriorStep, RssmWeights};
