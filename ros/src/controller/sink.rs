//! The way from the executor thread to the command topic, without allocating or waiting on that thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::Sender;
use crossbeam::queue::ArrayQueue;
use latco_bag::messages::{
    self, Float64MultiArray, Header, JointTrajectory, JointTrajectoryPoint, TwistStamped,
};
use latco_controller::execute::{Action, Chunk, Decision, Mode, SetPoint, StopReason};
use latco_controller::runtime::CommandSink;
use latco_controller::{Time, inputs::JointVec};

use crate::middleware::{Outbox, Published, Receipt};

/// Time for which zero set-points go on after the robot is at rest; then there is silence.
const REST_NOTICE: Duration = Duration::from_millis(500);

/// State of the executor, for the status.
#[derive(Debug, Default)]
pub(super) struct MotionStatus {
    /// 0 while there was nothing yet; else the number of the action from 1, and 256 times that of the reason from 1.
    decision: AtomicU16,
    limited: AtomicU64,
    moving: AtomicBool,
}

impl MotionStatus {
    fn note(&self, point: &SetPoint) {
        let Decision { action, reason } = point.decision;
        let reason = reason.map_or(0, |reason| 1 + reason as u16);
        let decision = 1 + action as u16 + 256 * reason;
        self.decision.store(decision, Ordering::Relaxed);
        self.moving.store(
            point.velocities.iter().any(|&v| v != 0.0),
            Ordering::Relaxed,
        );
        if point.limits.any() {
            self.limited.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is done about the faults that hold.
    pub(super) fn decision(&self) -> Decision {
        let number = usize::from(self.decision.load(Ordering::Relaxed));
        let (action, reason) = (number % 256, number / 256);
        match Action::ALL.get(action.wrapping_sub(1)) {
            Some(action) => Decision {
                action: *action,
                reason: StopReason::ALL.get(reason.wrapping_sub(1)).copied(),
            },
            None => Decision {
                action: Action::Stop,
                reason: Some(StopReason::NoPlan),
            },
        }
    }

    /// Whether the last set-point was not zero.
    pub(super) fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Relaxed)
    }

    /// Number of set-points that a limit changed.
    pub(super) fn limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }
}

/// Makes the message for `commands`, when it leaves.
pub(super) fn numbers_message(numbers: JointVec) -> Float64MultiArray {
    Float64MultiArray::vector(numbers.to_vec())
}

/// A twist on its way to a servo.
pub(super) struct Twist {
    time: Time,
    values: [f64; 6],
    frame: Arc<str>,
}

/// Makes the twist for `commands`, when it leaves.
pub(super) fn twist_message(twist: Twist) -> TwistStamped {
    TwistStamped {
        header: Header::new(twist.time.0, &twist.frame),
        twist: twist.values.into(),
    }
}

/// A chunk on loan from the pool; gives itself back when it has become a message.
pub(super) struct PooledChunk {
    chunk: Option<Box<Chunk>>,
    joints: Arc<[String]>,
    pool: Arc<ArrayQueue<Box<Chunk>>>,
}

/// Makes the trajectory for `joint_trajectory`, when it leaves. Its stamp is the time at which it starts.
pub(super) fn trajectory_message(mut pooled: PooledChunk) -> JointTrajectory {
    let Some(chunk) = pooled.chunk.take() else {
        return JointTrajectory::default();
    };
    let message = JointTrajectory {
        header: Header::new(chunk.start.0, ""),
        joint_names: pooled.joints.to_vec(),
        points: chunk
            .points
            .iter()
            .map(|point| JointTrajectoryPoint {
                positions: point.positions.to_vec(),
                velocities: point.velocities.to_vec(),
                time_from_start: messages::Duration::from_nanos(
                    i64::try_from(point.time_from_start.as_nanos()).unwrap_or(i64::MAX),
                ),
                ..Default::default()
            })
            .collect(),
    };
    let _ = pooled.pool.push(chunk);
    message
}

/// The outgoing command topic.
pub(super) enum CommandOutbox {
    /// Velocities or positions of joints.
    Numbers(Outbox<JointVec>),
    /// Twists, with the place of each action in them.
    Twists {
        outbox: Outbox<Twist>,
        axes: Arc<[usize]>,
        frame: Arc<str>,
    },
    Trajectories {
        outbox: Outbox<PooledChunk>,
        joints: Arc<[String]>,
        pool: Arc<ArrayQueue<Box<Chunk>>>,
    },
}

impl CommandOutbox {
    /// Makes the outbox of trajectories, which `empty` makes room for.
    pub(super) fn trajectories(
        outbox: Outbox<PooledChunk>,
        joints: &[String],
        empty: impl Fn() -> Chunk,
    ) -> Self {
        let pool = Arc::new(ArrayQueue::new(8));
        while pool.push(Box::new(empty())).is_ok() {}
        Self::Trajectories {
            outbox,
            joints: joints.into(),
            pool,
        }
    }

    /// Number of commands that left.
    pub(super) fn sent(&self) -> u64 {
        match self {
            Self::Numbers(outbox) => outbox.counters().sent(),
            Self::Twists { outbox, .. } => outbox.counters().sent(),
            Self::Trajectories { outbox, .. } => outbox.counters().sent(),
        }
    }

