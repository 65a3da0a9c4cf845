//! Ways of the arm: to a posture, to a place, straight on, and around the puck.

use rand::Rng;

use crate::arm::{Arm, JOINTS, MAX_VELOCITY_RAD_S, Posture, Shape};
use crate::contact::CONTACT;
use crate::noise::uniform;
use crate::plane::{Place, along, around, direction, distance, dot};

/// Time in seconds in which a posture is approached once it is near; it is above the lag, so that nothing
/// overshoots.
const APPROACH_S: f64 = 0.25;
/// Distance in m that is kept from the puck beyond touching it.
const CLEARANCE: f64 = 0.015;
/// Distance in m, beyond touching, that the tip goes behind the puck before it pushes.
pub(crate) const RUN_UP_M: f64 = 0.03;
/// Number of places at which a way is checked for the puck.
const CHECKS: usize = 16;

/// Writes the action towards a posture: all joints arrive together, the slowest at full speed, and ease in.
pub(crate) fn approach(arm: &Arm, posture: &Posture, action: &mut [f32]) {
    let scaled = |j: usize| (posture[j] - arm.positions[j]) / MAX_VELOCITY_RAD_S[j];
    let slowest = (0..JOINTS)
        .map(|j| scaled(j).abs())
        .fold(APPROACH_S, f64::max);
    for (j, a) in action.iter_mut().enumerate() {
        *a = (scaled(j) / slowest) as f32;
    }
}

/// Writes the action that moves the tip of `hand` straight in a direction (a unit vector) with the least
/// joint speeds relative to their limits, slower over the last `left_m` metres of the way.
pub(crate) fn slide(arm: &Arm, hand: &Shape, direction: Place, left_m: f64, action: &mut [f32]) {
    let per_speed = joint_speeds(arm, hand, direction);
    let fastest = per_speed.iter().fold(1e-9, |m: f64, x| m.max(x.abs()));
    let speed = (left_m / APPROACH_S).min(1.0 / fastest);
    for (a, x) in action.iter_mut().zip(per_speed) {
        *a = (x * speed) as f32;
    }
}

/// The least joint speeds, as shares of their limits, that move the tip of `hand` by a velocity in m/s.
pub(crate) fn joint_speeds(arm: &Arm, hand: &Shape, velocity: Place) -> Posture {
    let mut jacobian = hand.jacobian(&arm.positions);
    // By normalised joint speeds.
    for (column, speed) in jacobian.iter_mut().zip(MAX_VELOCITY_RAD_S) {
        *column = column.map(|x| x * speed);
    }
    let sum = |a: usize, b: usize| jacobian.iter().map(|c| c[a] * c[b]).sum::<f64>();
    // Damped, so that a stretched arm does not ask for endless speeds.
    let (xx, xy, yy) = (sum(0, 0) + 1e-4, sum(0, 1), sum(1, 1) + 1e-4);
    let determinant = xx * yy - xy * xy;
    let weights = [
        (yy * velocity[0] - xy * velocity[1]) / determinant,
        (xx * velocity[1] - xy * velocity[0]) / determinant,
    ];
    jacobian.map(|column| dot(column, weights))
}

/// Writes the action towards a posture of an arm whose tip alone is driven: the tip goes straight to where it is then, and eases in.
pub(crate) fn approach_tip(arm: &Arm, hand: &Shape, posture: &Posture, action: &mut [f32]) {
    let (from, to) = (hand.tip(&arm.positions), hand.tip(posture));
    slide(arm, hand, direction(from, to), distance(from, to), action);
}

/// Time in seconds from one posture to another at full speed, without the lag.
pub(crate) fn time_between(from: &Posture, to: &Posture) -> f64 {
    (0..JOINTS)
        .map(|j| (to[j] - from[j]).abs() / MAX_VELOCITY_RAD_S[j])
        .fold(0.0, f64::max)
}

/// The posture with the tip at a place that takes the least time to reach, and that time in seconds.
pub(crate) fn fastest(from: &Posture, shape: &Shape, tip: Place) -> Option<(Posture, f64)> {
    shape
        .postures_for(tip)
        .into_iter()
        .map(|posture| (posture, time_between(from, &posture)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Draws a posture with the tip at a place, among those that are not much slower to reach than the fastest.
pub(crate) fn any_quick(
    from: &Posture,
    shape: &Shape,
    tip: Place,
    rng: &mut dyn Rng,
) -> Option<Posture> {
    let longest = 1.5 * fastest(from, shape, tip)?.1 + 0.1;
    let mut quick = shape.postures_for(tip);
    quick.retain(|posture| time_between(from, posture) <= longest);
    let chosen = uniform(rng, 0.0, quick.len() as f64) as usize;
    Some(quick.swap_remove(chosen.min(quick.len() - 1)))
}

/// Place in m at which the tip begins to push a puck to a place.
pub(crate) fn behind(puck: Place, to: Place) -> Place {
    along(puck, direction(puck, to), -(CONTACT + RUN_UP_M))
}

/// Whether the tip reaches both ends of the push of a puck to a place.
pub(crate) fn can_push(shape: &Shape, puck: Place, to: Place) -> bool {
    let end = along(to, direction(puck, to), -CONTACT);
    let reached = |place| !shape.postures_for(place).is_empty();
    reached(behind(puck, to)) && reached(end)
}

/// Postures on a quick way to a place that does not touch the puck, the last one at the place. Where all ways
/// touch it, the way is the fastest; it is `None` where the place is out of reach.
pub(crate) fn around_puck(
    from: &Posture,
    shape: &Shape,
    puck: Place,
    to: Place,
) -> Option<Vec<Posture>> {
    const SIDES: usize = 8;
    let (straight, shortest_s) = fastest(from, shape, to)?;
    let direct = clear(from, shape, puck, to);
    if let Some((posture, time_s)) = direct
        && time_s <= 1.3 * shortest_s + 0.2
    {
        return Some(vec![posture]);
    }
    let turns = (0..SIDES).filter_map(|side| {
        let angle = std::f64::consts::TAU * side as f64 / SIDES as f64;
        let (first, first_s) = clear(from, shape, puck, around(puck, 1.5 * CONTACT, angle))?;
        let (second, second_s) = clear(&first, shape, puck, to)?;
        Some((vec![first, second], first_s + second_s))
    });
    let direct = direct.map(|(posture, time_s)| (vec![posture], time_s));
    let best = turns.chain(direct).min_by(|a, b| a.1.total_cmp(&b.1));
    Some(best.map_or_else(|| vec![straight], |(way, _)| way))
}

/// The fastest posture with the tip at a place such that the tip does not touch the puck on the way, and its
/// time in seconds.
fn clear(from: &Posture, shape: &Shape, puck: Place, to: Place) -> Option<(Posture, f64)> {
    let mut found: Vec<_> = (shape.postures_for(to).into_iter())
        .map(|posture| (posture, time_between(from, &posture)))
        .collect();
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found.into_iter().find(|(posture, _)| {
        let mut before = distance(shape.tip(from), puck);
        (1..=CHECKS).all(|k| {
            let share = k as f64 / CHECKS as f64;
            let on_way = std::array::from_fn(|j| from[j] + share * (posture[j] - from[j]));
            let now = distance(shape.tip(&on_way), puck);
            let leaving = now >= before;
            before = now;
            leaving || now >= CONTACT + CLEARANCE
        })
    })
}
