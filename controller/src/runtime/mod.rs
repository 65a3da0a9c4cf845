//! Threads round the core: a planner thread and an executor thread, and the ports between them
//! and whoever does the I/O.
//!
//! ```no_run
//! use std::sync::Arc;
//! use latco_controller::execute::{Chunk, SetPoint};
//! use latco_controller::runtime::{CommandSink, ImageIntake, JointIntake, Runtime};
//! use latco_controller::time::{MonotonicClock, Time};
//! use latco_controller::{Config, Controller};
//!
//! struct Print;
//! impl CommandSink for Print {
//!     fn set_point(&mut self, point: &SetPoint) { println!("{:?}", point.velocities); }
//!     fn chunk(&mut self, _: &Chunk) {}
//! }
//!
//! let config = Config::load("configs/reach.toml".as_ref())?;
//! let bundle = latco_models::Bundle::load(&config.bundle.path, &Default::default())?;
//! let controller = Controller::new(&config, &bundle)?;
//! let clock = Arc::new(MonotonicClock::system());
//! let (runtime, mut ports) = Runtime::start(&config, controller, clock, Box::new(Print))?;
//! ports.joints.send(Time(0), &[0.0; 3], &[0.0; 3])?;
//! ports.images.send(Time(0), 32, 32, &[0; 32 * 32 * 3])?;
//! runtime.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here waits for anything else: images and plans go through [`crate::latest`] (the newest
//! wins), joint states, commands really sent and reports through bounded queues (the oldest is
//! dropped).

mod dump_thread;
mod executor_thread;
mod goal_port;
mod planner_thread;
mod ports;
mod region_port;
mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel;
use crossbeam::queue::ArrayQueue;

use crate::config::{Config, LiveSettings};
use crate::controller::Controller;
use crate::execute::{Executor, ExecutorCounts};
use crate::inputs::InputCounts;
use crate::latest;
use crate::safety::clock_watch::ClockWatch;
use crate::safety::{Decision, StopLatch};
use crate::time::{Clock, Time};

use shared::Shared;

pub use goal_port::GoalPort;
pub use ports::{ImageIntake, ImagePort, JointIntake, JointPort, PlanRecord, Ports, TickRecord};
pub use region_port::{RegionError, RegionPort};
pub use shared::CommandSink;

/// The running threads.
///
/// Dropping it stops them, like [`Runtime::stop`].
pub struct Runtime {
    shared: Arc<Shared>,
    wake: channel::Sender<()>,
    resume: channel::Sender<()>,
    live: (latest::Writer<LiveSettings>, latest::Writer<LiveSettings>),
    halt: Option<channel::Sender<()>>,
    planner: Option<JoinHandle<InputCounts>>,
    executor: Option<JoinHandle<ExecutorCounts>>,
    /// The thread that writes dumps, which ends after the planner, when it has written what it was given.
    dumper: Option<JoinHandle<()>>,
}

/// The counts of the threads over their life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeReport {
    /// Counts of the controller's inputs; `None` if the planner thread panicked.
    pub inputs: Option<InputCounts>,
    /// Counts of the executor's set-points; `None` if the executor thread panicked.
    pub executor: Option<ExecutorCounts>,
    /// Number of ticks of the executor that began more than a period late.
    pub late_ticks: u64,
}

impl Runtime {
    /// Starts both threads. `clock` shows the time on the epoch of the inputs' stamps.
    ///
    /// # Errors
    /// An error when the system cannot start a thread.
    pub fn start(
        config: &Config,
        controller: Controller,
        clock: Arc<dyn Clock + Send + Sync>,
        sink: Box<dyn CommandSink>,
    ) -> std::io::Result<(Self, Ports)> {
        Self::start_with(config, controller, clock, sink, StopLatch::default())
    }

