//! The slopes that the images and actions are moved by, against differences.

use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

use super::*;
use crate::time::{FrozenClock, Time};

/// Images round those that the prior expects, actions of which some are beyond their limits, and multipliers that
/// are all different.
fn fixture() -> Images {
    let folder = tempfile::tempdir().unwrap();
    let spec = RandomSpec {
        image: 16,
        stoch: 4,
        deter: 12,
        hidden: 16,
        horizon: 4,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(folder.path(), &spec, 5).unwrap();
    let bundle = Bundle::load(folder.path(), &Default::default()).unwrap();
    let config = Config::default();
    let sizes = PlanSizes::new(&config, bundle.manifest());
    let (mut images, _) = Images::make(&config, &bundle, &sizes).unwrap();
    let request = PlanRequest {
        state: &wave(sizes.state, 0.7),
        joints: Some(&[0.2, -0.1, 0.3]),
        elapsed_periods: None,
        deadline: None,
        replay: None,
    };
    images.start(&request, None);
    images.states[..sizes.state].copy_from_slice(request.state);
    images.kinematics.integrate(&images.actions);
    images.imagine().unwrap();
    for (pixel, noise) in images.images.iter_mut().zip(wave(4 * images.pixels, 1.9)) {
        *pixel = 0.2 + 0.6 * *pixel + 0.1 * noise;
    }
    for (action, other) in images.actions.iter_mut().zip(wave(12, 1.1)) {
        *action = 1.3 * other;
    }
    images.dynamics.copy_from_slice(&[0.5, 1.0, 2.0, 0.3]);
    images.action_limits.copy_from_slice(&[1.0, 0.2, 2.0, 0.5]);
    images
}

/// Numbers of mean 0.
fn wave(count: usize, frequency: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * frequency).sin()).collect()
}

/// Slopes by images and by actions, with nothing moved.
fn slopes(images: &mut Images) -> (Vec<f32>, Vec<f32>) {
    images.kinematics.integrate(&images.actions);
    images.encode(4).unwrap();
    images.judge().unwrap();
    images.pull_back().unwrap();
    images.look_back().unwrap();
    images.pull_at_actions();
    (images.image_slopes.clone(), images.action_slopes.clone())
}

/// Compares slopes with differences of a function of the plan along several directions of images and of actions.
fn check(
    images: &mut Images,
    slopes: (&[f32], &[f32]),
    (step_of_images, tolerance): (f32, f64),
    value: impl Fn(&mut Images) -> f64,
) {
    let mut pairs = Vec::new();
    let (pixels, actions) = (images.images.clone(), images.actions.clone());
    let mut take = |of_images: bool, images: &mut Images, direction: Vec<f32>, step: f32| {
        let mut at = |step: f32| {
            let (point, moved) = match of_images {
                true => (&pixels, &mut images.images),
                false => (&actions, &mut images.actions),
            };
            for ((moved, point), way) in moved.iter_mut().zip(point).zip(&direction) {
                *moved = point + step * way;
            }
            value(images)
        };
        let expected = (at(step) - at(-step)) / f64::from(2.0 * step);
        at(0.0);
        let slopes = if of_images { slopes.0 } else { slopes.1 };
        let products = slopes.iter().zip(&direction);
        let found: f64 = products.map(|(s, d)| f64::from(s * d)).sum();
        pairs.push((found, expected));
    };
    let pixels = images.pixels;
    for frame in 0..4 {
        for frequency in [0.3, 1.3, 2.7] {
            // Of one image at a time.
            let mut direction = vec![0.0; 4 * pixels];
            direction[frame * pixels..][..pixels].copy_from_slice(&wave(pixels, frequency));
            take(true, images, direction, step_of_images);
        }
    }
    for index in 0..12 {
        let mut direction = vec![0.0; 12];
        direction[index] = 1.0;
        take(false, images, direction, 2e-3);
    }
    for of in [&pairs[..12], &pairs[12..]] {
        let largest = of.iter().fold(0.0f64, |m, (_, e)| m.max(e.abs()));
        assert!(largest > 1e-3, "no slope at all");
        for (found, expected) in of {
            let error = (found - expected).abs() / largest;
            assert!(error < tolerance, "{found} instead of {expected} in {of:?}");
        }
    }
}

