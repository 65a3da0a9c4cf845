//! Counts and times of what arrives on a topic.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::middleware::stamp;

/// Counts of messages of one kind as they came in, also while the node takes none.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    pub(crate) count: AtomicU64,
    /// Time at which the newest came, in ns since the Unix epoch; 0 before the first.
    pub(crate) at_ns: AtomicI64,
    /// Stamp of the newest, in ns.
    pub(crate) stamp_ns: AtomicI64,
    /// Time from the newest stamp to its arrival by the node's own clock, in ns; negative for a stamp in the future.
    pub(crate) delay_ns: AtomicI64,
    /// Number of the newest messages that have the same stamp.
    pub(crate) repeated: AtomicU64,
}

impl Arrivals {
    /// Notes that a message came at `now_ns` by the node's clock, on which stamps are. One that did not decode has no stamp.
    pub(crate) fn note(&self, stamp_ns: Option<i64>, now_ns: i64) {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        self.at_ns.store(stamp::now_ns(), Ordering::Relaxed);
        if let Some(stamp_ns) = stamp_ns {
            let last_ns = self.stamp_ns.swap(stamp_ns, Ordering::Relaxed);
            if before > 0 && last_ns == stamp_ns {
                self.repeated.fetch_add(1, Ordering::Relaxed);
            } else {
                self.repeated.store(0, Ordering::Relaxed);
            }
            let delay_ns = now_ns.saturating_sub(stamp_ns);
            self.delay_ns.store(delay_ns, Ordering::Relaxed);
        }
    }
}
