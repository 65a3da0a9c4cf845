//! The executor: the newest plan by time, as joint set-points at the command rate.
//!
//! Actions are held for a control period, as they were in training; between periods the velocity
//! moves as fast as the limits of acceleration and jerk allow. While there is any [`StopReason`], the robot is
//! braked to rest and held. Nothing that is not finite ever leaves.

use std::time::Duration;

use latco_models::ActionKind;

use super::chunk::{Chunk, Course, OUTLIVES};
use super::set_point::{Mode, SetPoint};
use crate::config::{Config, LiveSettings};
use crate::constraints::{Constraints, Place};
use crate::inputs::{FUTURE_STAMP_S, InputError, JointInput, JointVec, MAX_JOINTS};
use crate::latest;
use crate::plan::Plan;
use crate::robot::Robot;
use crate::safety::failsafe::{Action, Decision, Failsafe, SLOW};
use crate::safety::keep_out::hold_back;
use crate::safety::limits::Motion;
use crate::safety::measurement::MeasurementGate;
use crate::safety::monitors::{Monitors, PlanFacts};
use crate::safety::plan_check::{PlanFindings, check_plan};
use crate::safety::profile::StepTimes;
use crate::safety::{StopReason, Surprise};
use crate::time::Time;

/// Time for which positions that were sent hold after the robot came to rest, s; from then on nothing is sent, and the next motion
/// begins where the joints are measured to be.
const REST_HOLDS_S: f64 = 0.5;

/// A set-point changes the motion by as many ticks' worth at most, however late it comes.
const LONGEST_STEP: f64 = 4.0;

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
    /// Number of plans that were refused as a whole.
    pub refused_plans: u64,
    /// Number of plans of which velocities beyond the limits were to be saturated.
    pub saturated_plans: u64,
    /// Number of plans that began more than the highest speed away from the velocity at that moment.
    pub plan_jumps: u64,
    /// Number of set-points that were slowed in front of what the robot has to keep away from.
    pub held_back: u64,
}

/// The executor, which turns plans into set-points. It does no I/O: time is an argument.
pub struct Executor {
    robot: Robot,
    plans: latest::Reader<Plan>,
    /// The newest plan that passed the check.
    plan: Box<Plan>,
    /// Whether a newer one was refused.
    is_plan_refused: bool,
    tick_period_s: f64,
    replan_every: u32,
    /// What the last set-point said.
    motion: Motion,
    /// Positions where the joints were last measured to be, moved on by the velocities since.
    positions: JointVec,
    /// What was sent last, one an action, in the unit of its kind. A position that is not known is NaN, and not sent.
    commands: JointVec,
    /// How long the robot has been at rest without a plan to follow, s.
    rested_s: f64,
    last_tick: Option<Time>,
    gate: MeasurementGate,
    monitors: Monitors,
    /// What the robot has to keep away from.
    constraints: Option<Constraints>,
    failsafe: Failsafe,
    clock_silent: bool,
    /// What the last set-point does.
    mode: Mode,
    /// Number of the clock's time line that plans have to be of.
    timeline: u64,
    /// Time before which an image must not lie for plans on it to be followed.
    not_before: Option<Time>,
    counts: ExecutorCounts,
}

impl Executor {
    /// Makes an executor at rest that takes its plans from `plans`.
    #[must_use]
    pub fn new(config: &Config, robot: &Robot, plans: latest::Reader<Plan>) -> Self {
        let budget = (config.planner.budget_ms).map(|ms| crate::time::span(ms * 1e-3));
        let (limits, moved) = (robot.joint_limits(), robot.moved_joints());
        let mut monitors = Monitors::new(limits, moved, robot.has_joint_states(), budget);
        monitors.set_limits(
            config.timeouts.camera_ms * 1e-3,
            config.timeouts.joints_ms * 1e-3,
        );
        Self {
            robot: robot.clone(),
            plan: Box::new(plans.value().clone()),
            plans,
            is_plan_refused: false,
            tick_period_s: 1.0 / config.control.command_rate_hz,
            replan_every: config.control.replan_every_periods,
            motion: Motion::rest(robot.actions()),
            positions: std::iter::repeat_n(0.0, robot.joint_limits().joints()).collect(),
            commands: unknown(robot),
            rested_s: f64::INFINITY,
            last_tick: None,
            gate: robot.gate(),
            monitors,
            // Plans are none of the executor's business, nor is their period.
            constraints: Constraints::new(config, robot.limits(), 1.0),
            failsafe: Failsafe::default(),
            clock_silent: false,
            mode: Mode::Stop(StopReason::NoPlan),
            timeline: 0,
            not_before: None,
            counts: ExecutorCounts::default(),
        }
    }

