//! Checks of what arrives, before anything further in sees it: wrong messages are counted, ignored and
//! reported.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use latco_bag::joints::{Joined, JointStates};
use latco_bag::messages::JointState;
use latco_controller::runtime::JointIntake;
use latco_controller::{Clock as _, Time};

use super::ros_clock::RosClock;
use crate::managed::diagnostics::Arrivals;

/// Least time between two log lines of one reason; the first is logged at once.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Counts of what was taken and refused, shared with the status.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) images: AtomicU64,
    pub(super) images_refused: AtomicU64,
    /// Number of images that a newer one overtook while they waited to be converted.
    pub(super) images_overtaken: AtomicU64,
    /// Number of images that arrived whole and that the belief refused: a stamp that repeats, goes back or lies in the future,
    /// no joint states near it, a failure of the model.
    pub(super) images_unused: AtomicU64,
    pub(super) joint_states: AtomicU64,
    pub(super) joint_states_refused: AtomicU64,
    /// Number of messages that moved the regions to keep out of, and of those that were refused.
    pub(super) regions_moved: AtomicU64,
    pub(super) regions_refused: AtomicU64,
    /// Number of goal pictures that were taken, and of those that were refused.
    pub(super) goals_taken: AtomicU64,
    pub(super) goals_refused: AtomicU64,
    /// Arrivals of images and joint states, taken or not.
    pub(super) image_arrivals: Arrivals,
    pub(super) joint_arrivals: Arrivals,
    /// The last reasons for refusing, for the status.
    pub(super) last_image_error: Mutex<String>,
    pub(super) last_joints_error: Mutex<String>,
    pub(super) last_keep_out_error: Mutex<String>,
    pub(super) last_goal_error: Mutex<String>,
}

impl Counters {
    pub(super) fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Counts an image that the belief refused, for this reason.
    pub(super) fn belief_refused(&self, reason: &str) {
        self.images_unused.fetch_add(1, Ordering::Relaxed);
        let mut last = self
            .last_image_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        reason.clone_into(&mut last);
    }
}

/// Log of what is wrong with one input, which does not flood.
pub(super) struct Complaints {
    what: &'static str,
    refused: u64,
    logged: Option<Instant>,
}

impl Complaints {
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            refused: 0,
            logged: None,
        }
    }

    pub(super) fn refuse(&mut self, counter: &AtomicU64, last: &Mutex<String>, reason: String) {
        counter.fetch_add(1, Ordering::Relaxed);
        self.refused += 1;
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            tracing::warn!(refused = self.refused, "{} ignored: {reason}", self.what);
            self.logged = Some(Instant::now());
        }
        *last.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// The handler of joint states.
pub(super) struct Joints {
    port: Box<dyn JointIntake>,
    joints: JointStates,
    /// When the node began to listen; parts of the joints are put together by the time at which they came.
    began: Instant,
    values: (Vec<f64>, Vec<f64>),
    open: Arc<AtomicBool>,
    clock: Arc<RosClock>,
    counters: Arc<Counters>,
    complaints: Complaints,
}

impl Joints {
    /// Makes a handler that hands on joint states with these names while it is `open`. A joint that is older than `limit_ms`
    /// beside the others makes no joint state.
    pub(super) fn new(
        port: Box<dyn JointIntake>,
        names: &[String],
        limit_ms: f64,
        open: Arc<AtomicBool>,
        clock: Arc<RosClock>,
        counters: Arc<Counters>,
    ) -> Self {
        let n = names.len();
        Self {
            port,
            joints: JointStates::new(names, (limit_ms * 1e6) as i64),
            began: Instant::now(),
            values: (vec![0.0; n], vec![0.0; n]),
            open,
            clock,
            counters,
            complaints: Complaints::new("joint state"),
        }
    }

    pub(super) fn take(&mut self, message: Option<JointState>) {
        let stamp = message.as_ref().map(|m| m.header.stamp.to_nanos());
        let now_ns = self.clock.now().0;
        self.counters.joint_arrivals.note(stamp, now_ns);
        if !self.open.load(Ordering::SeqCst) {
            return;
        }
        match self.try_take(message) {
            Ok(false) => {}
            Ok(true) => {
                self.counters.joint_states.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => {
                let last = &self.counters.last_joints_error;
                self.complaints
                    .refuse(&self.counters.joint_states_refused, last, reason);
            }
        }
    }

    /// Takes a message; gives whether it made a sample of all joints.
    fn try_take(&mut self, message: Option<JointState>) -> Result<bool, String> {
        let Some(message) = message else {
            return Err(
                "expected a sensor_msgs/msg/JointState, found bytes that do not decode".into(),
            );
        };
        let at_ns = i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX);
        let was_unknown = self.joints.velocities_unknown();
        let joined = self
            .joints
            .take(&message, at_ns)
            .map_err(|e| e.to_string())?;
        if self.joints.velocities_unknown() && !was_unknown {
            tracing::warn!(
                "joint states come without velocities, or with NaN for them: they are taken as 0, as in training"
            );
        }
        if joined != Joined::Sample {
            return Ok(false);
        }
        let read = (self.joints.positions(), self.joints.velocities());
        for (value, read) in self.values.0.iter_mut().zip(read.0) {
            *value = f64::from(*read);
        }
        for (value, read) in self.values.1.iter_mut().zip(read.1) {
            *value = f64::from(*read);
        }
        let stamp = Time(message.header.stamp.to_nanos());
        self.port
            .send(stamp, &self.values.0, &self.values.1)
            .map_err(|e| e.to_string())?;
        Ok(true)
    }
}
