//! The data that the scripted policies make has what learning needs, and not its known trap.

use latco_envs::reach::{Reach, TOLERANCE};
use latco_envs::{PolicyKind, Robot};

#[derive(Default)]
struct Counts {
    still_at_goal: usize,
    still_away: usize,
    moving_at_goal: usize,
    moving_away: usize,
    /// Episodes that enter the goal and leave it again.
    left_goal: usize,
    reached_goal: usize,
    waypoints: usize,
}

fn mixture(episodes: u64) -> Counts {
    let mut counts = Counts::default();
    let mut robot = Reach::new(16);
    let mut policy = PolicyKind::Mixture.make();
    let mut action = [0.0; 3];
    for seed in 0..episodes {
        robot.reset(seed);
        policy.begin(&robot, seed);
        counts.waypoints += usize::from(policy.describe().starts_with("waypoints"));
        let (mut inside_before, mut reached, mut left) = (false, false, false);
        for _ in 0..robot.episode_steps() {
            policy.act(&robot, &mut action);
            robot.step(&action);
            let inside = robot.distance() <= TOLERANCE;
            reached |= inside;
            left |= inside_before && !inside;
            inside_before = inside;
            let still = robot.velocities().iter().all(|v| v.abs() < 0.05);
            *match (still, inside) {
                (true, true) => &mut counts.still_at_goal,
                (true, false) => &mut counts.still_away,
                (false, true) => &mut counts.moving_at_goal,
                (false, false) => &mut counts.moving_away,
            } += 1;
        }
        counts.reached_goal += usize::from(reached);
        counts.left_goal += usize::from(left);
    }
    counts
}

#[test]
fn standing_still_does_not_predict_the_reward() {
    let episodes = 600;
    let counts = mixture(episodes);
    let Counts {
        still_at_goal,
        still_away,
        moving_at_goal,
        moving_away,
        ..
    } = counts;
    println!(
        "still: {still_at_goal} at the goal, {still_away} away; moving: {moving_at_goal} at the \
         goal, {moving_away} away; reached {} and left {} of {episodes}",
        counts.reached_goal, counts.left_goal
    );
    // It holds still away from the goal about as often as in it, and passes the goal moving.
    assert!(still_away as f64 > 0.8 * still_at_goal as f64 && still_at_goal > 300);
    assert!(moving_at_goal > 500);
    assert!(counts.reached_goal as f64 > 0.4 * episodes as f64);
    assert!(counts.left_goal as f64 > 0.4 * counts.reached_goal as f64);
}

#[test]
fn three_quarters_of_the_mixture_are_waypoints() {
    let episodes = 2000;
    let mut robot = Reach::new(16);
    let mut policy = PolicyKind::Mixture.make();
    let mut waypoints = 0;
    let mut noises = std::collections::BTreeMap::<String, usize>::new();
    for seed in 0..episodes {
        robot.reset(seed);
        policy.begin(&robot, seed);
        if policy.describe().starts_with("waypoints") {
            waypoints += 1;
            *noises.entry(policy.describe()).or_default() += 1;
        }
    }
    let share = f64::from(waypoints) / episodes as f64;
    assert!(
        (share - robot.habits().waypoint_share).abs() < 0.04,
        "{share}"
    );
    assert_eq!(noises.len(), 4, "{noises:?}");
    assert!(noises.values().all(|n| *n > 250), "{noises:?}");
}

#[test]
fn a_policy_decides_by_its_seed_alone() {
    let actions = |policy_seed: u64, used_before: bool| {
        let mut robot = Reach::new(16);
        let mut policy = PolicyKind::Waypoints.make();
        let mut action = [0.0; 3];
        if used_before {
            policy.begin(&robot, 99);
            policy.act(&robot, &mut action);
        }
        robot.reset(5);
        policy.begin(&robot, policy_seed);
        let mut all = Vec::new();
        for _ in 0..50 {
            policy.act(&robot, &mut action);
            robot.step(&action);
            all.push(action);
        }
        all
    };
    assert_eq!(actions(3, false), actions(3, true));
    assert_ne!(actions(3, false), actions(4, false));
}

#[test]
fn policies_are_found_by_name() {
    for kind in PolicyKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    let error = "expret".parse::<PolicyKind>().unwrap_err();
    let known = "mixture, waypoints, random, expert";
    assert_eq!(
        error.to_string(),
        format!("unknown policy `expret`: choose one of {known}")
    );
}
