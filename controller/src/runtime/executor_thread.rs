//! The executor thread: a set-point at every tick of the command rate, and at once for a new plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel;
use crossbeam::queue::ArrayQueue;

use super::ports::{JointSample, SentCommands};
use super::shared::{CommandSink, Shared};
use crate::config::{LiveSettings, OutputKind};
use crate::constraints::Middles;
use crate::execute::{Chunk, Executor, ExecutorCounts, Mode, SetPoint, StopReason};
use crate::latest;
use crate::priority;
use crate::safety::clock_watch::{ClockState, ClockWatch};
use crate::safety::{Decision, LONGEST_STOP, Surprise};
use crate::time::{Clock, Time};

/// Time at rest after which an inactive executor sleeps: whoever receives set-points has then received enough
/// zeros.
const SLEEP_AFTER: Duration = Duration::from_secs(1);

pub(super) struct ExecutorThread {
    pub(super) shared: Arc<Shared>,
    pub(super) executor: Executor,
    pub(super) clock: Arc<dyn Clock + Send + Sync>,
    /// Channel that is disconnected when the runtime stops.
    pub(super) halted: channel::Receiver<()>,
    /// Channel that tells of a new plan.
    pub(super) planned: channel::Receiver<()>,
    pub(super) resumed: channel::Receiver<()>,
    pub(super) live: latest::Reader<LiveSettings>,
    pub(super) joints: latest::Reader<JointSample>,
    /// Where the regions are that the robot is braked in front of.
    pub(super) regions: latest::Reader<Middles>,
    pub(super) sent: Arc<ArrayQueue<SentCommands>>,
    pub(super) sink: Box<dyn CommandSink>,
    pub(super) output: OutputKind,
    pub(super) rate_hz: f64,
    /// Channel that wakes the planner thread.
    pub(super) wake: channel::Sender<()>,
    pub(super) clock_watch: ClockWatch,
    /// Number of the newest episode that the executor has heard of.
    pub(super) episode: u64,
    /// Number of the newest reset that the executor has heard of.
    pub(super) resets: u64,
    /// What was decided last, and the queue of what is decided.
    pub(super) decided: Decision,
    pub(super) decisions: Arc<ArrayQueue<(Time, Decision)>>,
}

impl ExecutorThread {
    pub(super) fn run(mut self) -> ExecutorCounts {
        priority::raise();
        let period = crate::time::span(1.0 / self.rate_hz);
        let mut chunk = self.executor.empty_chunk();
        let mut last = None;
        let mut next = Instant::now();
        let mut stop_by: Option<Instant> = None;
        let mut rest_since: Option<Instant> = None;
        // Whether this set-point is an additional one, between two ticks.
        let mut for_plan = false;
        loop {
            let point = self.tick();
            let at_rest = point.velocities.iter().all(|&v| v == 0.0);
            if self.output == OutputKind::JointTrajectory {
                self.send_chunk(&point, &mut last, &mut chunk);
            }
            if stop_by.is_some_and(|stop_by| at_rest || Instant::now() >= stop_by) {
                return self.executor.counts();
            }
            if !(at_rest && self.executor.is_held()) {
                rest_since = None;
            } else if stop_by.is_none() {
                let since = *rest_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= SLEEP_AFTER {
                    self.shared.executor_ns.store(0, Ordering::SeqCst);
                    self.sleep();
                    self.clock_watch.restart();
                    next = Instant::now();
                    rest_since = None;
                }
            }
            if !std::mem::take(&mut for_plan) {
                next += period;
                let now = Instant::now();
                if now > next + period {
                    // Too late to catch up: the missed ticks are counted and left out.
                    self.shared.late_ticks.fetch_add(1, Ordering::Relaxed);
                    next = now;
                }
            }
            if stop_by.is_some() {
                wait_until(next);
                continue;
            }
            match self.wait(next) {
                Waited::Tick => {}
                Waited::Plan => for_plan = true,
                Waited::Halt => {
                    stop_by = Some(Instant::now() + LONGEST_STOP);
                    self.shared.active.store(false, Ordering::SeqCst);
                    self.executor.hold();
                }
            }
        }
    }

    /// Waits until the next tick is due, or for what comes before it.
    fn wait(&self, tick: Instant) -> Waited {
        channel::select! {
            recv(self.halted) -> _ => Waited::Halt,
            recv(self.planned) -> planned => match planned {
                Ok(()) => Waited::Plan,
                // The planner is gone for good, and with it this channel.
                Err(_) => match self.halted.recv_deadline(tick) {
                    Err(channel::RecvTimeoutError::Disconnected) => Waited::Halt,
                    _ => Waited::Tick,
                },
            },
            default(tick.saturating_duration_since(Instant::now())) => Waited::Tick,
        }
    }

