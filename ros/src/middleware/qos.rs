//! The quality of service of our topics (REP-2003).

use ros2_client::QosProfile;
use ros2_client::qos::{Durability, History, WhenFull};

/// The profile of images: best effort, keep the last 5. A reliable writer keeps thousands of samples for a
/// stalled reader whatever its history depth says, so an image topic is never reliable.
pub fn images() -> QosProfile {
    QosProfile::subscription_default().history(History::KeepLast { depth: 5 })
}

/// The profile of joint states and other sensor streams: best effort, keep the last `depth`.
pub fn sensors(depth: usize) -> QosProfile {
    QosProfile::subscription_default().history(History::KeepLast { depth })
}

/// The profile of commands and marks: reliable, and a full send window fails at once instead of blocking the
/// caller.
pub fn commands() -> QosProfile {
    QosProfile::subscription_default()
        .reliability_reliable(WhenFull::Fail)
        .history(History::KeepLast { depth: 10 })
}

/// The profile of marks that a late joiner must see as well, such as the episode that is running: the last
/// one is kept for it.
pub fn latched() -> QosProfile {
    commands()
        .durability(Durability::TransientLocal)
        .history(History::KeepLast { depth: 1 })
}

/// The profile of a recorder: best effort and volatile match every publisher.
pub fn anything() -> QosProfile {
    QosProfile::subscription_default().history(History::KeepLast { depth: 100 })
}
