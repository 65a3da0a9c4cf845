//! The Stick task.

mod common;

use common::{distance, go, picture, pixels_of, posture_for};
use latco_envs::contact::{CONTACT, PUCK_COLOUR};
use latco_envs::tasks::Stick;
use latco_envs::tasks::stick::{FREE_COLOUR, HELD_COLOUR, TOLERANCE, TOOL_LENGTH};
use latco_envs::{PolicyKind, Robot, scene};

#[test]
fn the_arm_alone_cannot_touch_the_puck_nor_bring_it_to_the_goal() {
    let mut robot = Stick::new(16);
    for seed in 0..500 {
        robot.reset(seed);
        let shape = robot.arm().shape;
        for place in [robot.puck(), robot.goal()] {
            assert!(
                distance(place, shape.base) > shape.reach() + CONTACT,
                "seed {seed}"
            );
        }
        assert!(!robot.held() && !robot.success());
    }
}

#[test]
fn the_puck_moves_only_with_the_tool_in_the_hand() {
    let mut robot = Stick::new(16);
    let mut policy = PolicyKind::Mixture.make();
    let mut action = [0.0; 3];
    let (mut held, mut moved, mut solved, mut free_rest) = (0, 0, 0, 0);
    let episodes = 400;
    for seed in 0..episodes {
        robot.reset(seed);
        policy.begin(&robot, seed);
        let start = robot.puck();
        for _ in 0..robot.episode_steps() {
            policy.act(&robot, &mut action);
            let held_before = robot.held();
            robot.step(&action);
            assert!(!held_before || robot.held(), "a tool that is held stays so");
            assert!(robot.held() || robot.puck() == start);
            let inside = distance(robot.puck(), robot.goal()) <= TOLERANCE;
            assert_eq!(robot.reward(), f64::from(u8::from(inside)));
            solved += usize::from(inside);
        }
        held += usize::from(robot.held());
        free_rest += usize::from(!robot.held());
        moved += usize::from(distance(robot.puck(), start) > 0.1);
    }
    println!(
        "of {episodes}: held {held}, never held {free_rest}, puck moved {moved}; {solved} steps solved"
    );
    assert!(held > 200 && free_rest > 20 && moved > 150 && solved > 400);
}

#[test]
fn gripping_puts_the_tool_in_line_and_changes_its_colour() {
    let mut robot = Stick::new(32);
    for seed in 0..60 {
        robot.reset(seed);
        let free = picture(&robot);
        assert!(pixels_of(&free, FREE_COLOUR) >= 8, "seed {seed}");
        assert_eq!(pixels_of(&free, HELD_COLOUR), 0);
        assert!(pixels_of(&free, PUCK_COLOUR) >= 8, "seed {seed}");
        assert!(pixels_of(&free, scene::GOAL_COLOUR) >= 12, "seed {seed}");
        assert_eq!(robot.end(), robot.arm().tip());

        let posture = posture_for(robot.arm(), &robot.arm().shape, robot.handle());
        go(&mut robot, &posture);
        assert!(robot.held());
        let [.., wrist, tip] = robot.arm().points();
        let tool = distance(robot.end(), tip);
        assert!((tool - TOOL_LENGTH).abs() < 1e-9);
        assert!((distance(robot.end(), wrist) - tool - distance(tip, wrist)).abs() < 1e-9);
        assert_eq!(pixels_of(&picture(&robot), FREE_COLOUR), 0, "seed {seed}");
        if robot.end().iter().all(|x| x.abs() < 1.0) {
            assert!(pixels_of(&picture(&robot), HELD_COLOUR) >= 8, "seed {seed}");
        }
    }
}
