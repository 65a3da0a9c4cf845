//! A thread that makes set-points of the newest plan, as the executor of a node does, and how evenly it does so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use latco_controller::inputs::{JointInput, JointVec};
use latco_controller::plan::Plan;
use latco_controller::time::{MonotonicClock, span};
use latco_controller::{Clock, Config, Controller, Executor, latest, priority};

use super::histogram::Histogram;
use crate::commands::failure::Failure;

/// What the set-points came to.
pub(super) struct Commanded {
    /// Number of set-points.
    pub(super) count: u64,
    /// Number of set-points with a number that is not finite.
    pub(super) non_finite: u64,
    /// How far the times between two of them are from their period.
    pub(super) jitter: Histogram,
}

/// The running thread.
pub(super) struct Commands {
    plans: latest::Writer<Plan>,
    clock: MonotonicClock,
    ends: Arc<AtomicBool>,
    counts: Arc<AtomicBool>,
    thread: JoinHandle<Commanded>,
}

impl Commands {
    /// Starts it.
    ///
    /// # Errors
    /// An error when the system gives no thread.
    pub(super) fn start(
        rate_hz: f64,
        config: &Config,
        controller: &Controller,
    ) -> Result<Self, Failure> {
        let (plans, reader) = latest::channel(|| controller.empty_plan());
        let clock = MonotonicClock::system();
        let (ends, counts) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let mut config = config.clone();
        config.control.command_rate_hz = rate_hz;
        let work = Work {
            executor: Executor::new(&config, controller.robot(), reader),
            clock,
            period: span(1.0 / rate_hz),
            joints: controller.robot().joint_limits().joints(),
            ends: ends.clone(),
            counts: counts.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("latco-executor".into())
            .spawn(move || work.run())
            .map_err(Failure::failed)?;
        Ok(Self {
            plans,
            clock,
            ends,
            counts,
            thread,
        })
    }

    /// Hands a plan over, as if its image had been taken now.
    pub(super) fn follow(&mut self, plan: &Plan) {
        let now = self.clock.now();
        let handed = self.plans.value_mut();
        handed.copy_from(plan);
        let valid = plan.valid_until.saturating_since(plan.start);
        (handed.stamp, handed.start, handed.valid_until) = (now, now, now + valid);
        self.plans.publish();
    }

    /// Counts from now on.
    pub(super) fn count_from_now(&self) {
        self.counts.store(true, Ordering::SeqCst);
    }

    /// Ends the thread.
    pub(super) fn end(self) -> Commanded {
        self.ends.store(true, Ordering::SeqCst);
        match self.thread.join() {
            Ok(commanded) => commanded,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

struct Work {
    executor: Executor,
    clock: MonotonicClock,
    period: Duration,
    joints: usize,
    ends: Arc<AtomicBool>,
    counts: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self) -> Commanded {
        priority::raise();
        let mut commanded = Commanded {
            count: 0,
            non_finite: 0,
            jitter: Histogram::new(),
        };
        let zeros: JointVec = std::iter::repeat_n(0.0, self.joints).collect();
        let (mut next, mut before) = (Instant::now(), None);
        while !self.ends.load(Ordering::SeqCst) {
            next += self.period;
            wait_until(next);
            let (at, now) = (Instant::now(), self.clock.now());
            if at > next + self.period {
                // Too late to catch up.
                next = at;
            }
            let joints = JointInput {
                stamp: now,
                positions: &zeros,
                velocities: &zeros,
            };
            // A robot without joint states takes none.
            let _ = self.executor.joints(&joints, now);
            let point = self.executor.tick(now);
            if !self.counts.load(Ordering::SeqCst) {
                continue;
            }
            commanded.count += 1;
            commanded.non_finite += u64::from(!point.velocities.iter().all(|v| v.is_finite()));
            if let Some(last) = before.replace(at) {
                let between: Duration = at - last;
                commanded.jitter.add(between.abs_diff(self.period));
            }
        }
        commanded
    }
}

#[allow(clippy::disallowed_methods)] // waits for a deadline
fn wait_until(deadline: Instant) {
    std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
}
