//! The faults that a controller survives, by their numbers, in simulated time: controller, executor and simulated arm, with the
//! commands that come out. What needs the node is in `ros/tests/rows`.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod inputs;
mod planning;
mod rig;
mod robot;
mod watched;
