//! The parts of a robot that can touch something.

use crate::plane::{Place, distance, nearest_on};

/// A part of a robot: all points within `radius` in m of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Beginning of the line in m.
    pub from: Place,
    /// End of the line in m.
    pub to: Place,
    /// Distance from the line to the surface in m.
    pub radius: f64,
}

impl Link {
    /// Distance in m from the surface to a place; negative inside.
    pub(crate) fn distance(&self, place: Place) -> f64 {
        distance(nearest_on(self.from, self.to, place), place) - self.radius
    }
}
