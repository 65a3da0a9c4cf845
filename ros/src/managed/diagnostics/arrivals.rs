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
}

impl Arrivals {
    /// Notes that a message came. One that did not decode has no stamp.
    pub(crate) fn note(&self, stamp_ns: Option<i64>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.at_ns.store(stamp::now_ns(), Ordering::Relaxed);
        if let Some(stamp_ns) = stamp_ns {
            self.stamp_ns.store(stamp_ns, Ordering::Relaxed);
        }
    }
}
