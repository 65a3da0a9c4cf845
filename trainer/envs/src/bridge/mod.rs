//! Robots that others made: an environment of Gymnasium in a Python process of its own, in lock-step and simulated time.
//!
//! [`file`] reads what a TOML says about the environment and its joints, [`worker`] keeps the process and speaks with it,
//! [`robot`] is the [`Robot`](crate::Robot) made of both. The other end is `trainer/envs/gymnasium/serve.py`.

pub mod file;
pub mod robot;
mod worker;

pub use robot::Bridged;
