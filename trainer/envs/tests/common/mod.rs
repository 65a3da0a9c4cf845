//! Helpers for tests that move the arm themselves.

// Every test file uses some of them.
#![allow(dead_code)]

use latco_envs::Robot;
use latco_envs::arm::{Arm, Posture, Shape};

/// Holds still for some control periods.
pub(crate) fn wait(robot: &mut dyn Robot, steps: usize) {
    for _ in 0..steps {
        robot.step(&vec![0.0; robot.joints()]);
    }
}

/// The posture with the tip at a place that is nearest in time.
pub(crate) fn posture_for(arm: &Arm, shape: &Shape, place: [f64; 2]) -> Posture {
    let postures = shape.postures_for(place).into_iter();
    postures
        .min_by(|a, b| arm.time_to_s(a).total_cmp(&arm.time_to_s(b)))
        .expect("a place within reach")
}

/// Moves to a posture and comes to rest there.
pub(crate) fn go(robot: &mut dyn Robot, posture: &Posture) {
    for _ in 0..80 {
        let actions = (robot.positions().iter().zip(posture))
            .zip(robot.action_scale())
            .map(|((q, wanted), scale)| ((wanted - q) / scale / 0.4).clamp(-1.0, 1.0) as f32);
        let action: Vec<f32> = actions.collect();
        robot.step(&action);
    }
}

/// The picture.
pub(crate) fn picture(robot: &dyn Robot) -> Vec<u8> {
    let size = robot.image_size();
    let mut rgb = vec![0; size * size * 3];
    robot.render(&mut rgb);
    rgb
}

/// Pixels that are near a colour.
pub(crate) fn pixels_of(rgb: &[u8], colour: [u8; 3]) -> usize {
    let near = |p: &&[u8]| p.iter().zip(&colour).all(|(a, b)| a.abs_diff(*b) < 40);
    rgb.chunks_exact(3).filter(near).count()
}

/// Distance of two places.
pub(crate) fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
