//! Levenberg-Marquardt solvers for latent collocation: no_std, no allocator, memory handed in.
//!
//! Latent collocation (LatCo, Rybkin et al. 2021) plans states `z_1..z_H` and actions
//! `a_0..a_{H-1}` of a learned model together, by least squares on
//!
//! ```text
//! dynamics  sqrt(lambda_t) (z_{t+1} - mu(z_t, a_t))     t = 0..H-1, n rows each
//! actions   sqrt(nu_t)     max(0, |a_t| - limit)        t = 0..H-1, na rows each
//! reward    softplus(-r(z_t))                           t = 1..H,   1 row each
//! goal      sqrt(weight)   (z_H - goal)                 at the end, up to n rows, where there is one ([`Goal`])
//! ```
//!
//! with multipliers `lambda`, `nu` that grow while their constraint is violated. Bounds on where the actions lead
//! ([`Inequalities`]: joint positions, keep-out regions) are further rows, with multipliers of their own. [`Solver::step`]
//! is one such iteration: linear solve, new plan, one model evaluation there, new multipliers.
//! There is no clock, thread or I/O here: how many iterations fit is the caller's decision, and a
//! [`Crew`] of the caller's does the parts of each stage at the same time. Several plans can be
//! iterated at once; they share every reading of the weights.
//!
//! The way down:
//! - [`Solver`] owns the iteration and the arena; every function names its memory beforehand
//!   ([`Solver::len`], [`Solver::bytes`]).
//! - [`Reduced`] (default) and [`BlockTridiagonal`] (the published one, reference) solve the linear
//!   system of a step.
//! - [`Model`] is what they ask of a learned model; [`GruJacobian`] gives the products for an RSSM
//!   from its gate factors, [`DenseJacobian`] for any model that has dense Jacobians.
//! - `kernels` holds the small matrix products.
//!
//! # Example
//! ```
//! use latco_solver::{
//!     Alone, Crew, Dims, Model, Multipliers, Plan, Predictions, Reduced, Settings, Shape, Slab,
//!     Solver, Trajectories,
//! };
//!
//! /// A point on a line, moved by its action, rewarded for standing at 1.
//! struct Line;
//!
//! impl Model<f64> for Line {
//!     type Error = core::convert::Infallible;
//!     fn dims(&self) -> Dims {
//!         Dims { stoch: 1, deter: 0, action: 1, horizon: 4 }
//!     }
//!     fn evaluate<C: Crew>(
//!         &mut self,
//!         _: &mut C,
//!         plans: &Trajectories<'_, f64>,
//!         predictions: &mut Predictions<'_, f64>,
//!     ) -> Result<(), Self::Error> {
//!         for t in 0..4 {
//!             predictions.means[t] = plans.states[t] + 0.5 * plans.actions[t];
//!             let distance = plans.states[t + 1] - 1.0;
//!             predictions.rewards[t] = 1.0 - distance.powi(2);
//!             predictions.gradients[t] = -2.0 * distance;
//!         }
//!         Ok(())
//!     }
//!     fn transpose_product<C: Crew>(
//!         &mut self,
//!         _: &mut C,
//!         _t: usize,
//!         slabs: &mut [Slab<'_, f64>],
//!         actions: &mut [f64],
//!     ) {
//!         let slab = &mut slabs[0]; // one column: it is in the first
//!         for (r, action) in actions.iter_mut().enumerate() {
//!             let q = slab.rows[r * slab.stride];
//!             *action = 0.5 * q;
//!             if !slab.states.is_empty() {
//!                 slab.states[(r + 1) * slab.stride] = q;
//!             }
//!         }
//!     }
//!     fn product<C: Crew>(&mut self, _: &mut C, t: usize, dz: &[f64], da: &[f64], out: &mut [f64]) {
//!         out[0] = dz[t] + 0.5 * da[t];
//!     }
//!     fn jacobian(&mut self, _b: usize, _t: usize, state: &mut [f64], action: &mut [f64]) {
//!         (state[0], action[0]) = (1.0, 0.5);
//!     }
//! }
//!
//! let shape = Shape::of(Line.dims());
//! let arena = vec![0.0; Solver::<f64, Reduced, Vec<f64>>::len(&shape)];
//! let mut solver = Solver::<f64, Reduced, _>::new_in(shape, Settings::default(), arena)?;
//!
//! let (mut states, mut actions) = ([0.0; 5], [0.0; 4]);
//! let (mut lambda, mut nu) = ([1.0; 4], [1.0; 4]);
//! let mut plan = Plan { anchor: &[0.0], states: &mut states, actions: &mut actions, inequalities: None, goal: None };
//! let mut multipliers = Multipliers { dynamics: &mut lambda, actions: &mut nu };
//! let mut report = solver.evaluate(&mut Line, &mut Alone, &mut plan, &multipliers)?;
//! for _ in 0..60 {
//!     report = solver.step(&mut Line, &mut Alone, &mut plan, &mut multipliers)?;
//! }
//! assert!(report.dynamics_violation_max < 1e-3 && report.reward_sum > 2.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(test), no_std)]

mod block_tridiagonal;
mod crew;
mod dense;
mod dims;
mod gru;
mod inequalities;
mod kernels;
mod model;
mod multipliers;
mod plan;
mod problem;
mod reduced;
mod report;
mod scalar;
mod settings;
mod solver;
mod workspace;

pub use block_tridiagonal::BlockTridiagonal;
pub use crew::{Alone, Crew, Cut, MAX_PARTS};
pub use dense::DenseJacobian;
pub use dims::{Dims, MAX_PLANS, Shape};
pub use gru::{GruFactors, GruJacobian, GruSizes, GruWeights};
pub use inequalities::{Inequalities, InequalityRows};
pub use kernels::lanes::{Instructions, limit_instructions};
pub use model::{Model, Predictions, Slab, Trajectories};
pub use multipliers::updated as updated_multiplier;
pub use plan::{Goal, Multipliers, Plan};
pub use problem::LinearSolver;
pub use reduced::Reduced;
pub use report::{LayoutError, PlanFault, Quantity, SetupError, StepError, StepReport};
pub use scalar::Scalar;
pub use settings::{InvalidSetting, Settings};
pub use solver::Solver;

/// The vector instructions that kernels of `S` run on here: found at run time on x86-64.
#[must_use]
pub fn instructions<S: Scalar>() -> &'static str {
    S::instructions()
}
