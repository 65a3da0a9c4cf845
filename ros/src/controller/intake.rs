//! Checks of what arrives, before anything further in sees it: wrong messages are counted, ignored and
//! reported.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use latco_bag::joints::JointOrder;
use latco_bag::messages::JointState;
use latco_controller::Time;
use latco_controller::runtime::JointIntake;

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
    /// Arrivals of images and joint states, taken or not.
    pub(super) image_arrivals: Arrivals,
    pub(super) joint_arrivals: Arrivals,
    /// The last reasons for refusing, for the status.
    pub(super) last_image_error: Mutex<String>,
    pub(super) last_joints_error: Mutex<String>,
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
    order: JointOrder,
    read: (Vec<f32>, Vec<f32>),
    values: (Vec<f64>, Vec<f64>),
    open: Arc<AtomicBool>,
    counters: Arc<Counters>,
    complaints: Complaints,
}

impl Joints {
    /// Makes a handler that hands on joint states with these names while it is `open`.
    pub(super) fn new(
        port: Box<dyn JointIntake>,
        names: &[String],
        open: Arc<AtomicBool>,
        counters: Arc<Counters>,
    ) -> Self {
        let n = names.len();
        Self {
            port,
            order: JointOrder::new(names),
            read: (vec![0.0; n], vec![0.0; n]),
            values: (vec![0.0; n], vec![0.0; n]),
            open,
            counters,
            complaints: Complaints::new("joint state"),
        }
    }

    pub(super) fn take(&mut self, message: Option<JointState>) {
        let stamp = message.as_ref().map(|m| m.header.stamp.to_nanos());
        self.counters.joint_arrivals.note(stamp);
        if !self.open.load(Ordering::SeqCst) {
            return;
        }
        match self.try_take(message) {
            Ok(()) => {
                self.counters.joint_states.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => {
                let last = &self.counters.last_joints_error;
                self.complaints
                    .refuse(&self.counters.joint_states_refused, last, reason);
            }
        }
    }

    fn try_take(&mut self, message: Option<JointState>) -> Result<(), String> {
        let Some(joints) = message else {
            return Err(
                "expected a sensor_msgs/msg/JointState, found bytes that do not decode".into(),
            );
        };
        let (positions, velocities) = &mut self.read;
        self.order
            .read_into(&joints, positions, velocities)
            .map_err(|e| e.to_string())?;
        for (value, read) in self.values.0.iter_mut().zip(positions.iter()) {
            *value = f64::from(*read);
        }
        for (value, read) in self.values.1.iter_mut().zip(velocities.iter()) {
            *value = f64::from(*read);
        }
        let stamp = Time(joints.header.stamp.to_nanos());
        self.port
            .send(stamp, &self.values.0, &self.values.1)
            .map_err(|e| e.to_string())
    }
}
