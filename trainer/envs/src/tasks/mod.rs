//! The tasks: one file each, with starts, rewards, and what experts and data collection do.

pub mod key;
pub mod lottery;
pub mod push;
pub mod reach;
pub mod stick;

pub use key::Key;
pub use lottery::Lottery;
pub use push::Push;
pub use reach::Reach;
pub use stick::Stick;

use rand::Rng;

use crate::arm::{Arm, Posture, Shape};
use crate::contact::CONTACT;
use crate::noise::uniform;
use crate::plane::{Place, TABLE_HALF_WIDTH, around};
use crate::script::Stage;
use crate::steer::any_quick;

/// An arm at rest, its joint angles drawn uniformly up to a spread from straight up.
fn random_arm(shape: Shape, spread: Posture, rng: &mut dyn Rng) -> Arm {
    Arm::at_rest(shape, spread.map(|spread| uniform(rng, -spread, spread)))
}

/// Draws a place from a box.
fn place_in(x: [f64; 2], y: [f64; 2], rng: &mut dyn Rng) -> Place {
    [uniform(rng, x[0], x[1]), uniform(rng, y[0], y[1])]
}

/// Draws a place in any direction from another one, at a distance within a range.
fn beside(place: Place, distances: [f64; 2], rng: &mut dyn Rng) -> Place {
    let distance = uniform(rng, distances[0], distances[1]);
    around(place, distance, uniform(rng, 0.0, std::f64::consts::TAU))
}

/// Moves the tip of `hand` to any place that it reaches, but not far below its base, where there is
/// nothing to learn.
fn anywhere(arm: &Arm, hand: &Shape, rng: &mut dyn Rng) -> Stage {
    decoy(arm, hand, any_place, rng)
}

/// Draws a place on the table that is not far below the arm's base.
fn any_place(rng: &mut dyn Rng) -> Place {
    let x = [-TABLE_HALF_WIDTH, TABLE_HALF_WIDTH];
    place_in(x, [-0.6, x[1]], rng)
}

/// Moves the tip of `hand` to a random place at a puck, from beyond its rim to its middle, coming from
/// anywhere: a model has to tell a real push from a touch that only grazes the puck, from the side or on the
/// way out.
fn at_puck(arm: &Arm, hand: &Shape, puck: Place, rng: &mut dyn Rng) -> Stage {
    let draw = |rng: &mut dyn Rng| {
        // A puck may lie where the arm does not reach.
        if uniform(rng, 0.0, 1.0) < 0.1 {
            return any_place(rng);
        }
        let angle = uniform(rng, 0.0, std::f64::consts::TAU);
        around(puck, uniform(rng, 0.0, 1.6) * CONTACT, angle)
    };
    decoy(arm, hand, draw, rng)
}

/// Moves the tip of `hand` to the first place drawn that it reaches.
fn decoy(
    arm: &Arm,
    hand: &Shape,
    draw: impl Fn(&mut dyn Rng) -> Place,
    rng: &mut dyn Rng,
) -> Stage {
    loop {
        let tip = draw(rng);
        if let Some(posture) = any_quick(&arm.positions, hand, tip, rng) {
            return Stage::Move(posture);
        }
    }
}
