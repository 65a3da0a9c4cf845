//! Controller, executor and simulated robot, one command tick at a time and with faults on the way between them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latco_controller::execute::{Chunk, ExecutorCounts, SetPoint};
use latco_controller::inputs::{ImageInput, Inputs, JointInput, JointVec};
use latco_controller::plan::Plan;
use latco_controller::runtime::CommandSink;
use latco_controller::safety::frozen::Unchanged;
use latco_controller::{
    Clock, Config, Controller, Decorator, Executor, SetupError, Tick, Time, latest,
};
use latco_envs::Robot;
use latco_faults::{Everywhere, Faults, Frame, Injector, JointSample, Stream};
use latco_models::Bundle;

use crate::closed_loop::ticks_per_period;

/// Age from which a robot takes a velocity set-point that is not renewed for zero.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(200);

/// The loop of [`ClosedLoop`](crate::ClosedLoop) with the faults of an [`Injector`] in simulated time.
///
/// A slow model or planner takes simulated time: the plan is handed over when it would be ready, and of the images that come
/// meanwhile the newest is looked at next. Commands that do not arrive leave the robot with the last one, and at rest after
/// 0.2 s without.
pub struct FaultyLoop {
    config: Config,
    controller: Controller,
    executor: Executor,
    plans: latest::Writer<Plan>,
    injector: Arc<Injector>,
    frames: Stream<Frame>,
    samples: Stream<JointSample>,
    sink: Box<dyn CommandSink>,
    received: Arc<Mutex<Received>>,
    /// The newest image that waits for the planner.
    waiting: Option<Frame>,
    unchanged: Unchanged,
    /// Time until which model and planner are at work.
    busy_until: Time,
    /// Whether a plan waits for that time.
    is_made: bool,
    now: Time,
    tick_period: Duration,
    ticks_per_period: u64,
    ticks: u64,
}

/// The command that the robot obeys, and when it came.
#[derive(Clone, Debug, Default)]
struct Received {
    time: Time,
    commands: JointVec,
}

/// Hands over what arrives at the robot.
struct Arrivals(Arc<Mutex<Received>>);

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CommandSink for Arrivals {
    fn set_point(&mut self, point: &SetPoint) {
        *lock(&self.0) = Received {
            time: point.time,
            commands: point.commands.clone(),
        };
    }

    fn chunk(&mut self, _: &Chunk) {}
}

/// What one tick of the loop did.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultyTick {
    /// The set-point that was commanded.
    pub point: SetPoint,
    /// The controller's step, if it looked at an image.
    pub step: Option<Tick>,
}

impl FaultyLoop {
    /// Makes a loop for the robot that the bundle was trained for, with these faults.
    ///
    /// # Errors
    /// [`SetupError`] when the controller cannot be made.
    pub fn new(config: &Config, bundle: &Bundle, faults: &Faults) -> Result<Self, SetupError> {
        latco_baselines::add();
        let injector = Injector::simulated(faults);
        let everywhere = Everywhere(injector.clone());
        let controller = Controller::decorated(config, bundle, |parts| everywhere.parts(parts))?;
        let period = controller.period();
        let ticks = ticks_per_period(config, period);
        let (plans, reader) = latest::channel(|| controller.empty_plan());
        let executor = Executor::new(config, controller.robot(), reader);
        let received = Arc::<Mutex<Received>>::default();
        Ok(Self {
            config: config.clone(),
            executor,
            plans,
            frames: Stream::new(injector.clone()),
            samples: Stream::new(injector.clone()),
            sink: everywhere.sink(Box::new(Arrivals(received.clone()))),
            received,
            injector,
            waiting: None,
            unchanged: Unchanged::default(),
            busy_until: Time(0),
            is_made: false,
            now: Time(0),
            tick_period: period / ticks,
            ticks_per_period: u64::from(ticks),
            ticks: 0,
            controller,
        })
    }

    /// Takes other faults, from the next episode on.
    pub fn arm(&self, faults: &Faults) {
        self.injector.arm(faults);
    }

