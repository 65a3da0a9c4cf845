//! The state that the threads of a runtime share, and the sink of their commands.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
    /// Where the machine's time is counted from.
    pub(super) started: Instant,
    pub(super) stopping: AtomicBool,
    /// Whether images are planned on and plans are followed.
    pub(super) active: AtomicBool,
    /// Whether the executor holds and the last set-point was zero; written by the executor.
    pub(super) at_rest: AtomicBool,
    pub(super) estop: StopLatch,
    /// Stamps in ns of the newest image that came, and of the first one of the same content; `i64::MIN` before the first.
    pub(super) camera_ns: AtomicI64,
    pub(super) same_since_ns: AtomicI64,
    /// Machine's time in ns since when an image has waited for the planner thread; 0 while none does.
    pub(super) waiting_ns: AtomicU64,
    /// Machine's time in ns of the executor's last set-point; 0 while it sleeps.
    pub(super) executor_ns: AtomicU64,
    /// How often a person reset what is latched.
    pub(super) resets: AtomicU64,
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
    /// Numbers of plans that the executor refused, that it saturates, and that began with a jump.
    pub(super) plans: [AtomicU64; 3],
    /// Number of episodes that were begun.
    pub(super) episodes: AtomicU64,
    pub(super) late_ticks: AtomicU64,
    pub(super) keep_alive_runs: AtomicU64,
    pub(super) warm_ups: AtomicU64,
}

impl Shared {
    /// The machine's time in ns since the threads were started; never 0.
    pub(super) fn machine_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).map_or(u64::MAX, |ns| ns.max(1))
    }

    /// How often belief and measurements were to begin anew, by an episode or another time line. What was sent before the newest
    /// is of another scene.
    pub(super) fn beginnings(&self) -> u64 {
        self.episodes.load(Ordering::SeqCst) + self.timeline.load(Ordering::SeqCst)
    }

    /// Time since `mark` was set to the machine's time; none where it is 0.
    pub(super) fn since(&self, mark: &AtomicU64) -> Option<Duration> {
        let ns = mark.load(Ordering::SeqCst);
        (ns != 0).then(|| Duration::from_nanos(self.machine_ns().saturating_sub(ns)))
    }
}
