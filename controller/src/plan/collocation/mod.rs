//! Latent collocation (Rybkin et al. 2021, Algorithm 1) on the bundle's graphs.
//!
//! States and actions are planned together, by Levenberg-Marquardt steps with growing multipliers. What
//! a plan says of its states is a type parameter: [`Means`] alone, or [`Gaussians`]. What makes an
//! iteration of the plans is a [`Stepper`].

mod collocate;
mod gaussian;
mod mean;
mod settings;
mod states;
mod stepper;

pub use collocate::{Collocation, lm};
pub use gaussian::Gaussians;
pub use mean::Means;
pub use states::States;
pub use stepper::{Anchor, Lm, Stepper};