    /// Begins an episode at time 0 with nothing remembered; the time of the faults begins with it.
    pub fn begin(&mut self, episode: u64) {
        self.controller.reset(episode);
        let (plans, reader) = latest::channel(|| self.controller.empty_plan());
        self.plans = plans;
        self.executor = Executor::new(&self.config, self.controller.robot(), reader);
        self.frames.reset();
        self.samples.reset();
        (self.waiting, self.is_made) = (None, false);
        self.unchanged = Unchanged::default();
        (self.busy_until, self.now, self.ticks) = (Time(0), Time(0), 0);
        *lock(&self.received) = Received::default();
        self.injector.set_time(0.0);
        self.injector.begin();
    }

    /// The controller of the loop.
    #[must_use]
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// The executor of the loop, to stop and to release.
    pub fn executor(&mut self) -> &mut Executor {
        &mut self.executor
    }

    /// The executor's counts since the episode began.
    #[must_use]
    pub fn counts(&self) -> ExecutorCounts {
        self.executor.counts()
    }

    /// The name of each fault with how often it struck.
    #[must_use]
    pub fn struck(&self) -> Vec<(&'static str, u64)> {
        self.injector.report()
    }

    /// Number of command ticks in a control period.
    #[must_use]
    pub fn ticks_per_period(&self) -> u64 {
        self.ticks_per_period
    }

    /// The time in simulation.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Runs one tick: camera and joint states of the robot, the controller if an image is there for it, a set-point, and the
    /// robot's motion until the next one.
    pub fn tick(&mut self, robot: &mut dyn Robot, clock: &dyn Clock) -> FaultyTick {
        self.injector.set_time(self.now.0 as f64 * 1e-9);
        self.samples.put(JointSample {
            stamp: self.now,
            positions: robot.positions().to_vec(),
            velocities: robot.velocities().to_vec(),
        });
        if self.ticks.is_multiple_of(self.ticks_per_period) {
            let side = robot.image_size();
            let mut pixels = vec![0; side * side * 3];
            robot.render(&mut pixels);
            self.frames.put(Frame {
                stamp: self.now,
                width: side,
                height: side,
                pixels,
            });
        }
        let step = self.look(clock);
        let point = self.executor.tick(self.now);
        self.controller.record_sent(self.now, &point.commands);
        self.sink.set_point(&point);
        let received = lock(&self.received).clone();
        let age = self.now.saturating_since(received.time);
        let obeyed = if age > COMMAND_TIMEOUT || received.commands.is_empty() {
            robot.command(&vec![0.0; robot.actions()])
        } else {
            received.commands.to_vec()
        };
        robot.advance(&obeyed, self.tick_period.as_secs_f64());
        self.now = self.now + self.tick_period;
        self.ticks += 1;
        FaultyTick { point, step }
    }

    /// Takes what has arrived.
    fn look(&mut self, clock: &dyn Clock) -> Option<Tick> {
        while let Some(sample) = self.samples.pop() {
            let joints = JointInput {
                stamp: sample.stamp,
                positions: &sample.positions,
                velocities: &sample.velocities,
            };
            // Refusals are counted on both sides.
            let _ = self.executor.joints(&joints, self.now);
            let inputs = Inputs {
                image: None,
                joints: Some(joints),
            };
            self.controller.step(&inputs, self.now, clock);
        }
        while let Some(frame) = self.frames.pop() {
            let since = self.unchanged.since(frame.stamp, &frame.pixels);
            self.executor.camera(frame.stamp, since, self.now);
            self.waiting = Some(frame);
        }
        if self.now < self.busy_until {
            return None;
        }
        self.hand_over();
        let frame = self.waiting.take()?;
        let image = ImageInput {
            stamp: frame.stamp,
            width: frame.width,
            height: frame.height,
            pixels: &frame.pixels,
        };
        let inputs = Inputs {
            image: Some(image),
            joints: None,
        };
        let step = self.controller.step(&inputs, self.now, clock);
        self.busy_until = self.now + self.injector.take_waited();
        if matches!(step.image, Some(Ok(_))) {
            self.executor.image(frame.stamp);
        }
        self.executor.set_surprise(self.controller.surprise());
        self.is_made = step.new_plan;
        if self.now >= self.busy_until {
            self.hand_over();
        }
        Some(step)
    }

    /// Hands over the plan that is made.
    fn hand_over(&mut self) {
        if std::mem::take(&mut self.is_made) {
            self.plans.value_mut().copy_from(self.controller.plan());
            self.plans.publish();
        }
    }
}
