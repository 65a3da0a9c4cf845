//! The ROS 2 shell of the controller: nodes, and the `latco` command.
//!
//! A camera frame comes in at [`node`], goes through `latco_controller`, and leaves as a joint command at [`node`]
//! again. Nothing is decided here: whatever a replay of a bag must be able to repeat is in `latco-controller`.

pub mod allocations;
pub mod arguments;
pub mod commands;
pub mod demo;
pub mod lifecycle;
pub mod node;
pub mod parameters;
mod pictures;
mod situation;
