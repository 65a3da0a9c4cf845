//! The emergency stop as an atomic that every thread may latch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An emergency stop, shared between whoever may latch it and the executor, which looks at every tick.
///
/// A release names what it releases, so that a stop that comes after a reset was asked for, and before the reset is carried
/// out, stays latched.
#[derive(Clone, Debug, Default)]
pub struct StopLatch(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    latched: AtomicU64,
    /// As many stops are released.
    released: AtomicU64,
}

impl StopLatch {
    /// Latches the stop.
    ///
    /// # Real-time
    /// One atomic addition: no allocation, no waiting. May be called in a panic hook.
    pub fn latch(&self) {
        self.0.latched.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether it is latched.
    #[must_use]
    pub fn is_latched(&self) -> bool {
        self.0.released.load(Ordering::SeqCst) < self.0.latched.load(Ordering::SeqCst)
    }

    /// How often it was latched so far: what [`StopLatch::release`] takes.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.latched.load(Ordering::SeqCst)
    }

    /// Releases the first `count` stops. Later ones stay latched.
    pub fn release(&self, count: u64) {
        self.0.released.fetch_max(count, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_after_the_reset_was_asked_for_stays_latched() {
        let latch = StopLatch::default();
        assert!(!latch.is_latched());
        latch.latch();
        latch.latch();
        let asked = latch.count();
        latch.clone().latch();
        latch.release(asked);
        assert!(latch.is_latched(), "the third one");
        latch.release(latch.count());
        assert!(!latch.is_latched());
        latch.release(0);
        latch.latch();
        assert!(latch.is_latched());
    }
}
