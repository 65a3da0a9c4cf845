//! The Key task.

mod common;

use common::{distance, go, picture, pixels_of, posture_for};
use latco_envs::tasks::Key;
use latco_envs::tasks::key::{
    BUTTON_RADIUS, DARK_GOAL_COLOUR, LIT_COLOUR, PRESS_WITHIN, TOLERANCE, UNLIT_COLOUR,
};
use latco_envs::{PolicyKind, Robot, scene};

fn go_to(robot: &mut Key, place: [f64; 2]) {
    let posture = posture_for(robot.arm(), &robot.arm().shape, place);
    go(robot, &posture);
}

#[test]
fn the_goal_counts_only_after_the_button() {
    let mut robot = Key::new(32);
    let mut direct = 0;
    for seed in 0..60 {
        robot.reset(seed);
        assert!(!robot.lit());
        let goal = robot.goal();
        go_to(&mut robot, goal);
        assert!(distance(robot.end(), goal) < TOLERANCE);
        // The way to the goal may lie across the button.
        direct += usize::from(!robot.lit());
        assert_eq!(robot.reward(), f64::from(u8::from(robot.lit())));

        let button = robot.button();
        go_to(&mut robot, button);
        assert!(robot.lit() && robot.reward() == 0.0, "seed {seed}");
        go_to(&mut robot, goal);
        assert!(robot.lit() && robot.success(), "seed {seed}");
        assert_eq!(robot.reward(), 1.0);
    }
    assert!(direct > 40, "{direct}");
}

#[test]
fn the_button_lights_up_and_the_goal_with_it() {
    let mut robot = Key::new(32);
    let (mut least_unlit, mut least_dark) = (usize::MAX, usize::MAX);
    for seed in 0..100 {
        robot.reset(seed);
        let rgb = picture(&robot);
        least_unlit = least_unlit.min(pixels_of(&rgb, UNLIT_COLOUR));
        least_dark = least_dark.min(pixels_of(&rgb, DARK_GOAL_COLOUR));
        assert!(pixels_of(&rgb, LIT_COLOUR) == 0, "seed {seed}");
        let button = robot.button();
        go_to(&mut robot, button);
        let lit = picture(&robot);
        assert!(pixels_of(&lit, LIT_COLOUR) >= 4, "seed {seed}");
        assert!(pixels_of(&lit, scene::GOAL_COLOUR) >= 6, "seed {seed}");
        assert!(pixels_of(&lit, UNLIT_COLOUR) <= 2, "seed {seed}");
    }
    println!("at least {least_unlit} pixels of the button, {least_dark} of the goal");
    assert!(least_unlit >= 4 && least_dark >= 6);
}

#[test]
fn the_expert_presses_properly() {
    let mut robot = Key::new(16);
    let mut expert = PolicyKind::Expert.make();
    let mut action = [0.0; 3];
    for seed in 0..200 {
        robot.reset(seed);
        expert.begin(&robot, seed);
        let mut nearest = f64::INFINITY;
        for _ in 0..robot.episode_steps() {
            expert.act(&robot, &mut action);
            robot.step(&action);
            nearest = nearest.min(distance(robot.end(), robot.button()));
        }
        assert!(
            nearest <= PRESS_WITHIN && robot.success(),
            "seed {seed}: {nearest}"
        );
    }
}

#[test]
fn data_has_the_dark_goal_near_misses_and_rest() {
    let episodes = 400;
    let mut robot = Key::new(16);
    let mut policy = PolicyKind::Mixture.make();
    let mut action = [0.0; 3];
    let (mut dark, mut bright, mut lit, mut missed) = (0, 0, 0, 0);
    let (mut still_there, mut still_away) = (0, 0);
    for seed in 0..episodes {
        robot.reset(seed);
        policy.begin(&robot, seed);
        let mut nearest = f64::INFINITY;
        for _ in 0..robot.episode_steps() {
            policy.act(&robot, &mut action);
            robot.step(&action);
            let at_goal = distance(robot.end(), robot.goal()) <= TOLERANCE;
            dark += usize::from(at_goal && !robot.lit());
            bright += usize::from(at_goal && robot.lit());
            let still = robot.velocities().iter().all(|v| v.abs() < 0.05);
            still_away += usize::from(still && robot.lit() && !at_goal);
            still_there += usize::from(still && robot.lit() && at_goal);
            nearest = nearest.min(distance(robot.end(), robot.button()));
        }
        lit += usize::from(robot.lit());
        missed += usize::from((BUTTON_RADIUS..2.0 * BUTTON_RADIUS).contains(&nearest));
    }
    println!(
        "of {episodes}: lit {lit}, button missed closely {missed}; steps at the goal {dark} dark, \
         {bright} bright; still at the bright goal {still_there}, away from it {still_away}"
    );
    assert!(lit > 160 && lit < 360 && missed > 20);
    assert!(dark > 200 && bright > 400 && 2 * still_away > still_there);
}