    /// Starts both threads as [`Runtime::start`], with an emergency stop that others may latch, before and while it runs.
    ///
    /// # Errors
    /// An error when the system cannot start a thread.
    pub fn start_with(
        config: &Config,
        controller: Controller,
        clock: Arc<dyn Clock + Send + Sync>,
        sink: Box<dyn CommandSink>,
        estop: StopLatch,
    ) -> std::io::Result<(Self, Ports)> {
        let shared = Arc::new(Shared {
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            active: AtomicBool::new(true),
            at_rest: AtomicBool::new(false),
            estop,
            camera_ns: AtomicI64::new(i64::MIN),
            same_since_ns: AtomicI64::new(i64::MIN),
            waiting_ns: AtomicU64::new(0),
            executor_ns: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            plans: Default::default(),
            image_ns: AtomicI64::new(i64::MIN),
            surprise: AtomicU8::new(0),
            timeline: AtomicU64::new(0),
            jumped_ms: AtomicI64::new(0),
            refused_joints: AtomicU64::new(0),
            episodes: AtomicU64::new(0),
            late_ticks: AtomicU64::new(0),
            keep_alive_runs: AtomicU64::new(0),
            warm_ups: AtomicU64::new(0),
        });
        let (plan_writer, plan_reader) = latest::channel(|| controller.empty_plan());
        let sent = Arc::new(ArrayQueue::<ports::SentCommands>::new(4096));
        let decisions = Arc::new(ArrayQueue::<(Time, Decision)>::new(256));
        let (wake, woken) = channel::bounded(1);
        // Nothing is ever sent; a channel without room would allocate whenever the executor waits for several.
        let (halt, halted) = channel::bounded::<()>(1);
        let (resume, resumed) = channel::bounded(1);
        let (plan_ready, planned) = channel::bounded(1);
        let (to_planner, planner_live) = latest::channel(|| LiveSettings::of(config));
        let (to_executor, executor_live) = latest::channel(|| LiveSettings::of(config));
        let made = ports::make(config, &controller, wake.clone(), &shared, &clock);
        let [planner_regions, executor_regions] = made.regions;
        let executor = Executor::new(config, controller.robot(), plan_reader);

        let (dumps, dump_thread) = dump_thread::make(config, &controller).unzip();
        let planner = planner_thread::PlannerThread {
            shared: Arc::clone(&shared),
            controller,
            clock: Arc::clone(&clock),
            woken,
            live: planner_live,
            images: made.images,
            joints: made.planner_joints,
            sent: Arc::clone(&sent),
            decisions: Arc::clone(&decisions),
            plans: plan_writer,
            plan_ready,
            plan_records: made.plan_records,
            tick_records: made.tick_records,
            dumps,
            journal: made.journal,
            warms: true,
            warm_at: None,
            timeline: 0,
            regions: planner_regions,
            goals: made.goals,
        };
        let executor = executor_thread::ExecutorThread {
            shared: Arc::clone(&shared),
            executor,
            clock,
            halted,
            planned,
            resumed,
            live: executor_live,
            joints: made.executor_joints,
            regions: executor_regions,
            sent,
            sink,
            output: config.control.output,
            rate_hz: config.control.command_rate_hz,
            wake: wake.clone(),
            clock_watch: ClockWatch::default(),
            episode: 0,
            resets: 0,
            decided: Decision::default(),
            decisions: Arc::clone(&decisions),
        };
        let mut runtime = Self {
            shared,
            wake,
            resume,
            live: (to_planner, to_executor),
            halt: Some(halt),
            planner: None,
            executor: None,
            dumper: None,
        };
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        runtime.planner = Some(named("latco-planner").spawn(move || planner.run())?);
        runtime.executor = Some(named("latco-executor").spawn(move || executor.run())?);
        if let Some(thread) = dump_thread {
            runtime.dumper = Some(named("latco-dumps").spawn(move || thread.run())?);
        }
        Ok((runtime, made.ports))
    }

    /// Lets the runtime plan and move the robot, or brakes the robot to rest and holds it; everything stays
    /// warm. A runtime begins active.
    ///
    /// Once the robot is at rest the threads of an inactive runtime sleep, images and joint states are not looked at. When it
    /// becomes active again it begins a new episode: no plan from before is followed.
    pub fn set_active(&self, active: bool) {
        self.shared.at_rest.store(false, Ordering::SeqCst);
        let before = self.shared.active.swap(active, Ordering::SeqCst);
        if active && !before {
            self.new_episode();
            // A full channel means that the executor is awake or about to be.
            let _ = self.resume.try_send(());
        }
    }

