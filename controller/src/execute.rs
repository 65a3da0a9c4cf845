//! The executor: the newest plan by time, as joint set-points at the command rate.
//!
//! Actions are held for a control period, as they were in training; between periods the velocity
//! moves as fast as the acceleration limit allows. When there is no valid plan, the joint states
//! or the camera are too old, or the emergency stop is latched, the robot is braked to rest and
//! held. Nothing that is not finite ever leaves.

use std::time::Duration;

use crate::config::{Config, LiveSettings};
use crate::inputs::{InputError, JointInput, JointVec, MAX_JOINTS};
use crate::latest;
use crate::plan::Plan;
use crate::robot::{LimitHits, Robot};
use crate::time::Time;

/// The reason why the robot is moved as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A step of a plan is followed.
    Follow {
        /// Number of the plan.
        plan: u64,
        /// Number of the step in the plan.
        step: usize,
    },
    /// The robot brakes, or is at rest, for this reason.
    Stop(StopReason),
}

/// The reason why the robot is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopReason {
    /// There was no plan yet.
    NoPlan,
    /// The newest plan is at its end, or no longer valid.
    PlanEnded,
    /// The newest image that the belief took is too old.
    CameraSilent,
    /// The joint states are too old, or none came yet.
    JointsSilent,
    /// The planner gave up after repeated failures.
    PlannerFailed,
    /// The emergency stop is latched.
    EmergencyStop,
    /// The controller is being stopped.
    Deactivated,
}

impl StopReason {
    /// The name of the reason in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoPlan => "no_plan",
            Self::PlanEnded => "plan_ended",
            Self::CameraSilent => "camera_silent",
            Self::JointsSilent => "joints_silent",
            Self::PlannerFailed => "planner_failed",
            Self::EmergencyStop => "emergency_stop",
            Self::Deactivated => "deactivated",
        }
    }
}

/// The set-point to be sent to the robot.
#[derive(Clone, Debug, PartialEq)]
pub struct SetPoint {
    /// Time at which it applies.
    pub time: Time,
    /// Joint velocities in rad/s.
    pub velocities: JointVec,
    /// Joint positions expected now in rad, from the joint states and the commands since.
    pub positions: JointVec,
    /// The reason why the robot is moved as it is.
    pub mode: Mode,
    /// Stamp of the image that the followed plan is based on.
    pub plan_stamp: Option<Time>,
    /// The limits that changed it.
    pub limits: LimitHits,
}

/// One way-point of a [`Chunk`].
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkPoint {
    /// Time from the chunk's start.
    pub time_from_start: Duration,
    /// Joint positions in rad.
    pub positions: JointVec,
    /// Joint velocities in rad/s.
    pub velocities: JointVec,
}

/// Way-points to the end of the plan and on to rest, for joint_trajectory_controller.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Time at which it starts.
    pub start: Time,
    /// The reason why the robot moves as it does.
    pub mode: Mode,
    /// The points; the last is at rest.
    pub points: Vec<ChunkPoint>,
}

impl Chunk {
    /// Makes a chunk with room for a plan of `steps` steps.
    #[must_use]
    pub fn with_steps(steps: usize) -> Self {
        Self {
            start: Time(0),
            mode: Mode::Stop(StopReason::NoPlan),
            points: Vec::with_capacity(steps + 4),
        }
    }
}

/// Counters of an executor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutorCounts {
    /// Number of set-points that were made.
    pub ticks: u64,
    /// Number of set-points that follow a plan.
    pub followed: u64,
    /// Number of set-points that a limit changed.
    pub limited: u64,
    /// Number of values that were not finite and were replaced by braking.
    pub non_finite: u64,
    /// Number of joint samples that were refused.
    pub refused_joints: u64,
}

/// The executor, which turns plans into set-points. It does no I/O: time is an argument.
pub struct Executor {
    robot: Robot,
    plans: latest::Reader<Plan>,
    tick_period_s: f64,
    camera_limit_s: f64,
    joints_limit_s: f64,
    velocities: JointVec,
    positions: JointVec,
    last_tick: Option<Time>,
    joints_stamp: Option<Time>,
    /// Stamp of the newest image that the belief took.
    image_stamp: Option<Time>,
    estop: bool,
    hold: Option<StopReason>,
    /// Time before which an image must not lie for plans on it to be followed.
    not_before: Option<Time>,
    counts: ExecutorCounts,
}

