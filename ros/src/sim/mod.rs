//! The simulated robot as a node.

pub(crate) mod camera;
pub mod follower;
pub mod robot;
