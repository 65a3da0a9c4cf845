//! A gantry: a head that two carriages move over the table, along x and along y, following velocity set-points with a lag.

use crate::motion::{self, Joint, JointLimits};
use crate::plane::{Place, TABLE_HALF_WIDTH, distance};
use crate::render::{Canvas, Colour};

/// Number of joints, both prismatic: positions are in m, velocities in m/s.
pub const JOINTS: usize = 2;
/// Names of the joints.
pub const JOINT_NAMES: [&str; JOINTS] = ["carriage_x", "carriage_y"];
/// Largest speed along each axis in m/s.
pub const MAX_VELOCITY: [f64; JOINTS] = [0.5; JOINTS];
/// Largest distance of the head from the middle of the table along each axis, in m.
pub const MAX_POSITION: f64 = 0.9 * TABLE_HALF_WIDTH;
/// Limits of both joints.
pub const LIMITS: [JointLimits; JOINTS] = [JointLimits {
    lower_rad: -MAX_POSITION,
    upper_rad: MAX_POSITION,
    velocity_rad_s: MAX_VELOCITY[0],
}; JOINTS];
/// Radius with which the head is drawn, in m.
pub const HEAD_RADIUS: f64 = 0.09;
/// Colour of the head.
pub const HEAD_COLOUR: Colour = [245, 150, 40];
/// Half the width with which the beam is drawn, in m.
const BEAM_RADIUS: f64 = 0.025;
/// Colour of the beam that carries the head.
const BEAM_COLOUR: Colour = [70, 80, 105];
/// Time in seconds in which the remaining way is covered near a goal, where the head slows down.
const BRAKING_S: f64 = 0.3;

/// State of a gantry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gantry {
    /// Place of the head in m.
    pub positions: Place,
    /// Velocity of the head along each axis in m/s.
    pub velocities: [f64; JOINTS],
}

impl Gantry {
    /// A gantry at rest with the head at a place, which is clipped to the limits.
    pub fn at_rest(place: Place) -> Self {
        Self {
            positions: place.map(|x| x.clamp(-MAX_POSITION, MAX_POSITION)),
            velocities: [0.0; JOINTS],
        }
    }

    /// Holds velocity set-points (m/s) for `dt_s` seconds, as the arm's joints do.
    pub fn advance(&mut self, set_points: &[f64; JOINTS], dt_s: f64) {
        let state = self.positions.iter_mut().zip(&mut self.velocities);
        let joints = state.map(|(position, velocity)| Joint { position, velocity });
        motion::advance(joints, &LIMITS, set_points, dt_s);
    }

    /// Writes the action that moves the head straight to a place and keeps it there.
    pub(crate) fn approach(&self, place: Place, action: &mut [f32]) {
        let wanted: [f64; JOINTS] =
            std::array::from_fn(|j| (place[j] - self.positions[j]) / MAX_VELOCITY[j] / BRAKING_S);
        // Both carriages get there together.
        let fastest = wanted.iter().fold(1.0, |most: f64, w| most.max(w.abs()));
        for (a, wanted) in action.iter_mut().zip(wanted) {
            *a = (wanted / fastest) as f32;
        }
    }

    /// Distance of the head from a place in m.
    pub fn distance(&self, place: Place) -> f64 {
        distance(self.positions, place)
    }

    /// Draws the beam and the head over what is there.
    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>) {
        let [x, y] = self.positions;
        let ends = [[x, -TABLE_HALF_WIDTH], [x, TABLE_HALF_WIDTH]];
        canvas.capsule(ends[0], ends[1], BEAM_RADIUS, BEAM_COLOUR);
        canvas.disc([x, y], HEAD_RADIUS, HEAD_COLOUR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_goes_straight_to_a_place_and_stays() {
        let (from, to) = ([-0.5, 0.1], [0.3, 0.6]);
        let mut gantry = Gantry::at_rest(from);
        let mut action = [0.0; JOINTS];
        for _ in 0..15 {
            gantry.approach(to, &mut action);
            assert!(action.iter().all(|a| a.abs() <= 1.0));
            let set_points = std::array::from_fn(|j| f64::from(action[j]) * MAX_VELOCITY[j]);
            gantry.advance(&set_points, 0.2);
            let [x, y] = gantry.positions;
            let beside = (x - from[0]) * (to[1] - from[1]) - (y - from[1]) * (to[0] - from[0]);
            assert!(beside.abs() < 0.01, "{beside}");
        }
        assert!(gantry.distance(to) < 0.01, "{gantry:?}");
    }

    #[test]
    fn the_head_stays_on_the_table() {
        let mut gantry = Gantry::at_rest([7.0, -7.0]);
        for _ in 0..100 {
            gantry.advance(&[9.0, f64::NEG_INFINITY], 0.2);
            assert!(gantry.positions.iter().all(|x| x.abs() <= MAX_POSITION));
        }
        assert_eq!(gantry.positions[0], MAX_POSITION);
        assert_eq!(gantry.velocities[0], 0.0);
    }
}
