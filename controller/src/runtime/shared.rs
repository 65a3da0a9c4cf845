//! What the threads of a runtime share, and where their commands go.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use crate::execute::{Chunk, SetPoint};

/// Where the executor thread puts what the robot shall do.
///
/// # Real-time
/// Called on the executor thread: must neither block nor take long. Hand the value to another
/// thread that publishes it.
pub trait CommandSink: Send {
    /// A set-point, at the command rate and when a new plan is there.
    fn set_point(&mut self, point: &SetPoint);
    /// A chunk, for every new plan and every stop, with `output = "joint_trajectory"`.
    fn chunk(&mut self, chunk: &Chunk);
}

/// What both threads and the handle share.
pub(super) struct Shared {
    pub(super) stopping: AtomicBool,
    /// Whether images are planned on and plans are followed.
    pub(super) active: AtomicBool,
    /// Written by the executor: it holds, and the last set-point was zero.
    pub(super) at_rest: AtomicBool,
    pub(super) estop: AtomicBool,
    /// Stamp of the newest image that the belief took, ns; `i64::MIN` before the first.
    pub(super) image_ns: AtomicI64,
    /// Counts new episodes.
    pub(super) episodes: AtomicU64,
    pub(super) late_ticks: AtomicU64,
    pub(super) keep_alive_runs: AtomicU64,
    pub(super) warm_ups: AtomicU64,
}