    /// Takes the newest joint states, at the time `now`.
    ///
    /// # Errors
    /// [`InputError`] for samples that [`MeasurementGate::admit`] refuses; they are counted and change nothing.
    pub fn joints(&mut self, joints: &JointInput<'_>, now: Time) -> Result<(), InputError> {
        self.gate
            .admit(joints, now)
            .inspect_err(|_| self.counts.refused_joints += 1)?;
        self.monitors.joints(joints.stamp, joints.positions);
        self.positions.copy_from_slice(joints.positions);
        Ok(())
    }

    /// Moves the regions that the robot is braked in front of, see [`crate::Controller::move_regions`].
    pub fn move_regions(&mut self, middles: &[Place]) {
        if let Some(constraints) = &mut self.constraints {
            constraints.move_regions(middles);
        }
    }

    /// Notes the stamp of the newest image that the belief took. A plan notes that of its own image, so that this is needed
    /// where images come without a plan for each. Older stamps change nothing, nor do those from before a hold ended or the
    /// clock jumped.
    pub fn image(&mut self, stamp: Time) {
        if self.is_after(stamp) {
            self.monitors.belief(stamp);
        }
    }

    /// Notes the newest image that came until `now`, whether or not the belief takes it, unless its stamp lies in the future.
    /// Its content is the same since the image of `same_since`. Needed where images are watched before the belief sees them.
    pub fn camera(&mut self, stamp: Time, same_since: Time, now: Time) {
        if self.is_after(stamp) && stamp.seconds_since(now) <= FUTURE_STAMP_S {
            self.monitors.camera(stamp, same_since);
        }
    }

    /// Notes for how long the planner has left an image waiting.
    pub fn planner_behind(&mut self, time: Duration) {
        self.monitors.planner_behind(time);
    }

    /// Whether an image of this stamp counts: not one from before a hold ended, the clock jumped, or the robot was lost.
    fn is_after(&self, stamp: Time) -> bool {
        self.not_before.is_none_or(|time| stamp >= time)
    }

    /// Forgets what was measured, as at the start of an episode, where a robot may be put elsewhere: until the next joint
    /// states come, the robot is stopped.
    pub fn forget_measurements(&mut self) {
        self.monitors.forget();
        self.failsafe.forget();
        self.gate.forget();
        self.commands = unknown(&self.robot);
        self.rested_s = f64::INFINITY;
    }

    /// Begins another time line after the clock has jumped to `now`: everything with a stamp is forgotten, and plans of
    /// another time line than `timeline` are never followed.
    pub fn begin_timeline(&mut self, timeline: u64, now: Time) {
        self.forget_measurements();
        self.timeline = timeline;
        self.last_tick = None;
        self.not_before = Some(now);
    }

    /// Notes whether the clock stands still while the machine's own runs on.
    pub fn set_clock_silent(&mut self, silent: bool) {
        self.clock_silent = silent;
        self.monitors.clock(silent);
    }

    /// Notes what the newest images ask for.
    pub fn set_surprise(&mut self, surprise: Surprise) {
        self.monitors.surprise(surprise);
    }

    /// Takes over what may change while it runs.
    pub fn set_live(&mut self, settings: &LiveSettings) {
        (self.monitors).set_limits(settings.camera_limit_s, settings.joints_limit_s);
        self.robot.set_velocity_scale(settings.velocity_scale);
    }

    /// Latches the emergency stop: the robot is braked and held until [`Executor::reset`].
    pub fn estop(&mut self) {
        self.failsafe.latch();
    }

    /// A person releases the emergency stop and whatever else is latched. Plans made before are followed again if still valid.
    pub fn reset(&mut self) {
        self.failsafe.reset();
    }

    /// Brakes and holds from now on.
    pub fn hold(&mut self) {
        self.failsafe.hold(true);
    }

    /// Ends a hold. What was measured before is forgotten, and only plans on images from `now` on are followed.
    pub fn release(&mut self, now: Time) {
        self.failsafe.hold(false);
        self.forget_measurements();
        self.not_before = Some(now);
    }

