//! Controller, executor and simulated robot, one control period at a time.

use std::time::Duration;

use latco_controller::constraints::Place;
use latco_controller::execute::ExecutorCounts;
use latco_controller::inputs::{ImageInput, Inputs, JointInput};
use latco_controller::plan::Plan;
use latco_controller::safety::Decision;
use latco_controller::trace::PlanTrace;
use latco_controller::{Clock, Config, Controller, Executor, SetupError, Tick, Time, latest};
use latco_envs::Robot;
use latco_models::Bundle;

/// The joint states of a robot as they are at a time.
pub fn joints_of(robot: &dyn Robot, stamp: Time) -> JointInput<'_> {
    JointInput {
        stamp,
        positions: robot.positions(),
        velocities: robot.velocities(),
    }
}

/// The whole number of command ticks in a control period at the rate that is nearest to the configured one.
pub(crate) fn ticks_per_period(config: &Config, period: Duration) -> u32 {
    let ticks = period.as_secs_f64() * config.control.command_rate_hz;
    ticks.round().max(1.0) as u32
}

/// The parts of the loop that carry something from period to period.
pub struct ClosedLoop {
    config: Config,
    controller: Controller,
    executor: Executor,
    plans: latest::Writer<Plan>,
    pixels: Vec<u8>,
    side: usize,
    now: Time,
    tick_period: Duration,
    ticks: u32,
}

/// The report of one control period.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodReport {
    /// Begin of the period, in simulated time.
    pub start: Time,
    /// The controller's step on the image of that time.
    pub tick: Tick,
}

impl ClosedLoop {
    /// Makes a loop for the robot that the bundle was trained for.
    ///
    /// # Errors
    /// [`SetupError`] when the controller cannot be made.
    pub fn new(config: &Config, bundle: &Bundle) -> Result<Self, SetupError> {
        latco_baselines::add();
        let controller = Controller::new(config, bundle)?;
        let side = bundle.manifest().image.width;
        let period = controller.period();
        let ticks = ticks_per_period(config, period);
        let (plans, reader) = latest::channel(|| controller.empty_plan());
        let executor = Executor::new(config, controller.robot(), reader);
        Ok(Self {
            config: config.clone(),
            executor,
            plans,
            pixels: vec![0; side * side * 3],
            side,
            now: Time(0),
            tick_period: period / ticks,
            ticks,
            controller,
        })
    }

    /// Lets the planner find out how long its work takes by `clock`, of which its time budgets are.
    pub fn learn_times(&mut self, clock: &dyn Clock) {
        self.controller.learn_times(clock);
    }

    /// Name of the planner.
    #[must_use]
    pub fn planner_name(&self) -> &'static str {
        self.controller.planner_name()
    }

    /// The controller of the loop.
    #[must_use]
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// The newest plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.controller.plan()
    }

    /// The iterations of the newest plan.
    #[must_use]
    pub fn trace(&self) -> &PlanTrace {
        self.controller.trace()
    }

    /// The executor's counts since the episode began.
    #[must_use]
    pub fn executor_counts(&self) -> ExecutorCounts {
        self.executor.counts()
    }

    /// What the executor did about the faults that held at its last set-point.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.executor.decision()
    }

    /// The newest camera image, rgb8.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Begins an episode at time 0 with nothing remembered. The planner's random numbers depend on the
    /// configured seed and `episode` alone.
    pub fn begin(&mut self, episode: u64) {
        self.controller.reset(episode);
        let (plans, reader) = latest::channel(|| self.controller.empty_plan());
        self.plans = plans;
        self.executor = Executor::new(&self.config, self.controller.robot(), reader);
        self.now = Time(0);
    }

    /// Sets the state `[n]` that plans shall end in, the belief of a goal picture.
    pub fn set_goal(&mut self, belief: &[f32]) {
        self.controller.set_goal(Some(belief));
    }

    /// Moves the regions that the robot keeps out of, in the order of the configuration.
    pub fn move_regions(&mut self, middles: &[Place]) {
        self.controller.move_regions(middles);
        self.executor.move_regions(middles);
    }

    /// Runs one control period: looks at the robot, plans, and moves it at the command rate.
    pub fn period(&mut self, robot: &mut dyn Robot, clock: &dyn Clock) -> PeriodReport {
        self.period_seen(robot, clock, &mut |_, _| {})
    }

    /// Runs one control period like [`ClosedLoop::period`] and shows the robot after every set-point, with the time.
    pub fn period_seen(
        &mut self,
        robot: &mut dyn Robot,
        clock: &dyn Clock,
        see: &mut dyn FnMut(&dyn Robot, Time),
    ) -> PeriodReport {
        let start = self.now;
        robot.render(&mut self.pixels);
        let inputs = Inputs {
            image: Some(ImageInput {
                stamp: start,
                width: self.side,
                height: self.side,
                pixels: &self.pixels,
            }),
            joints: Some(joints_of(robot, start)),
        };
        let tick = self.controller.step(&inputs, start, clock);
        if tick.new_plan {
            self.plans.value_mut().copy_from(self.controller.plan());
            self.plans.publish();
        }
        self.executor.set_surprise(self.controller.surprise());
        self.drive(robot, see);
        PeriodReport { start, tick }
    }

    /// Runs one control period in which the camera's image changes neither belief nor plan: the newest plan
    /// is followed on.
    pub fn follow(&mut self, robot: &mut dyn Robot) {
        self.executor.image(self.now);
        self.drive(robot, &mut |_, _| {});
    }

    /// Moves the robot at the command rate for one control period.
    fn drive(&mut self, robot: &mut dyn Robot, see: &mut dyn FnMut(&dyn Robot, Time)) {
        let start = self.now;
        for number in 0..self.ticks {
            let time = start + self.tick_period * number;
            // What a robot cannot have measured is refused and counted, as on a robot.
            let _ = self.executor.joints(&joints_of(robot, time), time);
            let point = self.executor.tick(time);
            self.controller.record_sent(time, &point.commands);
            robot.advance(&point.commands, self.tick_period.as_secs_f64());
            see(robot, time + self.tick_period);
        }
        self.now = start + self.controller.period();
    }
}