    /// Whether the runtime is active, see [`Runtime::set_active`].
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.shared.active.load(Ordering::SeqCst)
    }

    /// Whether the runtime is inactive and has braked the robot to rest.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.shared.at_rest.load(Ordering::SeqCst)
    }

    /// Takes over the settings that may change while the runtime runs, see [`LiveSettings`]; the others are
    /// ignored.
    pub fn set_live(&mut self, config: &Config) {
        for writer in [&mut self.live.0, &mut self.live.1] {
            *writer.value_mut() = LiveSettings::of(config);
            writer.publish();
        }
    }

    /// Latches the emergency stop.
    pub fn estop(&self) {
        self.shared.estop.latch();
    }

    /// Releases the emergency stop.
    pub fn reset_estop(&self) {
        self.shared.estop.release(self.shared.estop.count());
    }

    /// A person releases whatever is latched but the emergency stop, and begins a new episode.
    pub fn reset(&self) {
        self.shared.resets.fetch_add(1, Ordering::SeqCst);
        self.new_episode();
    }

    /// Time since the executor's last set-point, where it should make some: longer than
    /// [`EXECUTOR_LIMIT`](crate::safety::monitors::EXECUTOR_LIMIT) where its thread is held up.
    #[must_use]
    pub fn executor_silence(&self) -> Option<Duration> {
        self.shared.since(&self.shared.executor_ns)
    }

    /// Numbers of plans that the executor refused, that it saturates, and that began with a jump.
    #[must_use]
    pub fn plan_findings(&self) -> [u64; 3] {
        [0, 1, 2].map(|index| self.shared.plans[index].load(Ordering::Relaxed))
    }

    /// Whether the emergency stop is latched.
    #[must_use]
    pub fn is_estopped(&self) -> bool {
        self.shared.estop.is_latched()
    }

    /// Begins a new episode: belief, plan and warm start are forgotten when the planner wakes next.
    pub fn new_episode(&self) {
        self.shared.episodes.fetch_add(1, Ordering::SeqCst);
        let _ = self.wake.try_send(());
    }

    /// Whether both threads still run; false after a panic in one of them.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let running = |finished: Option<bool>| finished.is_some_and(|finished| !finished);
        running(self.planner.as_ref().map(JoinHandle::is_finished))
            && running(self.executor.as_ref().map(JoinHandle::is_finished))
    }

    /// How often the clock jumped. At each jump belief and plan begin anew.
    #[must_use]
    pub fn clock_jumps(&self) -> u64 {
        self.shared.timeline.load(Ordering::SeqCst)
    }

    /// Number of joint samples that the executor refused.
    #[must_use]
    pub fn refused_joints(&self) -> u64 {
        self.shared.refused_joints.load(Ordering::Relaxed)
    }

    /// Number of ticks of the executor that began more than a period late.
    #[must_use]
    pub fn late_ticks(&self) -> u64 {
        self.shared.late_ticks.load(Ordering::Relaxed)
    }

    /// Number of inferences that the planner thread made only to keep a GPU awake.
    #[must_use]
    pub fn keep_alive_runs(&self) -> u64 {
        self.shared.keep_alive_runs.load(Ordering::Relaxed)
    }

    /// Number of times that the planner thread prepared for an image that was about to come.
    #[must_use]
    pub fn warm_ups(&self) -> u64 {
        self.shared.warm_ups.load(Ordering::Relaxed)
    }

    /// Brakes the robot to rest, ends both threads and returns their counts.
    pub fn stop(mut self) -> RuntimeReport {
        self.shut_down()
    }

    fn shut_down(&mut self) -> RuntimeReport {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let _ = self.wake.try_send(());
        drop(self.halt.take());
        let report = RuntimeReport {
            inputs: self.planner.take().and_then(|thread| thread.join().ok()),
            executor: self.executor.take().and_then(|thread| thread.join().ok()),
            late_ticks: self.late_ticks(),
        };
        if let Some(dumper) = self.dumper.take() {
            // Its panic would cost a dump and nothing else.
            let _ = dumper.join();
        }
        report
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shut_down();
    }
}