    fn tick(&mut self) -> SetPoint {
        if self.live.update() {
            self.executor.set_live(self.live.value());
        }
        if self.shared.estop.is_latched() {
            self.executor.estop();
        } else if self.executor.is_estopped() {
            self.executor.reset();
        }
        let resets = self.shared.resets.load(Ordering::SeqCst);
        if resets != self.resets && !self.shared.estop.is_latched() {
            self.resets = resets;
            self.executor.reset();
        }
        let now = self.clock.now();
        self.look_at_clock(now);
        let episode = self.shared.episodes.load(Ordering::SeqCst);
        if episode != self.episode {
            self.episode = episode;
            self.executor.forget_measurements();
        }
        if self.regions.update() {
            self.executor.move_regions(self.regions.value());
        }
        let active = self.shared.active.load(Ordering::SeqCst);
        if active && self.executor.is_held() {
            self.executor.release(now);
        } else if !active {
            self.executor.hold();
        }
        let begun = episode + self.shared.timeline.load(Ordering::SeqCst);
        if self.joints.update() && self.joints.value().begun >= begun {
            // Refusals are counted by the executor.
            let _ = self.executor.joints(&self.joints.value().input(), now);
        }
        let camera_ns = self.shared.camera_ns.load(Ordering::SeqCst);
        if camera_ns != i64::MIN {
            let same_since_ns = self.shared.same_since_ns.load(Ordering::SeqCst);
            self.executor
                .camera(Time(camera_ns), Time(same_since_ns), now);
        }
        let behind = self.shared.since(&self.shared.waiting_ns);
        self.executor.planner_behind(behind.unwrap_or_default());
        let image_ns = self.shared.image_ns.load(Ordering::SeqCst);
        if image_ns != i64::MIN {
            self.executor.image(Time(image_ns));
        }
        let surprise = self.shared.surprise.load(Ordering::SeqCst);
        self.executor.set_surprise(Surprise::of_number(surprise));
        let point = self.executor.tick(now);
        let machine_ns = self.shared.machine_ns();
        self.shared.executor_ns.store(machine_ns, Ordering::SeqCst);
        self.count();
        if point.decision != self.decided {
            self.decided = point.decision;
            self.decisions.force_push((now, point.decision));
        }
        self.sent.force_push(SentCommands {
            begun,
            time: point.time,
            commands: point.commands.clone(),
        });
        let at_rest = point.velocities.iter().all(|&v| v == 0.0);
        self.shared
            .at_rest
            .store(at_rest && !active, Ordering::SeqCst);
        self.sink.set_point(&point);
        point
    }

    /// Tells of what the executor counted.
    fn count(&self) {
        let counts = self.executor.counts();
        let store = |shared: &AtomicU64, count| shared.store(count, Ordering::Relaxed);
        store(&self.shared.refused_joints, counts.refused_joints);
        let plans = [
            counts.refused_plans,
            counts.saturated_plans,
            counts.plan_jumps,
        ];
        for (shared, count) in self.shared.plans.iter().zip(plans) {
            store(shared, count);
        }
    }

    /// Notices a clock that stands still, and one that jumps: that begins another time line for planner and executor.
    fn look_at_clock(&mut self, now: Time) {
        let state = self.clock_watch.look(now, self.shared.started.elapsed());
        self.executor.set_clock_silent(state == ClockState::Silent);
        if let ClockState::Jumped(by_s) = state {
            let by_ms = (by_s * 1e3) as i64;
            self.shared.jumped_ms.store(by_ms, Ordering::SeqCst);
            // Stamps of the time line before say nothing about this one.
            self.shared.image_ns.store(i64::MIN, Ordering::SeqCst);
            self.shared.camera_ns.store(i64::MIN, Ordering::SeqCst);
            let timeline = self.shared.timeline.fetch_add(1, Ordering::SeqCst) + 1;
            self.executor.begin_timeline(timeline, now);
            // A full channel means that the planner thread is awake or about to be.
            let _ = self.wake.try_send(());
        }
    }

    /// Sleeps until the executor is active again, or stops.
    fn sleep(&self) {
        while !self.shared.active.load(Ordering::SeqCst) {
            channel::select! {
                recv(self.resumed) -> _ => {}
                recv(self.halted) -> _ => return,
            }
        }
    }

    /// Sends a chunk for each new plan and each new reason to stop, and again when the next plan does not come in time.
    fn send_chunk(
        &mut self,
        point: &SetPoint,
        last: &mut Option<(ChunkKey, Time)>,
        chunk: &mut Chunk,
    ) {
        let key = match point.mode {
            Mode::Follow { plan, .. } => ChunkKey::Plan(plan),
            Mode::Stop(reason) => ChunkKey::Stop(reason),
        };
        let is_sent = last.is_some_and(|(sent, at)| {
            let lasts = matches!(key, ChunkKey::Stop(_))
                || point.time.saturating_since(at) < self.executor.chunk_renewal();
            sent == key && lasts
        });
        if !is_sent {
            *last = Some((key, point.time));
            self.executor.chunk(point.time, chunk);
            self.sink.chunk(chunk);
        }
    }
}

/// The event that ended the executor's wait.
enum Waited {
    Tick,
    Plan,
    Halt,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ChunkKey {
    Plan(u64),
    Stop(StopReason),
}

#[allow(clippy::disallowed_methods)] // waits for a deadline while the robot brakes at the end
fn wait_until(deadline: Instant) {
    std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
}
