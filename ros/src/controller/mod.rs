//! The controller as a managed node.
//!
//! ```text
//!  camera, joint_states ─▶ reactor thread: checks (intake) ─▶ ports ─▶ planner thread ─▶ plan ─▶ executor thread
//!  commands or joint_trajectory ◀─ publisher thread ◀─ Outbox ◀─ Sink ◀──────────────────────────────┘
//!  ~/change_state, ~/reset, ~/estop, episode ─▶ this thread (manager) ─▶ Configured ─▶ Runtime
//!                                                     └─ configure ─▶ loader thread ─▶ Configured
//! ```
//!
//! Nothing is decided here.

mod camera;
mod configured;
mod diagnostics;
mod goal_image;
mod imagined;
mod intake;
pub mod journal;
mod keep_out;
mod kept_stop;
mod load;
mod manager;
mod options;
mod panics;
pub mod parameters;
mod report;
mod requests;
pub mod ros_clock;
mod run;
mod sink;
mod status;
mod topics;
pub mod trace;
mod transitions;

pub use options::{ControllerFault, ControllerOptions};
pub use run::run;
pub use status::RunSummary;
