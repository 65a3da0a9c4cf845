//! Joints that do as they are told, for benchmarks and tests that need no more of a robot.

use std::time::{Duration, Instant};

/// Age of a command of velocities from which on it counts as zero.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(200);

/// Joints that move with the newest commanded velocities, until these are too old.
#[derive(Debug)]
pub struct ObedientJoints {
    positions: Vec<f64>,
    velocities: Vec<f64>,
    /// When the positions were moved on last, and until when the command moves them.
    at: Instant,
    until: Instant,
}

impl ObedientJoints {
    /// Makes joints that rest at these positions, rad.
    #[must_use]
    pub fn new(positions: Vec<f64>) -> Self {
        let now = Instant::now();
        Self {
            velocities: vec![0.0; positions.len()],
            positions,
            at: now,
            until: now,
        }
    }

    /// The positions now, rad.
    pub fn positions(&mut self) -> &[f64] {
        let now = Instant::now();
        let moved_s = (now.min(self.until))
            .saturating_duration_since(self.at)
            .as_secs_f64();
        for (position, velocity) in self.positions.iter_mut().zip(&self.velocities) {
            *position += velocity * moved_s;
        }
        self.at = now;
        &self.positions
    }

    /// Takes a command of velocities in rad/s; joints that it does not name stand still.
    pub fn obey(&mut self, velocities: &[f64]) {
        self.positions();
        self.velocities.fill(0.0);
        for (own, told) in self.velocities.iter_mut().zip(velocities) {
            *own = *told;
        }
        self.until = self.at + COMMAND_TIMEOUT;
    }
}