impl Executor {
    /// Makes an executor at rest that takes its plans from `plans`.
    #[must_use]
    pub fn new(config: &Config, robot: &Robot, plans: latest::Reader<Plan>) -> Self {
        let zeros: JointVec = std::iter::repeat_n(0.0, robot.joints()).collect();
        Self {
            robot: robot.clone(),
            plans,
            tick_period_s: 1.0 / config.control.command_rate_hz,
            camera_limit_s: config.timeouts.camera_ms * 1e-3,
            joints_limit_s: config.timeouts.joints_ms * 1e-3,
            velocities: zeros.clone(),
            positions: zeros,
            last_tick: None,
            joints_stamp: None,
            image_stamp: None,
            estop: false,
            hold: None,
            not_before: None,
            counts: ExecutorCounts::default(),
        }
    }

    /// Takes the newest joint states.
    ///
    /// # Errors
    /// [`InputError`] for samples that repeat or go back in time, are of the wrong length or not
    /// finite; they are counted and change nothing.
    pub fn joints(&mut self, joints: &JointInput<'_>) -> Result<(), InputError> {
        let checked = crate::inputs::check_stamp(
            crate::inputs::Source::Joints,
            joints.stamp,
            self.joints_stamp,
            joints.stamp,
            0.0,
        )
        .and_then(|()| joints.check(self.robot.joints()));
        if let Err(error) = checked {
            self.counts.refused_joints += 1;
            return Err(error);
        }
        self.joints_stamp = Some(joints.stamp);
        self.positions.copy_from_slice(joints.positions);
        Ok(())
    }

    /// Notes the stamp of the newest image that the belief took. A plan also brings the stamp of its own
    /// image, so this is needed only where images come without a plan for each. Older stamps change nothing.
    pub fn image(&mut self, stamp: Time) {
        self.image_stamp = self.image_stamp.max(Some(stamp));
    }

    /// Takes over the settings that may change while the executor runs.
    pub fn set_live(&mut self, settings: &LiveSettings) {
        self.camera_limit_s = settings.camera_limit_s;
        self.joints_limit_s = settings.joints_limit_s;
        self.robot.set_velocity_scale(settings.velocity_scale);
    }

    /// Latches the emergency stop: the robot is braked and held until [`Executor::reset`].
    pub fn estop(&mut self) {
        self.estop = true;
    }

    /// Releases the emergency stop. Plans made before are followed again if still valid.
    pub fn reset(&mut self) {
        self.estop = false;
    }

    /// Brakes and holds the robot from now on, for this reason.
    pub fn hold(&mut self, reason: StopReason) {
        self.hold = Some(reason);
    }

    /// Ends a hold. Only plans on images from `now` on are followed.
    pub fn release(&mut self, now: Time) {
        self.hold = None;
        self.not_before = Some(now);
    }

    /// Whether the executor holds the robot.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// Whether the emergency stop is latched.
    #[must_use]
    pub fn is_estopped(&self) -> bool {
        self.estop
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> ExecutorCounts {
        self.counts
    }

    /// The newest plan that the executor has seen.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.plans.value()
    }

    /// Takes over a newer plan if there is one; returns whether there was. [`Executor::tick`] does so itself.
    pub fn update(&mut self) -> bool {
        self.plans.update()
    }

