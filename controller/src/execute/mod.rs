//! Execution: the newest plan by time, as joint set-points at the command rate or as trajectories.

mod chunk;
mod executor;
mod set_point;

pub use crate::safety::{Action, Decision, StopReason};
pub use chunk::{Chunk, ChunkPoint, OUTLIVES};
pub use executor::{Executor, ExecutorCounts};
pub use set_point::{Mode, SetPoint};
