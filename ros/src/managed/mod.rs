//! The parts that any managed ROS 2 node needs: ROS arguments, life cycle, parameters, diagnostics.
//!
//! Nothing in this folder knows what the node is for.

pub mod arguments;
pub mod diagnostics;
pub mod lifecycle;
pub mod parameters;
