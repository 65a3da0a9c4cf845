//! The look of things: colours, radii, and the arm.
//!
//! Every thing that decides a reward has a colour that nothing else has and is at least 0.3 m
//! wide, five pixels of a picture of 32 x 32: smaller ones do not make it into a learned code.
//! All scenes are symmetric: a mirrored picture with negated joint angles, velocities and actions
//! is an episode as good as the original, so data can be mirrored.

use crate::arm::{Arm, JOINTS};
use crate::link::Link;
use crate::plane::{Place, distance, nearest_on};
use crate::render::{Canvas, Colour};

/// Colour of the table.
pub const BACKGROUND: Colour = [24, 26, 34];
/// Colour of a goal.
pub const GOAL_COLOUR: Colour = [235, 40, 80];
/// Colours of the links, from the base.
pub const LINK_COLOURS: [Colour; JOINTS] = [[60, 110, 255], [50, 200, 100], [255, 170, 30]];
/// Colour of things that have not been touched yet.
pub const UNTOUCHED_COLOUR: Colour = [205, 65, 220];
/// Colour of things that were touched and count from then on.
pub const TOUCHED_COLOUR: Colour = [255, 245, 60];
/// Colour of the tip.
pub const TIP_COLOUR: Colour = [255, 255, 255];
/// Radius of the tip in m.
pub const TIP_RADIUS: f64 = 0.06;
const BASE_COLOUR: Colour = [120, 125, 135];
const LINK_RADII: [f64; JOINTS] = [0.07, 0.06, 0.05];
const BASE_RADIUS: f64 = 0.11;
/// Distance in m from a link at which at least half of a thing is seen.
const LEAST_DISTANCE: f64 = 0.12;

/// Whether no link lies across the middle of a thing that is at least 0.3 m wide, which the first picture of
/// an episode has to show.
pub(crate) fn shows(arm: &Arm, place: Place) -> bool {
    arm.points()
        .windows(2)
        .all(|link| distance(nearest_on(link[0], link[1], place), place) >= LEAST_DISTANCE)
}

/// The links of the arm and its tip, as they are drawn.
pub(crate) fn links(arm: &Arm) -> Vec<Link> {
    let points = arm.points();
    let link = |(line, radius): (&[Place], f64)| Link {
        from: line[0],
        to: line[1],
        radius,
    };
    let tip = [points[JOINTS]; 2];
    let links = points.windows(2).zip(LINK_RADII).map(link);
    links.chain([link((&tip, TIP_RADIUS))]).collect()
}

/// Draws the arm over what has been drawn.
pub(crate) fn draw_arm(canvas: &mut Canvas<'_>, arm: &Arm) {
    let points = arm.points();
    canvas.disc(arm.shape.base, BASE_RADIUS, BASE_COLOUR);
    for j in 0..JOINTS {
        canvas.capsule(points[j], points[j + 1], LINK_RADII[j], LINK_COLOURS[j]);
    }
    canvas.disc(points[JOINTS], TIP_RADIUS, TIP_COLOUR);
}
