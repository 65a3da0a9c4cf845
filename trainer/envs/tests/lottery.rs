//! The Lottery task.

mod common;

use common::{picture, pixels_of};
use latco_envs::tasks::Lottery;
use latco_envs::tasks::lottery::{
    BOTTOM, BOTTOM_COLOUR, Choice, LEAVING, LOSS_COLOUR, LOSS_REWARD, PAID_COLOUR, SPENT_COLOUR,
    TOP, TOP_COLOUR, TOP_REWARD, WIN_COLOUR, WIN_REWARD,
};
use latco_envs::{PolicyKind, Robot};

/// The velocity that gets to a place in 0.4 s, m/s.
fn towards(robot: &Lottery, place: [f64; 2]) -> [f64; 2] {
    let [x, y] = robot.gantry().positions;
    [(place[0] - x) / 0.4, (place[1] - y) / 0.4]
}

/// Moves towards a place for one control period.
fn step_to(robot: &mut Lottery, place: [f64; 2]) {
    let velocity = towards(robot, place);
    let actions = velocity.iter().zip(robot.action_scale());
    let action: Vec<f32> = actions.map(|(v, scale)| (v / scale) as f32).collect();
    robot.step(&action);
}

/// Goes to Bottom; the rewards of all steps, unless Top lies on the way.
fn bottom_rewards(robot: &mut Lottery, seed: u64) -> Option<Vec<f64>> {
    robot.reset(seed);
    let rewards = (0..robot.episode_steps()).map(|_| {
        step_to(robot, BOTTOM);
        robot.reward()
    });
    let rewards = rewards.collect();
    (robot.chosen() == Some(Choice::Bottom)).then_some(rewards)
}

#[test]
fn the_odds_are_those_of_the_paper() {
    let mut robot = Lottery::new(16);
    let (mut wins, mut losses) = (0, 0);
    for seed in 0..3000 {
        let Some(rewards) = bottom_rewards(&mut robot, seed) else {
            continue;
        };
        assert!(!robot.success());
        let paid: Vec<_> = rewards.into_iter().filter(|r| *r != 0.0).collect();
        assert!(!paid.is_empty(), "seed {seed}");
        assert!(paid.iter().all(|r| *r == paid[0]), "seed {seed}: {paid:?}");
        if paid[0] == WIN_REWARD {
            wins += 1;
        } else {
            assert_eq!(paid[0], LOSS_REWARD);
            losses += 1;
        }
    }
    let (wins, total) = (f64::from(wins), f64::from(wins + losses));
    let mean = (wins * WIN_REWARD + (total - wins) * LOSS_REWARD) / total;
    println!(
        "{total} times to Bottom: {:.3} won, mean reward {mean:.2}",
        wins / total
    );
    assert!(total > 2500.0, "{total}");
    // Four standard deviations.
    let deviation = 4.0 * (0.65 * 0.35 / total).sqrt();
    assert!((wins / total - 0.65).abs() < deviation);
    assert!((mean + 1.0).abs() < 60.0 * deviation);
}

#[test]
fn top_pays_one_until_it_is_left_and_then_nothing_can_be_chosen() {
    let mut robot = Lottery::new(16);
    let mut expert = PolicyKind::Expert.make();
    let mut action = [0.0; 2];
    for seed in 0..200 {
        robot.reset(seed);
        expert.begin(&robot, seed);
        while robot.chosen().is_none() {
            assert_eq!(robot.reward(), 0.0);
            expert.act(&robot, &mut action);
            robot.step(&action);
        }
        // It stays there.
        for _ in 0..5 {
            assert_eq!(robot.reward(), TOP_REWARD);
            expert.act(&robot, &mut action);
            robot.step(&action);
        }
        let mut left = false;
        for _ in 0..robot.episode_steps() {
            step_to(&mut robot, BOTTOM);
            left |= robot.gantry().distance(TOP) > LEAVING;
            assert_eq!(robot.reward(), if left { 0.0 } else { TOP_REWARD });
        }
        assert!(left);
        for _ in 0..robot.episode_steps() {
            step_to(&mut robot, TOP);
            assert_eq!(robot.reward(), 0.0, "coming back pays nothing");
        }
        assert_eq!(robot.chosen(), Some(Choice::Top));
        assert!(robot.success());
    }
}

