//! What keeps the robot safe, apart from how it is moved.
//!
//! - [`limits`]: no set-point is beyond position (with the distance to brake), velocity, acceleration and jerk;
//! - [`profile`]: the motion of one joint that keeps them, and how far and how long a stop takes;
//! - [`plan_check`]: a plan as a whole, before it is followed;
//! - [`failsafe`]: the reasons to stop or to move with more care, what is done about each, and when it ends;
//! - [`monitors`]: what is watched, and which reasons it gives;
//! - [`frozen`]: a picture that stays the same while the robot moves;
//! - [`peaks`]: what came out, beside the limits;
//! - `keep_out`: the brake in front of regions that the robot has to keep out of;
//! - [`latch`]: the emergency stop, which any thread may latch and only a reset releases;
//! - [`measurement`]: joint states that cannot be are refused before anything acts on them;
//! - [`clock_watch`]: a clock that stands still, and one that jumps;
//! - [`surprise`]: a scene that the model does not predict.
//!
//! This is not a certified safety function.

pub mod clock_watch;
pub mod failsafe;
pub mod frozen;
pub(crate) mod keep_out;
pub mod latch;
pub mod limits;
pub mod measurement;
pub mod monitors;
pub mod peaks;
pub mod plan_check;
pub mod profile;
pub mod surprise;

pub use failsafe::{Action, Decision, StopReason};
pub use latch::StopLatch;
pub use limits::Limits;
pub use profile::LimitHits;
pub use surprise::Surprise;

use std::time::Duration;

/// Longest time that a robot may take to brake to rest after it is told to. Whoever waits for it waits
/// [`STOP_MARGIN`] longer.
pub const LONGEST_STOP: Duration = Duration::from_secs(5);
/// Time beyond [`LONGEST_STOP`] after which a robot that is not at rest is a fault.
pub const STOP_MARGIN: Duration = Duration::from_secs(1);