    /// Whether it holds.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.failsafe.is_held()
    }

    /// Whether the emergency stop is latched.
    #[must_use]
    pub fn is_estopped(&self) -> bool {
        self.failsafe.is_latched()
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> ExecutorCounts {
        self.counts
    }

    /// The newest plan that passed the check before it is followed.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the last set-point does about the faults that held.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.failsafe.decision()
    }

    /// Checks a newer plan, if there is one, and takes it over; a refused one is counted, and the one before is followed on.
    fn take_plan(&mut self, now: Time) {
        if !self.plans.update() {
            return;
        }
        let (plan, limits) = (self.plans.value(), self.robot.limits());
        let step = plan.step_at(now);
        let found = check_plan(plan, step, &self.motion.velocities, limits);
        self.is_plan_refused = found.is_err();
        let Ok(findings) = found else {
            self.counts.refused_plans += 1;
            return;
        };
        let PlanFindings {
            is_saturated,
            is_jump,
        } = findings;
        self.counts.saturated_plans += u64::from(is_saturated);
        self.counts.plan_jumps += u64::from(is_jump);
        self.plan.copy_from(plan);
    }

    /// The set-point for `now`.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in the joints.
    pub fn tick(&mut self, now: Time) -> SetPoint {
        self.take_plan(now);
        let since_last_s = match self.last_tick {
            // A clock that stands still must not keep the robot from braking.
            Some(last) if !self.clock_silent => now.seconds_since(last).max(0.0),
            _ => self.tick_period_s,
        };
        let elapsed_s = since_last_s.min(LONGEST_STEP * self.tick_period_s);
        self.last_tick = Some(now);
        let joints = &self.motion.velocities[..self.robot.moved_joints()];
        (self.robot.joint_limits()).advance(&mut self.positions, joints, elapsed_s);
        self.monitors.commanded(joints, elapsed_s);
        let mode = self.decide(now, since_last_s);
        self.begin_at_rest(mode, elapsed_s);
        let mut wanted = [0.0; MAX_JOINTS];
        let wanted = &mut wanted[..self.robot.actions()];
        if let Mode::Follow { step, .. } = mode {
            self.robot.speeds(self.plan.action(step), wanted);
            let share = self.speed_share();
            wanted.iter_mut().for_each(|velocity| *velocity *= share);
        }
        if !wanted.iter().all(|v| v.is_finite()) {
            self.counts.non_finite += 1;
            wanted.fill(0.0);
        }
        let is_known = self.monitors.knows_joints();
        if let (Some(constraints), true) = (&self.constraints, is_known) {
            let (limits, positions) = (self.robot.limits(), self.positions.as_slice());
            let slowed = hold_back(constraints, limits, positions, wanted, self.tick_period_s);
            self.counts.held_back += u64::from(slowed);
        }
        let times = StepTimes::held(elapsed_s.max(1e-6), self.tick_period_s);
        let places = self.robot.places(&self.positions, &self.commands);
        let known = is_known.then_some(places.as_slice());
        let limits = (self.robot.limits()).step(&mut self.motion, wanted, known, times);
        (self.robot).send(&self.motion.velocities, elapsed_s, &mut self.commands);
        if since_last_s > elapsed_s {
            // What changed did so over the whole time.
            for acceleration in &mut self.motion.accelerations {
                *acceleration *= elapsed_s / since_last_s;
            }
        }
        self.counts.ticks += 1;
        self.counts.followed += u64::from(matches!(mode, Mode::Follow { .. }));
        self.counts.limited += u64::from(limits.any());
        SetPoint {
            time: now,
            velocities: self.motion.velocities.clone(),
            commands: self.commands.clone(),
            positions: self.positions.clone(),
            mode,
            decision: self.failsafe.decision(),
            plan_stamp: matches!(mode, Mode::Follow { .. }).then_some(self.plan.stamp),
            limits,
        }
    }

    /// While the robot has rested for some time, and where none are known, the positions that would be sent are those where the
    /// joints are.
    fn begin_at_rest(&mut self, mode: Mode, elapsed_s: f64) {
        // After measurements were forgotten in motion there is nothing from which positions could go on.
        let is_unknown = self.commands.iter().any(|command| !command.is_finite());
        if (self.rested_s > REST_HOLDS_S || is_unknown) && self.monitors.knows_joints() {
            self.robot.stay_at(&self.positions, &mut self.commands);
        }
        self.rested_s = if matches!(mode, Mode::Follow { .. }) || !self.motion.is_rest() {
            0.0
        } else {
            self.rested_s + elapsed_s
        };
    }

    /// What the robot does at `now`: it follows the plan unless there is a reason to stop.
    fn decide(&mut self, now: Time, elapsed_s: f64) -> Mode {
        let plan = &self.plan;
        let is_plan = plan.number > 0
            && plan.valid_until > plan.start
            && plan.timeline == self.timeline
            && self.is_after(plan.stamp);
        let step = plan.step_at(now).filter(|_| is_plan);
        // The next one is due a period before this one's first planned action is over; a period late is no matter.
        let next_by = plan.stamp
            + plan
                .period
                .saturating_mul(self.replan_every.saturating_add(2));
        let facts = PlanFacts {
            stamp: is_plan.then_some(plan.stamp),
            has_action: step.is_some(),
            next_by,
            is_refused: self.is_plan_refused,
            is_abandoned: is_plan && plan.abandoned,
        };
        let conditions = self.monitors.conditions(now, facts);
        let number = plan.number;
        let decision = (self.failsafe).step(crate::time::span(elapsed_s), conditions);
        if conditions.has(StopReason::NotFollowing) {
            // Whatever was planned was planned for a robot that is elsewhere.
            self.not_before = Some(now);
        }
        self.mode = match (decision.action.is_stop(), step) {
            (false, Some(step)) => Mode::Follow { plan: number, step },
            _ => Mode::Stop(decision.reason.unwrap_or(StopReason::PlanEnded)),
        };
        self.mode
    }

    /// Share of the plan's velocities that is followed now.
    fn speed_share(&self) -> f64 {
        if self.failsafe.decision().action >= Action::Slow {
            SLOW
        } else {
            1.0
        }
    }

    /// Time after which a trajectory has to be sent again, if no newer plan has come: when the next plan is expected.
    #[must_use]
    pub fn chunk_renewal(&self) -> Duration {
        self.plan.period.saturating_mul(self.replan_every)
    }

    /// A chunk with room for whatever [`Executor::chunk`] fills in.
    #[must_use]
    pub fn empty_chunk(&self) -> Chunk {
        Chunk::with_room(&self.robot, self.plan(), 1.0 / self.tick_period_s)
    }

    /// Way-points from `now` along the plan and on to rest, by the same limits as those of [`Executor::tick`]. The plan is followed for [`OUTLIVES`] beyond the next expected one at most. Call it after `tick` of the same time.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in joints times ticks of the plan.
    pub fn chunk(&self, now: Time, chunk: &mut Chunk) {
        let course = Course {
            time: now,
            mode: self.mode,
            speed_share: self.speed_share(),
            positions: &self.positions,
            commands: &self.commands,
            constraints: self.constraints.as_ref(),
            positions_known: self.monitors.knows_joints(),
            motion: &self.motion,
            tick_s: self.tick_period_s,
            follow_until: now + self.chunk_renewal() + OUTLIVES,
        };
        chunk.fill(&course, &self.plan, &self.robot);
    }
}

