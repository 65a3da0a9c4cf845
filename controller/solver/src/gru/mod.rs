//! The Jacobian of an RSSM prior step in factors.
//!
//! `mu(z, a) = [m, h']` of a GRU with dense layers before and after it is a chain of constant
//! matrices with diagonal scalings between them. The model only has to give the scalings (one row
//! of factors a step); the matrices are packed once.
//!
//! Every stage of a product is cut into parts: part `p` owns a range of the GRU's state and a range
//! of the hidden units, packs the weights that lead to them, and computes those columns for all rows.

mod adjoint;
mod dense;
mod factors;
mod jacobian;
mod tangent;
mod work;

pub use factors::{GruFactors, GruSizes, GruWeights};
pub use jacobian::GruJacobian;
