//! What of a configuration may change while a controller runs.

use std::time::Duration;

use super::root::Config;

/// Settings of a configuration that a running controller takes over. A replay needs none of them: it goes by the commands
/// that were sent and by the iterations that there was time for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveSettings {
    /// Time for one plan.
    pub budget: Option<Duration>,
    /// Age of the newest image at which the robot is stopped, s.
    pub camera_limit_s: f64,
    /// Age of the newest joint states at which the robot is stopped, s.
    pub joints_limit_s: f64,
    /// Factor on the highest speed of every joint, 0 to 1.
    pub velocity_scale: f64,
}

impl LiveSettings {
    /// Those of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            budget: (config.planner.budget_ms).map(|ms| crate::time::span(ms * 1e-3)),
            camera_limit_s: config.timeouts.camera_ms * 1e-3,
            joints_limit_s: config.timeouts.joints_ms * 1e-3,
            velocity_scale: config.robot.velocity_scale,
        }
    }
}
