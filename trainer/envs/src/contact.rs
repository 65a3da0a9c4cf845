//! Sticky contact of the arm's end with a puck.

use crate::plane::{Place, TABLE_HALF_WIDTH, along, between, distance, dot};
use crate::render::{Canvas, Colour};
use crate::scene::TIP_RADIUS;

/// Radius of the puck in m.
pub const PUCK_RADIUS: f64 = 0.16;
/// Colour of the puck.
pub const PUCK_COLOUR: Colour = [40, 225, 235];
/// Distance in m from the end of the arm to the middle of the puck at which they touch.
pub const CONTACT: f64 = PUCK_RADIUS + TIP_RADIUS;

/// A puck on the table.
///
/// While the end of the arm touches it and moves towards its middle, from whatever side, the puck
/// takes the whole displacement of the end. There is no friction cone and no spin: what is pushed
/// stays in front of what pushes, and an end that moves away leaves the puck where it is. Links do
/// not touch it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Puck {
    /// Place of its middle in m.
    pub place: Place,
}

impl Puck {
    /// Moves the puck as the end of the arm goes from `from` to `to`, by less than a [`TIP_RADIUS`]. The puck
    /// stops at the edge of the table.
    pub fn pushed(&mut self, from: Place, to: Place) {
        let step = between(from, to);
        let inwards = dot(step, between(from, self.place)) > 0.0;
        if inwards && distance(from, self.place) <= CONTACT {
            let furthest = TABLE_HALF_WIDTH - PUCK_RADIUS;
            self.place = along(self.place, step, 1.0).map(|x| x.clamp(-furthest, furthest));
        }
    }

    /// Place in m of the end of the arm from which it pushes the puck towards `to`, touching it.
    pub(crate) fn behind(&self, to: Place) -> Place {
        let direction = crate::plane::direction(self.place, to);
        along(self.place, direction, -CONTACT)
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>) {
        canvas.disc(self.place, PUCK_RADIUS, PUCK_COLOUR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pushed_puck_takes_the_displacement_of_the_tip() {
        let mut puck = Puck { place: [0.2, 0.0] };
        puck.pushed([0.0, 0.0], [0.015, 0.01]);
        assert!(distance(puck.place, [0.215, 0.01]) < 1e-12);
    }

    #[test]
    fn a_tip_that_leaves_or_does_not_touch_moves_nothing() {
        let mut puck = Puck { place: [0.2, 0.0] };
        puck.pushed([0.0, 0.0], [-0.01, 0.01]);
        puck.pushed([-0.03, 0.0], [-0.01, 0.0]);
        assert_eq!(puck.place, [0.2, 0.0]);
    }

    #[test]
    fn the_puck_stays_on_the_table() {
        let mut puck = Puck { place: [0.8, 0.1] };
        let mut tip = 0.6;
        while tip < 0.9 {
            puck.pushed([tip, 0.1], [tip + 0.01, 0.1]);
            tip += 0.01;
        }
        assert!((puck.place[0] - 0.84).abs() < 1e-9, "{:?}", puck.place);
    }
}