/// Commands of which the positions are not known yet.
fn unknown(robot: &Robot) -> JointVec {
    let unknown = |kind: ActionKind| if kind.sends_position() { f64::NAN } else { 0.0 };
    robot.axes().iter().map(|axis| unknown(axis.kind)).collect()
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
            Self::with_jerk(f64::INFINITY)
        }

        fn with_jerk(jerk: f64) -> Self {
            Self::of(&robot::tests::robot(jerk))
        }

        fn of(robot: &Robot) -> Self {
            let sizes = PlanSizes {
                horizon: 4,
                lead: 1,
                state: 1,
                action: 2,
                goal: 0,
            };
            let (plans, reader) = latest::channel(|| Plan::new(&sizes, Duration::from_millis(100)));
            Self {
                executor: Executor::new(&Config::default(), robot, reader),
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
            self.executor.joints(&joints, self.now).unwrap();
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
        assert_eq!(bench.blind_tick().mode, Mode::Stop(StopReason::NoJoints));
        assert_eq!(bench.tick().mode, Mode::Stop(StopReason::NoPlan));
        bench.publish([0.4, 0.4]);
        bench.plans.value_mut().number = 1;
        bench.tick();
        let mut modes = Vec::new();
        for _ in 0..60 {
            modes.push(bench.blind_tick().mode);
        }
        assert_eq!(modes[58], Mode::Stop(StopReason::JointsSilent));
        assert!(bench.executor.motion.velocities.iter().all(|&v| v == 0.0));

        // Silence is over when it was for a second.
        for tick in 0..101 {
            bench.publish([0.4, 0.4]);
            let stopped = bench.tick().mode == Mode::Stop(StopReason::JointsSilent);
            assert_eq!(stopped, tick < 99, "{tick}");
        }
        let (stamp, plan) = (bench.now, bench.plans.value_mut());
        plan.number = 3;
        plan.stamp = stamp - Duration::from_millis(1500);
        plan.start = stamp;
        plan.valid_until = plan.end();
        bench.plans.publish();
        assert_eq!(bench.tick().mode, Mode::Stop(StopReason::CameraSilent));
        // The same plan with a younger image than its own: the camera is not silent, and after a second it is not held
        // against it any more.
        for tick in 0..101 {
            bench.executor.image(bench.now);
            let plan = bench.plans.value_mut();
            plan.start = bench.now;
            plan.number = 4 + tick;
            plan.valid_until = plan.end();
            bench.plans.publish();
            let is_followed = matches!(bench.tick().mode, Mode::Follow { .. });
            assert_eq!(is_followed, tick >= 99, "{tick}");
        }
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
    fn a_scene_that_the_model_does_not_predict_stops_the_robot() {
        let mut bench = Bench::new();
        bench.publish([0.4, 0.4]);
        assert!(matches!(bench.tick().mode, Mode::Follow { .. }));
        bench.executor.set_surprise(Surprise::Stop);
        for _ in 0..20 {
            assert_eq!(bench.tick().mode, Mode::Stop(StopReason::Surprised));
        }
        assert!(bench.executor.motion.velocities.iter().all(|&v| v == 0.0));
        bench.executor.set_surprise(Surprise::Slow);
        for _ in 0..100 {
            bench.publish([0.4, 0.4]);
            bench.tick();
        }
        let point = bench.tick();
        assert!(matches!(point.mode, Mode::Follow { .. }), "after a second");
        assert_eq!(point.decision.action, Action::Slow);
        for _ in 0..20 {
            bench.tick();
        }
        let slowly = bench.executor.motion.velocities.clone();
        assert!((slowly[0] - 0.1).abs() < 1e-6 && (slowly[1] - 0.2).abs() < 1e-6);
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
    fn a_plan_that_is_refused_leaves_the_one_before_to_its_end() {
        let mut bench = Bench::new();
        bench.publish([0.4, 0.4]);
        for _ in 0..10 {
            bench.tick();
        }
        bench.publish([f32::NAN, 0.4]);
        for _ in 0..40 {
            let point = bench.tick();
            assert!(matches!(point.mode, Mode::Follow { plan: 1, .. }));
            assert_eq!(point.decision.action, Action::HoldPlan);
            assert_eq!(point.decision.reason, Some(StopReason::PlanRefused));
        }
        for _ in 0..20 {
            assert_eq!(bench.tick().mode, Mode::Stop(StopReason::PlanEnded));
        }
        assert!(bench.executor.motion.is_rest());
        bench.publish([1.7, 0.0]);
        assert_eq!(bench.tick().mode, Mode::Stop(StopReason::PlanEnded));
        assert_eq!(bench.executor.counts().refused_plans, 2);
        assert_eq!(bench.executor.counts().non_finite, 0);
        bench.publish([1.2, 0.0]);
        let point = bench.tick();
        assert!(matches!(point.mode, Mode::Follow { .. }));
        // No image came meanwhile, which is told and nothing more.
        assert!(
            point.decision.action <= Action::Warn,
            "{:?}",
            point.decision
        );
        assert_eq!(bench.executor.counts().saturated_plans, 1);
    }

    #[test]
    fn row_15_a_robot_that_does_not_follow_is_stopped_and_its_plans_are_void() {
        let mut bench = Bench::new();
        bench.publish([0.8, 0.0]);
        let mut stopped = None;
        for tick in 0..100 {
            if tick % 10 == 0 {
                bench.publish([0.8, 0.0]);
            }
            bench.positions = [0.0; 2];
            if bench.tick().mode == Mode::Stop(StopReason::NotFollowing) {
                stopped.get_or_insert(tick);
            }
        }
        // 0.25 rad at 0.4 rad/s.
        assert!(
            stopped.is_some_and(|tick| (60..90).contains(&tick)),
            "{stopped:?}"
        );
        assert!(bench.executor.motion.is_rest());
        // What was planned before it was lost is not followed.
        for _ in 0..110 {
            let mode = bench.tick().mode;
            assert!(matches!(mode, Mode::Stop(_)), "{mode:?}");
        }
        bench.publish([0.1, 0.0]);
        assert!(matches!(bench.tick().mode, Mode::Follow { .. }));
    }

    #[test]
    fn jerk_is_limited_in_motion_and_in_a_stop_and_so_are_way_points() {
        let mut bench = Bench::with_jerk(50.0);
        let mut chunk = bench.executor.empty_chunk();
        let mut before: Option<(Time, [f64; 2], [f64; 2])> = None;
        for tick in 0..300_u32 {
            if tick % 10 == 0 && tick < 200 {
                let sign = if tick % 60 < 30 { 1.0 } else { -1.0 };
                bench.publish([sign, -0.8 * sign]);
            }
            if tick == 150 {
                bench.executor.estop();
            }
            let point = bench.tick();
            let dt = 0.01;
            let v = [point.velocities[0], point.velocities[1]];
            let (_, u, b) = before.unwrap_or((point.time, [0.0; 2], [0.0; 2]));
            let a = [(v[0] - u[0]) / dt, (v[1] - u[1]) / dt];
            for joint in 0..2 {
                assert!(a[joint].abs() <= 5.0 + 1e-6, "{a:?}");
                assert!(
                    (a[joint] - b[joint]).abs() <= 50.0 * dt + 1e-6,
                    "{a:?} {b:?}"
                );
            }
            before = Some((point.time, v, a));
            bench.executor.chunk(point.time, &mut chunk);
            let mut last = (Duration::ZERO, point.velocities.clone());
            let mut slope = [0.0; 2];
            for (number, point) in chunk.points.iter().enumerate() {
                let span = (point.time_from_start - last.0).as_secs_f64();
                for (joint, slope) in slope.iter_mut().enumerate() {
                    let now = (point.velocities[joint] - last.1[joint]) / span;
                    assert!(now.abs() <= 5.0 + 1e-6);
                    let change = (now - *slope).abs();
                    assert!(
                        number == 0 || change <= 50.0 * 0.011,
                        "{change} at {number}"
                    );
                    *slope = now;
                }
                last = (point.time_from_start, point.velocities.clone());
            }
        }
        assert!(bench.executor.motion.is_rest());
    }

    #[test]
    fn positions_that_are_sent_keep_all_limits_and_begin_where_the_joints_are() {
        let mut bench = Bench::of(&robot::tests::of_kind(50.0, ActionKind::JointPosition));
        bench.positions = [0.2, -0.1];
        let first = bench.tick();
        assert_eq!(
            first.commands.as_slice(),
            [0.2, -0.1],
            "where the joints are"
        );
        let (mut before, mut chunk) = (first, bench.executor.empty_chunk());
        for tick in 0..400_u32 {
            if tick % 10 == 0 && tick < 300 {
                // The first joint gets to its end; the robot trails what it is sent by a little.
                bench.publish([1.0, if tick < 40 { -0.5 } else { 0.0 }]);
            }
            let point = bench.tick();
            let last = &before;
            for joint in 0..2 {
                let moved = point.commands[joint] - last.commands[joint];
                assert!((moved - point.velocities[joint] * 0.01).abs() < 1e-9);
                let gained = point.velocities[joint] - last.velocities[joint];
                assert!(gained.abs() <= 5.0 * 0.01 + 1e-9, "{gained} at {tick}");
                assert!(point.velocities[joint].abs() <= [0.5, 0.8][joint] + 1e-9);
                assert!(point.commands[joint].abs() <= 1.0 + 1e-9);
            }
            bench.executor.chunk(point.time, &mut chunk);
            let end = chunk.points.last().unwrap();
            assert!(end.positions.iter().all(|q| q.abs() <= 1.0 + 1e-9));
            before = point;
        }
        assert!((before.commands[0] - 1.0).abs() < 0.01, "{before:?}");
        assert!((before.commands[1] + 0.3).abs() < 0.02, "{before:?}");
        // Somebody moves it while it rests; it begins where it is.
        bench.positions = [0.9, 0.0];
        bench.executor.forget_measurements();
        let point = bench.tick();
        assert_eq!(point.commands.as_slice(), [0.9, 0.0]);
    }

    #[test]
    fn positions_go_on_from_the_joints_where_measurements_were_forgotten_in_motion() {
        let mut bench = Bench::of(&robot::tests::of_kind(50.0, ActionKind::JointPosition));
        bench.publish([1.0, -0.5]);
        for _ in 0..20 {
            bench.tick();
        }
        bench.executor.forget_measurements();
        bench.blind_tick();
        bench.positions = [-0.5, 0.5];
        bench.publish([1.0, -0.5]);
        for _ in 0..10 {
            let point = bench.tick();
            for (command, position) in point.commands.iter().zip(&bench.positions) {
                assert!((command - position).abs() < 0.05, "{point:?}");
            }
        }
    }

    #[test]
    fn changes_of_positions_move_the_joints_as_their_velocities_do_and_send_positions() {
        let mut bench = Bench::of(&robot::tests::of_kind(
            f64::INFINITY,
            ActionKind::JointPositionChange,
        ));
        let mut other = Bench::new();
        bench.publish([0.4, 0.4]);
        other.publish([0.4, 0.4]);
        for _ in 0..30 {
            let (point, same) = (bench.tick(), other.tick());
            assert_eq!(point.velocities, same.velocities);
            assert_eq!(same.commands, same.velocities);
            for joint in 0..2 {
                assert!((point.commands[joint] - bench.positions[joint]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_twist_needs_no_joints_of_its_own_and_keeps_its_limits() {
        let mut bench = Bench::of(&robot::tests::of_kind(
            f64::INFINITY,
            ActionKind::TwistLinearX,
        ));
        let still = bench.positions;
        for tick in 0..120 {
            if tick % 10 == 0 {
                bench.publish([1.0, -1.0]);
            }
            // Whoever turns the twist into joint velocities moves them as far as this.
            bench.positions = still.map(|position| position + 0.8 * f64::from(tick) / 120.0);
            let point = bench.tick();
            assert!(matches!(point.mode, Mode::Follow { .. }), "{point:?}");
            assert_eq!(point.commands.as_slice(), [0.5, -1.0]);
        }
        bench.executor.estop();
        assert_eq!(bench.tick().commands.as_slice(), [0.0, 0.0]);
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
        bench.publish([1.0, 1.4]); // joint 1: 1.4 rad/s asked for, 0.8 allowed
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
        assert!(bench.executor.joints(&sample(now, false), now).is_err());
        assert!(
            bench
                .executor
                .joints(&sample(now + TICK, true), now)
                .is_err()
        );
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
        let mut chunk = bench.executor.empty_chunk();
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
        let mut chunk = bench.executor.empty_chunk();
        bench.executor.chunk(point.time, &mut chunk);
        assert_eq!(chunk.mode, Mode::Stop(StopReason::EmergencyStop));
        let last = chunk.points.last().unwrap();
        assert!(last.velocities.iter().all(|&v| v == 0.0));
        assert!(last.time_from_start <= Duration::from_millis(200));
    }

    #[test]
    fn f02_a_joint_state_from_the_future_is_refused_and_silence_is_noticed() {
        let mut bench = Bench::new();
        bench.publish([0.4, 0.4]);
        bench.tick();
        let ahead = JointInput {
            stamp: bench.now + Duration::from_secs(86_400),
            positions: &[0.5, 0.5],
            velocities: &[0.0; 2],
        };
        let error = bench.executor.joints(&ahead, bench.now).unwrap_err();
        assert!(matches!(error, InputError::FutureStamp { .. }), "{error}");
        assert_eq!(bench.executor.counts().refused_joints, 1);
        bench.tick(); // the true ones are still taken
        let modes: Vec<_> = (0..60).map(|_| bench.blind_tick().mode).collect();
        assert_eq!(modes[59], Mode::Stop(StopReason::JointsSilent));
        let before = bench.executor.positions.clone();
        assert_eq!(
            bench.blind_tick().positions,
            before,
            "dead reckoning is at its end"
        );
    }

    #[test]
    fn f02_reset_and_activation_forget_what_was_measured() {
        let mut bench = Bench::new();
        bench.publish([0.1, 0.1]);
        assert!(matches!(bench.tick().mode, Mode::Follow { .. }));
        bench.executor.forget_measurements();
        assert_eq!(bench.blind_tick().mode, Mode::Stop(StopReason::NoJoints));
        // Somewhere else, with the same stamp as the last.
        bench.positions = [0.9, -0.9];
        bench.sense();
        assert!(matches!(bench.blind_tick().mode, Mode::Follow { .. }));
        bench.executor.hold();
        bench.executor.release(bench.now);
        assert_eq!(bench.blind_tick().mode, Mode::Stop(StopReason::NoJoints));
    }

    #[test]
    fn f05_no_way_point_leaves_the_limits() {
        let mut bench = Bench::new();
        bench.publish([0.8, -0.8]);
        bench.positions = [0.93, -0.93];
        bench.tick();
        // Wrong by 100 rad now and then.
        let mut chunk = bench.executor.empty_chunk();
        for tick in 0..200 {
            if tick % 40 == 0 {
                bench.publish([1.0, -1.0]);
            }
            if tick % 5 == 0 {
                let wrong = JointInput {
                    stamp: bench.now,
                    positions: &[100.0, -100.0],
                    velocities: &[0.0; 2],
                };
                assert!(bench.executor.joints(&wrong, bench.now).is_err());
            }
            let point = bench.tick();
            bench.executor.chunk(point.time, &mut chunk);
            for point in &chunk.points {
                for position in &point.positions {
                    assert!(position.abs() <= 1.0, "{point:?}");
                }
            }
        }
        assert_eq!(bench.executor.counts().refused_joints, 40);
    }

    #[test]
    fn f08_a_clock_that_stands_still_brakes_the_robot() {
        let mut bench = Bench::new();
        bench.publish([0.8, 0.8]);
        for _ in 0..20 {
            bench.tick();
        }
        let now = bench.now;
        assert!(bench.executor.motion.velocities.iter().all(|&v| v > 0.3));
        bench.executor.set_clock_silent(true);
        for _ in 0..20 {
            let point = bench.executor.tick(now);
            assert_eq!(point.mode, Mode::Stop(StopReason::ClockSilent));
        }
        assert!(bench.executor.motion.velocities.iter().all(|&v| v == 0.0));
        bench.executor.set_clock_silent(false);
        for tick in 0..101 {
            bench.publish([0.8, 0.8]);
            let is_followed = matches!(bench.tick().mode, Mode::Follow { .. });
            assert_eq!(is_followed, tick >= 100, "{tick}");
        }
    }

    #[test]
    fn f10_a_trajectory_follows_its_plan_for_half_a_second_beyond_the_next_one() {
        let mut bench = Bench::new();
        bench.publish([0.1, 0.1]);
        let plan = bench.plans.value_mut();
        (plan.number, plan.stamp, plan.start) = (2, bench.now, bench.now);
        plan.period = Duration::from_secs(1); // to be followed for 5 s
        plan.valid_until = plan.end();
        bench.plans.publish();
        let point = bench.tick();
        let mut chunk = bench.executor.empty_chunk();
        bench.executor.chunk(point.time, &mut chunk);
        assert_eq!(bench.executor.chunk_renewal(), Duration::from_secs(1));
        let last = chunk.points.last().unwrap();
        // The next plan is due after 1 s; 20 ms to brake.
        let end_ms = last.time_from_start.as_millis();
        assert!((1500..=1530).contains(&end_ms), "{end_ms} ms");
        assert!(last.velocities.iter().all(|&v| v == 0.0));
    }

    #[test]
    fn f20_no_plan_of_another_time_line_is_ever_followed() {
        let mut bench = Bench::new();
        bench.publish([0.4, 0.4]);
        let plan = bench.plans.value_mut();
        (plan.number, plan.stamp, plan.start) = (2, bench.now, bench.now);
        plan.period = Duration::from_secs(2);
        plan.valid_until = plan.end();
        bench.plans.publish();
        assert!(matches!(bench.tick().mode, Mode::Follow { .. }));
        // The clock jumps back by 4 s, and its time comes again.
        bench.now = bench.now - Duration::from_secs(4);
        bench.executor.begin_timeline(1, bench.now);
        for _ in 0..800 {
            let point = bench.tick();
            assert_eq!(point.mode, Mode::Stop(StopReason::NoPlan));
        }
        // One that was under way when it jumped, with a stamp of the time before.
        let (stamp, plan) = (bench.now, bench.plans.value_mut());
        (plan.number, plan.stamp, plan.start) = (3, stamp, stamp);
        plan.valid_until = plan.end();
        bench.plans.publish();
        assert_eq!(bench.tick().mode, Mode::Stop(StopReason::NoPlan));
        let (stamp, plan) = (bench.now, bench.plans.value_mut());
        (plan.number, plan.stamp, plan.start, plan.timeline) = (4, stamp, stamp, 1);
        plan.valid_until = plan.end();
        bench.plans.publish();
        assert!(matches!(bench.tick().mode, Mode::Follow { plan: 4, .. }));
    }
}
