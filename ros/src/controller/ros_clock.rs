//! ROS time: the system's, or with `use_sim_time` that of `/clock`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use latco_bag::messages::{RosMessage, Time as TimeMessage};
use latco_controller::time::{Clock, MonotonicClock, Time};
use serde::{Deserialize, Serialize};

use crate::middleware::{NodeBuilder, NodeError, qos, stamp};

/// `rosgraph_msgs/msg/Clock`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct ClockMessage {
    /// The time now.
    pub clock: TimeMessage,
}

impl RosMessage for ClockMessage {
    const TYPE: &'static str = "rosgraph_msgs/msg/Clock";
}

/// The clock of a configured controller.
#[derive(Debug)]
pub(super) enum RosClock {
    /// The clock follows the system's time, without its jumps.
    System(MonotonicClock),
    /// The clock shows the newest time of `/clock` in ns; 0 before the first.
    Simulated(AtomicI64),
}

impl RosClock {
    /// Makes the clock; a `simulated` one listens to `/clock`.
    ///
    /// # Errors
    /// [`NodeError`] when `/clock` is remapped to an invalid name.
    pub(super) fn new(node: &mut NodeBuilder, simulated: bool) -> Result<Arc<Self>, NodeError> {
        if !simulated {
            return Ok(Arc::new(Self::System(MonotonicClock::system())));
        }
        let clock = Arc::new(Self::Simulated(AtomicI64::new(0)));
        let set = clock.clone();
        node.subscribe::<ClockMessage>("/clock", qos::sensors(1), move |message| {
            if let (Self::Simulated(now), Some(message)) = (set.as_ref(), message) {
                now.store(message.clock.to_nanos(), Ordering::SeqCst);
            }
        })?;
        Ok(clock)
    }
}

impl RosClock {
    /// Name of the clock for people.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::System(_) => "the clock of this machine",
            Self::Simulated(_) => "/clock",
        }
    }

    /// Whether `/clock` is awaited and has not come.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Simulated(now) if now.load(Ordering::SeqCst) == 0)
    }

    /// How far `/clock` is ahead of the system's time, ns; 0 where it is not used. It takes times of the one to the other.
    pub(super) fn ahead_ns(&self) -> i64 {
        match self {
            Self::System(_) => 0,
            Self::Simulated(now) => now.load(Ordering::SeqCst).saturating_sub(stamp::now_ns()),
        }
    }
}

impl Clock for RosClock {
    fn now(&self) -> Time {
        match self {
            Self::System(clock) => clock.now(),
            Self::Simulated(now) => Time(now.load(Ordering::SeqCst)),
        }
    }
}
