//! Plans of Gaussian states: Gaussian LatCo (Rybkin et al. 2021, section 3.4, Algorithms 2 and 3,
//! appendix C).
//!
//! The reward of a plan is its expectation over the states' distribution, so that a good outcome that
//! only might come is worth no more than it should be; LatCo plans for the mean state, which is what the
//! optimist or the pessimist in the model makes of it. Actions are not distributed: the plan's are executed.
//!
//! [`model`] makes Gaussian plans out of the solver's (means), and [`rollout`] values candidates: what is
//! executed is the best by expected return of its clipped actions.

mod model;
mod moments;
mod rollout;
mod states;

pub use states::Gaussians;
