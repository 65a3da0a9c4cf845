//! The executor: the newest plan by time, as joint set-points at the command rate.
//!
//! Actions are held for a control period, as they were in training; between periods the velocity
//! moves as fast as the acceleration limit allows. When there is no valid plan, the joint states
//! or the camera are too old, or the emergency stop is latched, the robot is braked to rest and
//! held. Nothing that is not finite ever leaves.

use std::time::Duration;

use crate::config::Config;
use crate::inputs::{InputError, JointInput, JointVec, MAX_JOINTS};
use crate::latest;
use crate::plan::Plan;
use crate::robot::Robot;
use crate::time::Time;

/// Why the robot is moved as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The step of the plan with this number is followed.
    Follow {
        /// Number of the plan.
        plan: u64,
        /// Step in it.
        step: usize,
    },
    /// Braking, or at rest, for this reason.
    Stop(StopReason),
}

/// Why the robot is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopReason {
    /// There was no plan yet.
    NoPlan,
    /// The newest plan is at its end.
    PlanEnded,
    /// The newest plan is based on an image that is too old.
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
    /// The name as it stands in reports.
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

/// Which limits changed a set-point, one bit a joint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitHits {
    /// Position.
    pub position: u16,
    /// Velocity.
    pub velocity: u16,
    /// Acceleration.
    pub acceleration: u16,
}

impl LimitHits {
    /// Whether any limit was hit.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// What to send to the robot now.
#[derive(Clone, Debug, PartialEq)]
pub struct SetPoint {
    /// When it applies.
    pub time: Time,
    /// Joint velocities in rad/s.
    pub velocities: JointVec,
    /// Joint positions expected now in rad, from the joint states and the commands since.
    pub positions: JointVec,
    /// Why.
    pub mode: Mode,
    /// Stamp of the image that the followed plan is based on.
    pub plan_stamp: Option<Time>,
    /// Limits that changed it.
    pub limits: LimitHits,
}

/// One way-point of a [`Chunk`].
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkPoint {
    /// From the chunk's start.
    pub time_from_start: Duration,
    /// Joint positions in rad.
    pub positions: JointVec,
    /// Joint velocities in rad/s.
    pub velocities: JointVec,
}

/// Way-points to the end of the plan and on to rest, for joint_trajectory_controller.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// When it starts.
    pub start: Time,
    /// Why it moves as it does.
    pub mode: Mode,
    /// The points; the last is at rest.
    pub points: Vec<ChunkPoint>,
}

impl Chunk {
    /// Room for the chunks of a plan of `steps` steps.
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
    /// Set-points made.
    pub ticks: u64,
    /// Set-points that follow a plan.
    pub followed: u64,
    /// Set-points that a limit changed.
    pub limited: u64,
    /// Numbers that were not finite and were replaced by braking.
    pub non_finite: u64,
    /// Joint samples refused.
    pub refused_joints: u64,
}

/// Turns plans into set-points. Sans-io: time is an argument.
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
    estop: bool,
    hold: Option<StopReason>,
    counts: ExecutorCounts,
}

impl Executor {
    /// An executor at rest that takes its plans from `plans`.
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
            estop: false,
            hold: None,
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

    /// Latches the emergency stop: the robot is braked and held until [`Executor::reset`].
    pub fn estop(&mut self) {
        self.estop = true;
    }

    /// Releases the emergency stop. Plans made before are followed again if still valid.
    pub fn reset(&mut self) {
        self.estop = false;
    }

    /// Brakes and holds from now on, for this reason.
    pub fn hold(&mut self, reason: StopReason) {
        self.hold = Some(reason);
    }

    /// Whether the emergency stop is latched.
    #[must_use]
    pub fn is_estopped(&self) -> bool {
        self.estop
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> ExecutorCounts {
        self.counts
    }

    /// The newest plan it has seen.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.plans.value()
    }

    /// Takes over a newer plan if there is one; says whether there was. [`Executor::tick`] does
    /// so itself.
    pub fn update(&mut self) -> bool {
        self.plans.update()
    }

    /// The set-point for `now`.
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
        if plan.number == 0 {
            return Mode::Stop(StopReason::NoPlan);
        }
        if plan.abandoned {
            return Mode::Stop(StopReason::PlannerFailed);
        }
        if now.seconds_since(plan.stamp) > self.camera_limit_s {
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

    /// Velocities in rad/s before the limits.
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

    /// Way-points from `now` to the end of the plan and on to rest, as [`Executor::tick`] would
    /// make them; one a control period. Call it after `tick` of the same time.
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
