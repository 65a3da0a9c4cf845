//! The state that the threads of a runtime share, and the sink of their commands.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64};

use crate::execute::{Chunk, SetPoint};
use crate::safety::StopLatch;

/// The sink in which the executor thread puts commands for the robot.
///
/// # Real-time
/// Its methods are called on the executor thread and must neither block nor take long: they hand the value to
/// another thread, which publishes it.
pub trait CommandSink: Send {
    /// Takes a set-point, at the command rate and when a new plan is there.
    fn set_point(&mut self, point: &SetPoint);
    /// Takes a chunk, for every new plan and every stop, with `output = "joint_trajectory"`.
    fn chunk(&mut self, chunk: &Chunk);
}

/// The state that both threads and the handle share.
pub(super) struct Shared {
    pub(super) stopping: AtomicBool,
    /// Whether images are planned on and plans are followed.
    pub(super) active: AtomicBool,
    /// Whether the executor holds and the last set-point was zero; written by the executor.
    pub(super) at_rest: AtomicBool,
    pub(super) estop: StopLatch,
    /// Stamp in ns of the newest image that the belief took; `i64::MIN` before the first.
    pub(super) image_ns: AtomicI64,
    /// What the newest images ask for, see [`crate::safety::Surprise`]; written by the planner.
    pub(super) surprise: AtomicU8,
    /// Number of the clock's time line: how often it jumped.
    pub(super) timeline: AtomicU64,
    /// How far it jumped the last time, ms.
    pub(super) jumped_ms: AtomicI64,
    /// Number of joint samples that the executor refused.
    pub(super) refused_joints: AtomicU64,
    /// Number of episodes that were begun.
    pub(super) episodes: AtomicU64,
    pub(super) late_ticks: AtomicU64,
    pub(super) keep_alive_runs: AtomicU64,
    pub(super) warm_ups: AtomicU64,
}
