//! A clock that stands still or jumps.

use std::sync::{Arc, Mutex, PoisonError};

use latco_controller::{Clock, Time};

use crate::injector::Injector;
use crate::kind::{Effect, Target};

/// A clock that shows what the faults of an injector make of another one.
pub struct FaultyClock {
    inner: Arc<dyn Clock + Send + Sync>,
    injector: Arc<Injector>,
    /// Where it stands.
    stopped: Mutex<Option<Time>>,
}

impl FaultyClock {
    /// Puts faults round a clock.
    #[must_use]
    pub fn new(inner: Arc<dyn Clock + Send + Sync>, injector: Arc<Injector>) -> Self {
        Self {
            inner,
            injector,
            stopped: Mutex::new(None),
        }
    }
}

impl Clock for FaultyClock {
    fn now(&self) -> Time {
        let mut now = self.inner.now();
        let mut stands = false;
        for strike in self.injector.strike(Target::Clock) {
            match strike.effect {
                Effect::Stop => stands = true,
                _ => now.0 = now.0.saturating_add((strike.amount * 1e6) as i64),
            }
        }
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if !stands {
            *stopped = None;
            return now;
        }
        *stopped.get_or_insert(now)
    }
}
