//! Way-points for controllers that follow trajectories.

use std::time::Duration;

use super::set_point::Mode;
use crate::constraints::Constraints;
use crate::inputs::{JointVec, MAX_JOINTS};
use crate::plan::Plan;
use crate::robot::Robot;
use crate::safety::StopReason;
use crate::safety::keep_out::hold_back;
use crate::safety::limits::StepTimes;
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

    /// Fills in way-points from a motion along `plan` and on to rest, one a control period.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in joints times ticks of the plan.
    pub(super) fn fill(&mut self, from: &Motion<'_>, plan: &Plan, robot: &Robot) {
        self.start = from.time;
        self.mode = from.mode;
        self.points.clear();
        let limits = robot.limits();
        let tick = crate::time::span(from.tick_s);
        let times = StepTimes {
            elapsed_s: from.tick_s,
            ahead_s: from.tick_s,
        };
        let (mut positions, mut velocities) = (from.positions.clone(), from.velocities.clone());
        let mut time = from.time;
        let mut wanted = [0.0; MAX_JOINTS];
        let wanted = &mut wanted[..robot.joints()];
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
            if next_step != step {
                self.push(time, &positions, &velocities);
                step = next_step;
            }
            match step {
                Some(step) => robot.velocities(plan.action(step), wanted),
                None => {
                    if velocities.iter().all(|&v| v == 0.0) && time > from.time {
                        break;
                    }
                    wanted.fill(0.0);
                }
            }
            let known = from.positions_known.then_some(positions.as_slice());
            if let (Some(constraints), Some(positions)) = (from.constraints, known) {
                hold_back(constraints, limits, positions, wanted, from.tick_s);
            }
            limits.step(&mut velocities, wanted, known, times);
            limits.advance(&mut positions, &velocities, from.tick_s);
            time = time + tick;
        }
        velocities.fill(0.0);
        self.push(time, &positions, &velocities);
    }

    fn push(&mut self, time: Time, positions: &JointVec, velocities: &JointVec) {
        let time_from_start = time.saturating_since(self.start);
        let same = (self.points.last_mut()).filter(|p| p.time_from_start == time_from_start);
        if let Some(last) = same {
            last.velocities.clone_from(velocities);
        } else if time_from_start > Duration::ZERO && self.points.len() < self.points.capacity() {
            self.points.push(ChunkPoint {
                time_from_start,
                positions: positions.clone(),
                velocities: velocities.clone(),
            });
        }
    }
}

/// What a chunk begins with.
pub(super) struct Motion<'a> {
    pub(super) time: Time,
    pub(super) mode: Mode,
    pub(super) positions: &'a JointVec,
    /// What the robot has to keep away from.
    pub(super) constraints: Option<&'a Constraints>,
    /// Whether the positions were measured, so that the position limits can be kept.
    pub(super) positions_known: bool,
    pub(super) velocities: &'a JointVec,
    /// Time of a tick, s.
    pub(super) tick_s: f64,
    /// From then on it brakes to rest, whatever the plan says.
    pub(super) follow_until: Time,
}