#[test]
fn the_picture_shows_what_is_paid() {
    let mut robot = Lottery::new(32);
    let mut seen = [0; 3];
    for seed in 0..60 {
        robot.reset(seed);
        let open = picture(&robot);
        assert!(pixels_of(&open, TOP_COLOUR) >= 8, "seed {seed}");
        assert!(pixels_of(&open, BOTTOM_COLOUR) >= 8, "seed {seed}");
        let target = if seed % 3 == 0 { TOP } else { BOTTOM };
        for _ in 0..robot.episode_steps() {
            step_to(&mut robot, target);
            let rgb = picture(&robot);
            let (kind, colour) = match robot.reward() {
                TOP_REWARD => (0, PAID_COLOUR),
                WIN_REWARD => (1, WIN_COLOUR),
                LOSS_REWARD => (2, LOSS_COLOUR),
                _ => continue,
            };
            seen[kind] += 1;
            assert!(pixels_of(&rgb, colour) >= 20, "seed {seed}");
        }
        if robot.chosen().is_some() {
            let away = if seed % 3 == 0 { BOTTOM } else { TOP };
            for _ in 0..robot.episode_steps() {
                step_to(&mut robot, away);
            }
            let spent = picture(&robot);
            assert!(pixels_of(&spent, SPENT_COLOUR) >= 16, "seed {seed}");
            assert!(pixels_of(&spent, TOP_COLOUR) + pixels_of(&spent, BOTTOM_COLOUR) <= 1);
        }
    }
    assert!(seen.iter().all(|n| *n >= 8), "{seen:?}");
}

#[test]
fn payment_begins_at_arrival_however_time_is_cut() {
    let mut robot = Lottery::new(16);
    let period_s = robot.control_period_s();
    for ticks in [1, 7, 20] {
        for seed in 0..50 {
            robot.reset(seed);
            let mut rewards = Vec::new();
            for _ in 0..robot.episode_steps() {
                let wanted = towards(&robot, BOTTOM);
                for _ in 0..ticks {
                    robot.advance(&wanted, period_s / f64::from(ticks));
                }
                let pays = robot.chosen().is_some();
                rewards.push((pays, robot.reward()));
            }
            let paid: Vec<f64> = (rewards.iter())
                .skip_while(|(pays, _)| !pays)
                .map(|(_, reward)| *reward)
                .collect();
            let before = &rewards[..rewards.len() - paid.len()];
            assert!(before.iter().all(|(_, reward)| *reward == 0.0));
            // It goes on to the middle of the goal and stays.
            assert!(
                paid.iter().all(|r| *r != 0.0 && *r == paid[0]),
                "seed {seed}: {paid:?}"
            );
        }
    }
}

#[test]
fn data_chooses_both_goals_about_equally_often() {
    let mut robot = Lottery::new(16);
    let mut policy = PolicyKind::Mixture.make();
    let mut action = [0.0; 2];
    let (mut top, mut bottom, mut none) = (0, 0, 0);
    for seed in 0..1000 {
        robot.reset(seed);
        policy.begin(&robot, seed);
        for _ in 0..robot.episode_steps() {
            policy.act(&robot, &mut action);
            robot.step(&action);
        }
        match robot.chosen() {
            Some(Choice::Top) => top += 1,
            Some(Choice::Bottom) => bottom += 1,
            None => none += 1,
        }
    }
    println!("top {top}, bottom {bottom}, none {none}");
    let share = f64::from(top) / f64::from(top + bottom);
    assert!((0.4..0.6).contains(&share), "{top} {bottom}");
    assert!(none > 50 && top + bottom > 600);
}