#[test]
fn rewards_are_pulled_back_through_all_images_and_joints_before() {
    let mut images = fixture();
    images.dynamics.fill(0.0);
    images.action_limits.fill(0.0);
    let (by_images, by_actions) = slopes(&mut images);
    // Their slopes by single images are not much more than what is rounded.
    check(
        &mut images,
        (&by_images, &by_actions),
        (3e-3, 0.06),
        |images| {
            images.kinematics.integrate(&images.actions);
            images.encode(4).unwrap();
            images.judge().unwrap();
            let rewards = images.reward.reward().iter();
            rewards.map(|reward| f64::from(*reward)).sum()
        },
    );
}

#[test]
fn constraints_pull_at_neighbours_alone() {
    let mut images = fixture();
    let (by_images, by_actions) = slopes(&mut images);
    let (dynamics, limits) = (images.dynamics.clone(), images.action_limits.clone());
    images.dynamics.fill(0.0);
    images.action_limits.fill(0.0);
    let (of_rewards, reward_actions) = slopes(&mut images);
    images.dynamics = dynamics;
    images.action_limits = limits;
    let less = |all: Vec<f32>, part: Vec<f32>| -> Vec<f32> {
        all.iter()
            .zip(&part)
            .map(|(all, part)| all - part)
            .collect()
    };
    let (by_images, by_actions) = (
        less(by_images, of_rewards),
        less(by_actions, reward_actions),
    );

    // What came before a filter step, and the action and joints in it, counts as given.
    let (states, actions) = (images.states.clone(), images.actions.clone());
    check(
        &mut images,
        (&by_images, &by_actions),
        (2e-4, 0.02),
        move |images| {
            let n = images.sizes.state;
            let moved = images.actions.clone();
            images.actions.copy_from_slice(&actions);
            images.kinematics.integrate(&actions);
            for t in 0..4 {
                images.states.copy_from_slice(&states);
                images.set_step(t);
                images.step.run().unwrap();
                images.error.state_mut()[..n].copy_from_slice(&states[..n]);
                if t < 3 {
                    let next = images.step.mean();
                    images.error.state_mut()[(t + 1) * n..][..n].copy_from_slice(next);
                }
            }
            images.actions.copy_from_slice(&moved);
            images.error.action_mut().copy_from_slice(&moved);
            images.error.target_mut().copy_from_slice(&images.images);
            images.error.run().unwrap();
            let violations = images.error.violation().iter().zip(&images.dynamics);
            let dynamics: f64 = violations.map(|(e, w)| f64::from(*e) * f64::from(*w)).sum();
            let steps = moved.chunks_exact(3).zip(&images.action_limits);
            let limits = steps.map(|(action, nu)| {
                let beyond = action
                    .iter()
                    .map(|a| limits::excess(*a, 1.0).powi(2))
                    .sum::<f32>();
                f64::from(nu * beyond)
            });
            -(dynamics + limits.sum::<f64>())
        },
    );
}

#[test]
fn pixels_stay_within_what_a_camera_gives() {
    let mut images = fixture();
    images.settings.learning_rate = 0.5;
    let state = images.states[..16].to_vec();
    let request = PlanRequest {
        state: &state,
        joints: None,
        elapsed_periods: None,
        deadline: None,
        replay: None,
    };
    let clock = FrozenClock(Time(0));
    let mut figures = IterationTrace::default();
    for iteration in 1..=5 {
        figures.iteration = iteration;
        let mut cut = Cut::new(&request, &clock, 0.0);
        images.improve(&state, &mut figures, &mut cut).unwrap();
    }
    assert!(
        images
            .images
            .iter()
            .all(|pixel| (0.0..=1.0).contains(pixel))
    );
    assert!(images.dynamics[0] > 0.5, "{:?}", images.dynamics);
}
