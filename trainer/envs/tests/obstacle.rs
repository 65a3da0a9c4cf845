//! Obstacles as evaluation relies on them.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use latco_envs::obstacle::{SWAY, SWAY_PERIOD_S};
use latco_envs::{EVALUATION_SEED, Obstacle, PolicyKind, Robot, make};

/// The greatest depth of the scripted expert's arm in an obstacle that stands.
fn deepest(robot: &mut dyn Robot, obstacle: &Obstacle, seed: u64) -> f64 {
    let mut policy = PolicyKind::Expert.make();
    let mut action = vec![0.0; robot.joints()];
    policy.begin(robot, seed);
    let mut deepest = obstacle.depth(&robot.links(), 0.0);
    for _ in 0..robot.episode_steps() {
        policy.act(robot, &mut action);
        robot.step(&action);
        deepest = deepest.max(obstacle.depth(&robot.links(), 0.0));
    }
    deepest
}

#[test]
fn an_obstacle_is_clear_of_the_start_and_now_and_then_in_the_way() {
    for task in ["reach", "push"] {
        let mut robot = make(task, 16).unwrap();
        let mut in_way = 0;
        for seed in EVALUATION_SEED..EVALUATION_SEED + 20 {
            let obstacle = Obstacle::draw(robot.as_mut(), seed, false).unwrap();
            assert_eq!(Obstacle::draw(robot.as_mut(), seed, false), Some(obstacle));
            let depth = obstacle.depth(&robot.links(), 0.0);
            assert!(depth < -0.1, "{task} {seed}: {depth}");
            in_way += usize::from(deepest(robot.as_mut(), &obstacle, seed) > 0.0);
        }
        assert!(in_way >= 2, "{task}: {in_way} of 20");
    }
}

#[test]
fn a_moving_obstacle_sways_about_its_place_and_is_clear_of_the_start_at_all_times() {
    let mut robot = make("push", 16).unwrap();
    for seed in 0..10 {
        let obstacle = Obstacle::draw(robot.as_mut(), seed, true).unwrap();
        let at = |share: f64| obstacle.middle(share * SWAY_PERIOD_S);
        let way = (at(0.25)[0] - at(0.75)[0]).hypot(at(0.25)[1] - at(0.75)[1]);
        assert!((way - 2.0 * SWAY).abs() < 1e-9, "{way}");
        for step in 0..40 {
            let depth = obstacle.depth(&robot.links(), 0.2 * f64::from(step));
            assert!(depth < 0.0, "{seed} {step}: {depth}");
        }
    }
}

#[test]
fn a_robot_without_known_links_gets_no_obstacle() {
    let mut robot = make("lottery", 16).unwrap();
    assert_eq!(Obstacle::draw(robot.as_mut(), 1, false), None);
}
