//! The Push task.

mod common;

use common::{distance, picture, pixels_of, wait};
use latco_envs::contact::PUCK_COLOUR;
use latco_envs::tasks::Push;
use latco_envs::tasks::push::TOLERANCE;
use latco_envs::{PolicyKind, Robot, scene};

/// Calls `see` at every step of an episode, the start included.
fn episode(robot: &mut Push, kind: PolicyKind, seed: u64, mut see: impl FnMut(&Push)) {
    let mut policy = kind.make();
    let mut action = vec![0.0; robot.joints()];
    robot.reset(seed);
    policy.begin(robot, seed);
    see(robot);
    for _ in 0..robot.episode_steps() {
        policy.act(robot, &mut action);
        robot.step(&action);
        see(robot);
    }
}

#[test]
fn the_reward_is_where_the_puck_is_wherever_the_tip_is() {
    let mut robot = Push::new(16);
    let mut seen = [false; 2];
    for seed in 0..50 {
        episode(&mut robot, PolicyKind::Waypoints, seed, |robot| {
            let inside = distance(robot.puck(), robot.goal()) <= TOLERANCE;
            assert_eq!(robot.reward(), f64::from(u8::from(inside)));
            assert_eq!(robot.success(), inside);
            seen[usize::from(inside)] = true;
        });
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn the_expert_never_pushes_the_puck_away() {
    let mut robot = Push::new(16);
    for seed in 0..200 {
        let mut nearest = f64::INFINITY;
        episode(&mut robot, PolicyKind::Expert, seed, |robot| {
            let now = distance(robot.puck(), robot.goal());
            assert!(now < nearest + 0.06, "seed {seed}: {nearest} to {now}");
            nearest = nearest.min(now);
        });
    }
}

#[test]
fn nothing_moves_the_puck_but_the_tip() {
    let mut robot = Push::new(16);
    for seed in 0..20 {
        robot.reset(seed);
        let before = robot.puck();
        wait(&mut robot, 20);
        assert_eq!(robot.puck(), before);
        assert_eq!(robot.reward(), 0.0);
    }
}

#[test]
fn puck_and_goal_are_seen_at_32_pixels() {
    let mut robot = Push::new(32);
    let (mut least_puck, mut least_goal, mut least_rim) = (usize::MAX, usize::MAX, usize::MAX);
    for seed in 0..200 {
        robot.reset(seed);
        let rgb = picture(&robot);
        least_puck = least_puck.min(pixels_of(&rgb, PUCK_COLOUR));
        least_goal = least_goal.min(pixels_of(&rgb, scene::GOAL_COLOUR));
        episode(&mut robot, PolicyKind::Expert, seed, |_| {});
        least_rim = least_rim.min(pixels_of(&picture(&robot), scene::GOAL_COLOUR));
    }
    println!(
        "at least {least_puck} pixels of the puck, {least_goal} of the goal, {least_rim} around it"
    );
    assert!(least_puck >= 6 && least_goal >= 12 && least_rim >= 1);
}

#[test]
fn data_has_contact_misses_passages_and_rest_away_from_the_goal() {
    let episodes = 400;
    let mut robot = Push::new(16);
    let (mut moved, mut left, mut missed) = (0, 0, 0);
    let (mut still_at_goal, mut still_away) = (0, 0);
    for seed in 0..episodes {
        let mut way = Vec::new();
        episode(&mut robot, PolicyKind::Mixture, seed, |robot| {
            let still = robot.velocities().iter().all(|v| v.abs() < 0.05);
            still_at_goal += usize::from(still && robot.success());
            still_away += usize::from(still && !robot.success());
            way.push((robot.puck(), robot.success()));
        });
        moved += usize::from(distance(way[0].0, way[way.len() - 1].0) > 0.1);
        left += usize::from(way.windows(2).any(|w| w[0].1 && !w[1].1));
        let near = |place| (TOLERANCE..2.0 * TOLERANCE).contains(&distance(place, robot.goal()));
        missed += usize::from(way.iter().any(|w| near(w.0)) && !way.iter().any(|w| w.1));
    }
    println!(
        "of {episodes}: puck moved {moved}, left the goal {left}, missed it closely {missed}; \
         still {still_at_goal} at the goal, {still_away} away"
    );
    assert!(moved > 240 && left > 40 && missed > 20);
    assert!(2 * still_away > still_at_goal && still_at_goal > 100);
}
