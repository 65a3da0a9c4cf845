//! The simulated robot as a node.

mod camera;
pub mod follower;
pub mod robot;
