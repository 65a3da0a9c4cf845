//! Way-points for controllers that follow trajectories.

use std::time::Duration;

use super::set_point::Mode;
use crate::constraints::Constraints;
use crate::inputs::{JointVec, MAX_JOINTS};
use crate::plan::Plan;
use crate::robot::Robot;
use crate::safety::StopReason;
use crate::safety::keep_out::hold_back;
use crate::safety::limits::Motion;
use crate::safety::profile::StepTimes;
use crate::time::Time;

/// Time for which a trajectory follows its plan beyond the moment at which the next one is expected; then it brakes to rest.
///
/// Whoever follows trajectories goes on when this process has died, and for no longer than that.
pub const OUTLIVES: Duration = Duration::from_millis(500);

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

/// Least time between two way-points but the ends of plan steps. Splines through way-points as dense keep the limits between
/// them too.
const SPACING: Duration = Duration::from_millis(10);

impl Chunk {
    /// Makes a chunk with room for every motion along plans of the sizes of `plan`, with a command rate of `rate_hz`.
    #[must_use]
    pub fn with_room(robot: &Robot, plan: &Plan, rate_hz: f64) -> Self {
        let stops = (0..robot.moved_joints())
            .map(|joint| robot.limits().longest_stop(joint, 1.0 / rate_hz));
        let whole =
            plan.period * plan.steps() as u32 + crate::time::span(stops.fold(0.0, f64::max));
        let points = whole.as_nanos()
            / SPACING
                .as_nanos()
                .max(crate::time::span(1.0 / rate_hz).as_nanos());
        Self {
            start: Time(0),
            mode: Mode::Stop(StopReason::NoPlan),
            points: Vec::with_capacity(points as usize + plan.steps() + 4),
        }
    }

    /// Fills in way-points from a motion along `plan` and on to rest, at every tick or every 10 ms where ticks are shorter.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in joints times ticks of the plan.
    pub(super) fn fill(&mut self, from: &Course<'_>, plan: &Plan, robot: &Robot) {
        self.start = from.time;
        self.mode = from.mode;
        self.points.clear();
        let limits = robot.limits();
        let tick = crate::time::span(from.tick_s);
        let times = StepTimes::interpolated(from.tick_s);
        let (mut positions, mut motion) = (from.positions.clone(), from.motion.clone());
        let mut time = from.time;
        let mut wanted = [0.0; MAX_JOINTS];
        let wanted = &mut wanted[..robot.actions()];
        let moved = robot.moved_joints();
        let mut commands = from.commands.clone();
        let following = matches!(from.mode, Mode::Follow { .. });
        let step_at = |time| {
            let followed = following && time < from.follow_until;
            followed.then(|| plan.step_at(time)).flatten()
        };
        let mut step = step_at(time);
        // A stop takes at most the time to brake from the highest velocity; the bound only keeps an absurd configuration from
        // looping long.
        for _ in 0..100_000 {
            let next_step = step_at(time);
            if next_step != step || self.since_last(time) >= SPACING {
                self.push(time, &positions, &commands, &motion.velocities, robot);
                step = next_step;
            }
            match step {
                Some(step) => {
                    robot.speeds(plan.action(step), wanted);
                    wanted.iter_mut().for_each(|v| *v *= from.speed_share);
                }
                None => {
                    if motion.is_rest() && time > from.time {
                        break;
                    }
                    wanted.fill(0.0);
                }
            }
            if let (Some(constraints), true) = (from.constraints, from.positions_known) {
                hold_back(constraints, limits, &positions, wanted, from.tick_s);
            }
            let places = robot.places(&positions, &commands);
            let known = from.positions_known.then_some(places.as_slice());
            let before = motion.velocities.clone();
            limits.step(&mut motion, wanted, known, times);
            let mut mean = before;
            for (mean, after) in mean.iter_mut().zip(&motion.velocities) {
                *mean = 0.5 * (*mean + after);
            }
            (robot.joint_limits()).advance(&mut positions, &mean[..moved], from.tick_s);
            robot.send(&mean, from.tick_s, &mut commands);
            time = time + tick;
        }
        motion.velocities.fill(0.0);
        self.push(time, &positions, &commands, &motion.velocities, robot);
    }

    /// Time from the last way-point, or the start, to `time`.
    fn since_last(&self, time: Time) -> Duration {
        let last = (self.points.last()).map_or(Duration::ZERO, |point| point.time_from_start);
        time.saturating_since(self.start).saturating_sub(last)
    }

    /// Adds a way-point of the joints that are moved: where they are, or where they are sent.
    fn push(
        &mut self,
        time: Time,
        positions: &JointVec,
        commands: &JointVec,
        velocities: &JointVec,
        robot: &Robot,
    ) {
        let time_from_start = time.saturating_since(self.start);
        if time_from_start == Duration::ZERO {
            return;
        }
        let moved = robot.moved_joints();
        let point = ChunkPoint {
            time_from_start,
            positions: robot
                .places(positions, commands)
                .into_iter()
                .take(moved)
                .collect(),
            velocities: velocities.iter().copied().take(moved).collect(),
        };
        let is_full = self.points.len() == self.points.capacity();
        match self.points.last_mut() {
            Some(last) if is_full || last.time_from_start == time_from_start => *last = point,
            _ => self.points.push(point),
        }
    }
}

/// What a chunk begins with.
pub(super) struct Course<'a> {
    pub(super) time: Time,
    pub(super) mode: Mode,
    /// Share of the plan's velocities that is followed.
    pub(super) speed_share: f64,
    pub(super) positions: &'a JointVec,
    /// What was sent last, one an action.
    pub(super) commands: &'a JointVec,
    /// What the robot has to keep away from.
    pub(super) constraints: Option<&'a Constraints>,
    /// Whether the positions were measured, so that the position limits can be kept.
    pub(super) positions_known: bool,
    pub(super) motion: &'a Motion,
    /// Time of a tick, s.
    pub(super) tick_s: f64,
    /// From then on it brakes to rest, whatever the plan says.
    pub(super) follow_until: Time,
}