    /// Makes the set-point for `now`.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in the joints.
    pub fn tick(&mut self, now: Time) -> SetPoint {
        self.plans.update();
        let elapsed_s = match self.last_tick {
            Some(last) => now.seconds_since(last).clamp(0.0, 4.0 * self.tick_period_s),
            None => self.tick_period_s,
        };
        self.last_tick = Some(now);
        for (position, velocity) in self.positions.iter_mut().zip(&self.velocities) {
            *position += velocity * elapsed_s;
        }
        let mode = self.mode(now);
        let mut wanted = [0.0; MAX_JOINTS];
        let wanted = &mut wanted[..self.robot.joints()];
        self.wanted(mode, wanted);
        let mut limits = LimitHits::default();
        let finite = wanted.iter().all(|v| v.is_finite());
        if !finite {
            self.counts.non_finite += 1;
            wanted.fill(0.0);
        }
        for (joint, wanted) in wanted.iter().enumerate() {
            self.velocities[joint] = self.robot.limit(
                joint,
                *wanted,
                self.velocities[joint],
                self.joints_stamp.map(|_| self.positions[joint]),
                elapsed_s.max(1e-6),
                self.tick_period_s,
                &mut limits,
            );
        }
        self.counts.ticks += 1;
        self.counts.followed += u64::from(matches!(mode, Mode::Follow { .. }));
        self.counts.limited += u64::from(limits.any());
        SetPoint {
            time: now,
            velocities: self.velocities.clone(),
            positions: self.positions.clone(),
            mode,
            plan_stamp: matches!(mode, Mode::Follow { .. }).then(|| self.plans.value().stamp),
            limits,
        }
    }

    fn mode(&self, now: Time) -> Mode {
        if self.estop {
            return Mode::Stop(StopReason::EmergencyStop);
        }
        if let Some(reason) = self.hold {
            return Mode::Stop(reason);
        }
        if self.robot.has_joint_states() {
            let fresh = self
                .joints_stamp
                .is_some_and(|stamp| now.seconds_since(stamp) <= self.joints_limit_s);
            if !fresh {
                return Mode::Stop(StopReason::JointsSilent);
            }
        }
        let plan = self.plans.value();
        if plan.number == 0 || (self.not_before).is_some_and(|time| plan.stamp < time) {
            return Mode::Stop(StopReason::NoPlan);
        }
        if plan.abandoned {
            return Mode::Stop(StopReason::PlannerFailed);
        }
        let newest_image = self.image_stamp.map_or(plan.stamp, |s| s.max(plan.stamp));
        if now.seconds_since(newest_image) > self.camera_limit_s {
            return Mode::Stop(StopReason::CameraSilent);
        }
        match plan.step_at(now) {
            Some(step) => Mode::Follow {
                plan: plan.number,
                step,
            },
            None => Mode::Stop(StopReason::PlanEnded),
        }
    }

    /// Writes the velocities in rad/s before the limits.
    fn wanted(&self, mode: Mode, wanted: &mut [f64]) {
        match mode {
            Mode::Follow { step, .. } => {
                let action = self.plans.value().action(step);
                for (joint, wanted) in wanted.iter_mut().enumerate() {
                    *wanted = f64::from(action[joint]) * self.robot.action_scale(joint);
                }
            }
            Mode::Stop(_) => wanted.fill(0.0),
        }
    }

    /// Writes the way-points from `now` to the end of the plan and on to rest, as [`Executor::tick`] would
    /// make them, one a control period. Call it after `tick` of the same time.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in joints times ticks of the plan.
    pub fn chunk(&self, now: Time, chunk: &mut Chunk) {
        let mode = self.mode(now);
        chunk.start = now;
        chunk.mode = mode;
        chunk.points.clear();
        let plan = self.plans.value();
        let tick = Duration::from_secs_f64(self.tick_period_s);
        let mut positions = self.positions.clone();
        let mut velocities = self.velocities.clone();
        let mut time = now;
        let mut wanted = [0.0; MAX_JOINTS];
        let wanted = &mut wanted[..self.robot.joints()];
        let mut step = plan.step_at(now);
        let following = matches!(mode, Mode::Follow { .. });
        // A stop takes at most the time to brake from the highest velocity; the bound only keeps
        // an absurd configuration from looping long.
        for _ in 0..100_000 {
            let next_step = if following { plan.step_at(time) } else { None };
            if next_step != step {
                self.push_point(now, time, &positions, &velocities, chunk);
                step = next_step;
            }
            match step.filter(|_| following) {
                Some(step) => self.wanted(
                    Mode::Follow {
                        plan: plan.number,
                        step,
                    },
                    wanted,
                ),
                None => {
                    if velocities.iter().all(|&v| v == 0.0) && time > now {
                        break;
                    }
                    wanted.fill(0.0);
                }
            }
            for (joint, wanted) in wanted.iter().enumerate() {
                velocities[joint] = self.robot.limit(
                    joint,
                    if wanted.is_finite() { *wanted } else { 0.0 },
                    velocities[joint],
                    self.joints_stamp.map(|_| positions[joint]),
                    self.tick_period_s,
                    self.tick_period_s,
                    &mut LimitHits::default(),
                );
                positions[joint] += velocities[joint] * self.tick_period_s;
            }
            time = time + tick;
        }
        velocities.fill(0.0);
        self.push_point(now, time, &positions, &velocities, chunk);
    }

