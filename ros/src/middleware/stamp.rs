//! The time of day, which is read only here.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time of day in ns since the Unix epoch.
pub fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}
