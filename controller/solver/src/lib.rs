//! Levenberg-Marquardt solvers for latent collocation: no_std, no allocator, memory handed in.
//!
//! Latent collocation (LatCo, Rybkin et al. 2021) plans states `z_1..z_H` and actions
//! `a_0..a_{H-1}` of a learned model together, by least squares on
//!
//! ```text
//! dynamics  sqrt(lambda_t) (z_{t+1} - mu(z_t, a_t))     t = 0..H-1, n rows each
//! actions   sqrt(nu_t)     max(0, |a_t| - limit)        t = 0..H-1, na rows each
//! reward    softplus(-r(z_t))                           t = 1..H,   1 row each
//! ```
//!
//! with multipliers `lambda`, `nu` that grow while their constraint is violated. [`Solver::step`]
//! is one such iteration: linear solve, new plan, one model evaluation there, new multipliers.
//! There is no clock, thread or I/O here: how many iterations fit is the caller's decision.
//!
//! The way down:
//! - [`Solver`] owns the iteration and the arena; every function names its memory beforehand
//!   ([`Solver::len`], [`Solver::bytes`]).
//! - [`Reduced`] (default) and [`BlockTridiagonal`] (the published one, reference) solve the linear
//!   system of a step.
//! - [`Model`] is what they ask of a learned model; [`GruJacobian`] gives the products for an RSSM
//!   from its gate factors, [`DenseJacobian`] for any model that has dense Jacobians, and [`Rssm`]
//!   is a whole RSSM in plain Rust.
//! - `kernels` holds the small matrix products.
//!
//! # Example
//! ```
//! use latco_solver::{Dims, Model, Multipliers, Plan, Reduced, Settings, Solver};
//!
//! /// A point on a line, moved by its action, rewarded for standing at 1.
//! struct Line;
//!
//! impl Model<f64> for Line {
//!     type Error = core::convert::Infallible;
//!     fn dims(&self) -> Dims {
//!         Dims { stoch: 1, deter: 0, action: 1, horizon: 4 }
//!     }
//!     fn linearise(&mut self, z: &[f64], a: &[f64], means: &mut [f64]) -> Result<(), Self::Error> {
//!         (0..4).for_each(|t| means[t] = z[t] + 0.5 * a[t]);
//!         Ok(())
//!     }
//!     fn reward(&mut self, z: &[f64], r: &mut [f64], g: &mut [f64]) -> Result<(), Self::Error> {
//!         for t in 0..4 {
//!             r[t] = 1.0 - (z[t] - 1.0).powi(2);
//!             g[t] = -2.0 * (z[t] - 1.0);
//!         }
//!         Ok(())
//!     }
//!     fn transpose_product(&mut self, _t: usize, q: &[f64], z: &mut [f64], a: &mut [f64]) {
//!         z.iter_mut().zip(q).for_each(|(z, &q)| *z = q); // no `z` at the first step
//!         (0..q.len()).for_each(|i| a[i] = 0.5 * q[i]);
//!     }
//!     fn product(&mut self, _t: usize, dz: &[f64], da: &[f64], out: &mut [f64]) {
//!         out[0] = dz[0] + 0.5 * da[0];
//!     }
//!     fn jacobian(&mut self, _t: usize, state: &mut [f64], action: &mut [f64]) {
//!         (state[0], action[0]) = (1.0, 0.5);
//!     }
//! }
//!
//! let dims = Line.dims();
//! let settings = Settings::default();
//! let arena = vec![0.0; Solver::<f64, Reduced, Vec<f64>>::len(&dims)];
//! let mut solver = Solver::<f64, Reduced, _>::new_in(dims, settings, arena)?;
//!
//! let (mut states, mut actions) = ([0.0; 5], [0.0; 4]);
//! let (mut lambda, mut nu) = ([1.0; 4], [1.0; 4]);
//! let mut plan = Plan { anchor: &[0.0], states: &mut states, actions: &mut actions };
//! let mut multipliers = Multipliers { dynamics: &mut lambda, actions: &mut nu };
//! let mut report = solver.evaluate(&mut Line, &mut plan, &multipliers)?;
//! for _ in 0..60 {
//!     report = solver.step(&mut Line, &mut plan, &mut multipliers)?;
//! }
//! assert!(report.dynamics_violation_max < 1e-3 && report.reward_sum > 2.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(test), no_std)]

mod block_tridiagonal;
mod dense;
mod dims;
mod gru;
mod kernels;
mod model;
mod multipliers;
mod plan;
mod reduced;
mod report;
mod rssm;
mod scalar;
mod settings;
mod solver;
mod workspace;

pub use block_tridiagonal::BlockTridiagonal;
pub use dense::DenseJacobian;
pub use dims::Dims;
pub use gru::{GruJacobian, GruSizes, GruWeights};
pub use model::Model;
pub use plan::{Multipliers, Plan};
pub use reduced::Reduced;
pub use report::{LayoutError, Quantity, SetupError, StepError, StepReport};
pub use rssm::{DenseLayer, Rssm, RssmWeights};
pub use scalar::Scalar;
pub use settings::{InvalidSetting, Settings};
pub use solver::{LinearSolver, Solver};