    fn push_point(
        &self,
        start: Time,
        time: Time,
        positions: &JointVec,
        velocities: &JointVec,
        chunk: &mut Chunk,
    ) {
        let time_from_start = time.saturating_since(start);
        let same = (chunk.points.last_mut()).filter(|p| p.time_from_start == time_from_start);
        if let Some(last) = same {
            last.velocities.clone_from(velocities);
        } else if time_from_start > Duration::ZERO && chunk.points.len() < chunk.points.capacity() {
            chunk.points.push(ChunkPoint {
                time_from_start,
                positions: positions.clone(),
                velocities: velocities.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanSizes;
    use crate::robot;

    const TICK: Duration = Duration::from_millis(10);

    struct Bench {
        executor: Executor,
        plans: latest::Writer<Plan>,
        now: Time,
        positions: [f64; 2],
    }

    impl Bench {
        fn new() -> Self {
            let sizes = PlanSizes {
                horizon: 4,
                lead: 1,
                state: 1,
                action: 2,
            };
            let (plans, reader) = latest::channel(|| Plan::new(&sizes, Duration::from_millis(100)));
            Self {
                executor: Executor::new(&Config::default(), &robot::tests::robot(), reader),
                plans,
                now: Time::from_seconds(10.0),
                positions: [0.0; 2],
            }
        }

        fn publish(&mut self, action: [f32; 2]) {
            let (now, plan) = (self.now, self.plans.value_mut());
            plan.number += 1;
            plan.stamp = now;
            plan.start = now;
            plan.valid_until = plan.end();
            for pair in plan.actions.chunks_exact_mut(2) {
                pair.copy_from_slice(&action);
            }
            self.plans.publish();
        }

        fn sense(&mut self) {
            let joints = JointInput {
                stamp: self.now,
                positions: &self.positions,
                velocities: &[0.0; 2],
            };
            self.executor.joints(&joints).unwrap();
        }

        /// A tick with fresh joint states; the robot does as it is told.
        fn tick(&mut self) -> SetPoint {
            self.sense();
            self.blind_tick()
        }

        fn blind_tick(&mut self) -> SetPoint {
            let point = self.executor.tick(self.now);
            assert!(point.velocities.iter().all(|v| v.is_finite()));
            for (position, velocity) in self.positions.iter_mut().zip(&point.velocities) {
                *position += velocity * TICK.as_secs_f64();
            }
            self.now = self.now + TICK;
            point
        }
    }

    #[test]
    fn a_plan_is_followed_and_at_its_end_the_robot_brakes_to_rest() {
        let mut bench = Bench::new();
        bench.publish([0.4, 0.4]);
        let mut last = None;
        for number in 0..50 {
            let point = bench.tick();
            let step = number / 10;
            assert_eq!(point.mode, Mode::Follow { plan: 1, step });
            last = Some(point);
        }
        let velocities = last.unwrap().velocities;
        assert!((velocities[0] - 0.2).abs() < 1e-6 && (velocities[1] - 0.4).abs() < 1e-6);
        let mut before = velocities;
        for number in 0..50 {
            let point = bench.tick();
            assert_eq!(point.mode, Mode::Stop(StopReason::PlanEnded));
            for (v, u) in point.velocities.iter().zip(&before) {
                assert!(*v <= *u && (u - v) <= 5.0 * 0.01 + 1e-9, "{v} after {u}");
            }
            before = point.velocities;
            if number >= 8 {
                assert!(before.iter().all(|&v| v == 0.0), "at rest and held");
            }
        }
        assert_eq!(bench.executor.counts().followed, 50);
    }

    #[test]
    fn silent_joints_silent_camera_and_no_plan_stop_the_robot() {
        let mut bench = Bench::new();
        assert_eq!(
            bench.blind_tick().mode,
            Mode::Stop(StopReason::JointsSilent)
        );
        assert_eq!(bench.tick().mode, Mode::Stop(StopReason::NoPlan));
        bench.publish([0.4, 0.4]);
        bench.plans.value_mut().number = 1;
        bench.tick();
        let mut modes = Vec::new();
        for _ in 0..60 {
            modes.push(bench.blind_tick().mode);
        }
        assert_eq!(modes[58], Mode::Stop(StopReason::JointsSilent));
        assert!(bench.executor.velocities.iter().all(|&v| v == 0.0));

        bench.publish([0.4, 0.4]);
        let (stamp, plan) = (bench.now, bench.plans.value_mut());
        plan.number = 3;
        plan.stamp = stamp - Duration::from_millis(1500);
        plan.start = stamp;
        plan.valid_until = plan.end();
        bench.plans.publish();
        assert_eq!(bench.tick().mode, Mode::Stop(StopReason::CameraSilent));
        // The same plan with a younger image than its own: the camera is not silent.
        bench.executor.image(bench.now - Duration::from_millis(900));
        assert!(matches!(bench.tick().mode, Mode::Follow { .. }));
    }

    #[test]
    fn a_plan_that_is_older_than_the_camera_may_be_silent_is_followed_while_images_come() {
        let mut bench = Bench::new();
        bench.publish([0.1, 0.1]);
        let plan = bench.plans.value_mut();
        (plan.number, plan.stamp, plan.start) = (2, bench.now, bench.now);
        plan.period = Duration::from_secs(1); // 5 s, while the camera may be silent for 1 s
        plan.valid_until = plan.end();
        bench.plans.publish();
        for tick in 0..500 {
            if tick % 10 == 0 {
                bench.executor.image(bench.now);
            }
            let point = bench.tick();
            assert!(
                matches!(point.mode, Mode::Follow { .. }),
                "{tick}: {point:?}"
            );
        }
        assert_eq!(bench.tick().mode, Mode::Stop(StopReason::PlanEnded));
    }

    #[test]
    fn the_emergency_stop_is_latched_until_reset() {
        let mut bench = Bench::new();
        bench.publish([1.0, 0.5]);
        for _ in 0..10 {
            bench.tick();
        }
        bench.executor.estop();
        for _ in 0..20 {
            assert_eq!(bench.tick().mode, Mode::Stop(StopReason::EmergencyStop));
        }
        bench.publish([1.0, 0.5]);
        let point = bench.tick();
        assert_eq!(point.mode, Mode::Stop(StopReason::EmergencyStop));
        assert!(point.velocities.iter().all(|&v| v == 0.0));
        bench.executor.reset();
        assert!(matches!(bench.tick().mode, Mode::Follow { .. }));
    }

    #[test]
    fn numbers_that_are_not_finite_brake_the_robot() {
        let mut bench = Bench::new();
        bench.publish([0.4, 0.4]);
        for _ in 0..10 {
            bench.tick();
        }
        bench.publish([f32::NAN, 0.4]);
        for _ in 0..10 {
            bench.tick();
        }
        assert_eq!(bench.executor.counts().non_finite, 10);
        assert!(bench.executor.velocities.iter().all(|&v| v == 0.0));
    }

    #[test]
    fn an_abandoned_plan_stops_the_robot() {
        let mut bench = Bench::new();
        bench.publish([0.4, 0.4]);
        bench.tick();
        let now = bench.now;
        let plan = bench.plans.value_mut();
        (plan.number, plan.stamp, plan.start) = (2, now, now);
        plan.valid_until = plan.end();
        plan.abandoned = true;
        bench.plans.publish();
        assert_eq!(bench.tick().mode, Mode::Stop(StopReason::PlannerFailed));
    }

    #[test]
    fn limits_are_kept_and_reported() {
        let mut bench = Bench::new();
        bench.publish([1.0, 2.0]); // joint 1: 2 rad/s asked for, 0.8 allowed
        let point = bench.tick();
        assert_eq!(point.limits.velocity, 2);
        assert_eq!(point.limits.acceleration, 3);
        for _ in 0..40 {
            let point = bench.tick();
            assert!(point.velocities[1] <= 0.8);
        }
        assert!(bench.executor.counts().limited > 30);
    }

    #[test]
    fn a_late_tick_does_not_jump() {
        let mut bench = Bench::new();
        bench.publish([1.0, 0.5]);
        bench.tick();
        bench.now = bench.now + Duration::from_millis(300);
        let point = bench.tick();
        // As much as four ticks may change, no more.
        assert!(point.velocities[0] <= 0.05 + 4.0 * 0.05 + 1e-9, "{point:?}");
    }

    #[test]
    fn joint_states_that_repeat_or_are_not_finite_are_refused() {
        let mut bench = Bench::new();
        bench.sense();
        let sample = |stamp, position| JointInput {
            stamp,
            positions: if position {
                &[f64::NAN, 0.0]
            } else {
                &[0.0, 0.0]
            },
            velocities: &[0.0; 2],
        };
        let now = bench.now;
        assert!(bench.executor.joints(&sample(now, false)).is_err());
        assert!(bench.executor.joints(&sample(now + TICK, true)).is_err());
        assert_eq!(bench.executor.counts().refused_joints, 2);
    }

    #[test]
    fn chunks_end_at_rest_within_the_limits() {
        let mut bench = Bench::new();
        bench.publish([0.8, -0.6]);
        for _ in 0..15 {
            bench.tick();
        }
        bench.sense();
        let now = bench.now;
        let point = bench.executor.tick(now);
        let mut chunk = Chunk::with_steps(5);
        let room = chunk.points.capacity();
        bench.executor.chunk(now, &mut chunk);
        assert_eq!(chunk.points.capacity(), room, "no allocation");
        assert_eq!(chunk.start, now);
        let last = chunk.points.last().unwrap();
        assert!(last.velocities.iter().all(|&v| v == 0.0));
        // To the end of the plan (350 ms from here) and the braking (up to 120 ms) after it.
        let end_ms = last.time_from_start.as_millis();
        assert!((350..=490).contains(&end_ms), "{end_ms} ms");
        let mut before = (Duration::ZERO, point.positions.clone());
        for point in &chunk.points {
            assert!(point.time_from_start > before.0);
            let span = (point.time_from_start - before.0).as_secs_f64();
            for joint in 0..2 {
                let moved = (point.positions[joint] - before.1[joint]).abs();
                assert!(moved <= [0.5, 0.8][joint] * span + 1e-9);
                assert!(point.positions[joint].abs() <= 1.0 + 1e-9);
            }
            before = (point.time_from_start, point.positions.clone());
        }
        // 0.4 rad/s for 350 ms and half of that while braking 80 ms.
        let moved = before.1[0] - bench.positions[0];
        assert!((moved - (0.14 + 0.016)).abs() < 0.006, "{moved}");
    }

    #[test]
    fn a_chunk_without_a_plan_is_a_stop() {
        let mut bench = Bench::new();
        bench.publish([0.8, 0.8]);
        for _ in 0..20 {
            bench.tick();
        }
        bench.executor.estop();
        let point = bench.tick();
        let mut chunk = Chunk::with_steps(5);
        bench.executor.chunk(point.time, &mut chunk);
        assert_eq!(chunk.mode, Mode::Stop(StopReason::EmergencyStop));
        let last = chunk.points.last().unwrap();
        assert!(last.velocities.iter().all(|&v| v == 0.0));
        assert!(last.time_from_start <= Duration::from_millis(200));
    }
}