    /// Number of commands that did not leave: the queue was full, or the middleware refused them.
    pub(super) fn lost(&self) -> u64 {
        let counters = match self {
            Self::Numbers(outbox) => outbox.counters(),
            Self::Twists { outbox, .. } => outbox.counters(),
            Self::Trajectories { outbox, .. } => outbox.counters(),
        };
        counters.dropped() + counters.refused()
    }
}

impl Clone for CommandOutbox {
    fn clone(&self) -> Self {
        match self {
            Self::Numbers(outbox) => Self::Numbers(outbox.clone()),
            Self::Twists {
                outbox,
                axes,
                frame,
            } => Self::Twists {
                outbox: outbox.clone(),
                axes: axes.clone(),
                frame: frame.clone(),
            },
            Self::Trajectories {
                outbox,
                joints,
                pool,
            } => Self::Trajectories {
                outbox: outbox.clone(),
                joints: joints.clone(),
                pool: pool.clone(),
            },
        }
    }
}

/// The executor thread's side of the command topic.
pub(super) struct Sink {
    outbox: CommandOutbox,
    motion: Arc<MotionStatus>,
    published: Sender<Published>,
    last_plan: u64,
    moved_at: Option<Time>,
}

impl Sink {
    pub(super) fn new(
        outbox: CommandOutbox,
        motion: Arc<MotionStatus>,
        published: Sender<Published>,
    ) -> Self {
        Self {
            outbox,
            motion,
            published,
            last_plan: 0,
            moved_at: None,
        }
    }

    /// Makes a receipt for the first command of each plan.
    fn receipt(&mut self, mode: Mode) -> Option<Receipt> {
        match mode {
            Mode::Follow { plan, .. } if plan != self.last_plan => {
                self.last_plan = plan;
                i64::try_from(plan)
                    .ok()
                    .map(|plan| Receipt::new(self.published.clone(), plan))
            }
            _ => None,
        }
    }
}

impl CommandSink for Sink {
    fn set_point(&mut self, point: &SetPoint) {
        self.motion.note(point);
        let moving = point.velocities.iter().any(|&v| v != 0.0);
        if moving || matches!(point.mode, Mode::Follow { .. }) {
            self.moved_at = Some(point.time);
        }
        let silent = self
            .moved_at
            .is_none_or(|moved| point.time.saturating_since(moved) > REST_NOTICE);
        if silent || matches!(self.outbox, CommandOutbox::Trajectories { .. }) {
            return;
        }
        let receipt = self.receipt(point.mode);
        match &self.outbox {
            // Positions are not known before the joints are.
            CommandOutbox::Numbers(outbox) if point.commands.iter().all(|v| v.is_finite()) => {
                outbox.send_with(point.commands.clone(), receipt);
            }
            CommandOutbox::Twists {
                outbox,
                axes,
                frame,
            } => {
                let mut values = [0.0; 6];
                for (axis, command) in axes.iter().zip(&point.commands) {
                    values[*axis] = *command;
                }
                let twist = Twist {
                    time: point.time,
                    values,
                    frame: frame.clone(),
                };
                outbox.send_with(twist, receipt);
            }
            _ => {}
        }
    }

    fn chunk(&mut self, chunk: &Chunk) {
        if self.moved_at.is_none() {
            return; // nothing was ever commanded
        }
        let receipt = self.receipt(chunk.mode);
        let CommandOutbox::Trajectories {
            outbox,
            joints,
            pool,
        } = &self.outbox
        else {
            return;
        };
        // Empty only when eight chunks wait for the publisher thread; then one more has no place in the queue either.
        let Some(mut copy) = pool.pop() else { return };
        copy.start = chunk.start;
        copy.mode = chunk.mode;
        copy.points.clone_from(&chunk.points);
        let pooled = PooledChunk {
            chunk: Some(copy),
            joints: joints.clone(),
            pool: pool.clone(),
        };
        outbox.send_with(pooled, receipt);
    }
}

#[cfg(test)]
mod tests {
    use latco_controller::execute::ChunkPoint;

    use super::*;

    #[test]
    fn a_chunk_becomes_a_trajectory_and_goes_back_to_the_pool() {
        let pool = Arc::new(ArrayQueue::new(1));
        let chunk = Chunk {
            start: Time(7_000_000_001),
            mode: Mode::Stop(StopReason::NoPlan),
            points: vec![ChunkPoint {
                time_from_start: Duration::from_millis(100),
                positions: JointVec::from_slice(&[0.1, 0.2]).unwrap(),
                velocities: JointVec::from_slice(&[0.0, 0.0]).unwrap(),
            }],
        };
        let joints: Arc<[String]> = vec!["a".to_owned(), "b".to_owned()].into();
        let message = trajectory_message(PooledChunk {
            chunk: Some(Box::new(chunk)),
            joints,
            pool: pool.clone(),
        });
        assert_eq!(message.header.stamp.to_nanos(), 7_000_000_001);
        assert_eq!(message.joint_names, ["a", "b"]);
        assert_eq!(message.points[0].positions, [0.1, 0.2]);
        assert_eq!(message.points[0].time_from_start.to_nanos(), 100_000_000);
        assert_eq!(pool.len(), 1);
    }
}
