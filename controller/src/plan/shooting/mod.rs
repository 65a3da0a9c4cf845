//! Planners that optimise the actions alone and get the states by rolling them through the model.
//!
//! A [`Method`] makes one iteration; [`unrolled`] rolls actions out for it and linearises the model there.

mod descent;
mod gauss_newton;
mod ilqr;
mod method;
mod unrolled;

pub use descent::Descent;
pub use gauss_newton::GaussNewton;
pub use ilqr::Ilqr;
pub use method::{ActionSearch, Method};
