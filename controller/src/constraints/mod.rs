//! What a plan has to keep away from: regions, and the ends of the joints.
//!
//! Joints that are moved by velocity stand where the actions have brought them from where they were measured to be. So where the
//! robot will be under a plan follows from its kinematics and does not depend on what the model has learned.

mod chain;
mod limits;
mod motion;
mod region;

pub use chain::Chain;
pub use limits::{Constraints, rows};
pub use motion::Motion;
pub use region::{Middles, Place, Region, Solid};
