//! What every task promises to data collection and evaluation.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use latco_envs::{Drive, EVALUATION_SEED, PolicyKind, RewardKind, Robot, TASKS, make};

/// What became of one episode.
#[derive(Debug, Default)]
struct Episode {
    solved_at: Option<usize>,
    solved_at_end: bool,
    /// Dense reward before each step and at the end.
    dense: Vec<f64>,
}

fn episode(robot: &mut dyn Robot, kind: PolicyKind, seed: u64) -> Episode {
    let mut policy = kind.make();
    let mut action = vec![0.0; robot.actions()];
    robot.set_reward_kind(RewardKind::Dense);
    robot.reset(seed);
    policy.begin(robot, seed);
    let mut episode = Episode::default();
    episode.dense.push(robot.reward());
    for step in 1..=robot.episode_steps() {
        policy.act(robot, &mut action);
        assert!(action.iter().all(|a| a.abs() <= 1.0 + 1e-6), "{action:?}");
        robot.step(&action);
        episode.dense.push(robot.reward());
        if robot.success() && episode.solved_at.is_none() {
            episode.solved_at = Some(step);
        }
    }
    episode.solved_at_end = robot.success();
    episode
}

fn share(episodes: &[Episode], of: impl Fn(&Episode) -> bool) -> f64 {
    episodes.iter().filter(|e| of(e)).count() as f64 / episodes.len() as f64
}

#[test]
fn positions_and_twists_solve_tasks_from_the_same_starts_as_velocities_do() {
    for task in ["reach", "push"] {
        let mut plain = make(task, 16).unwrap();
        for drive in Drive::ALL.into_iter().skip(1) {
            if drive == Drive::Twist && task != "reach" {
                continue;
            }
            let name = format!("{task}{}", drive.suffix());
            let mut robot = make(&name, 16).unwrap();
            assert_eq!(robot.task(), name);
            assert_eq!(robot.action_kinds().len(), robot.actions());
            let episodes: Vec<_> = (0..50)
                .map(|seed| {
                    plain.reset(seed);
                    robot.reset(seed);
                    assert_eq!(plain.positions(), robot.positions(), "{name}: seed {seed}");
                    assert_eq!(plain.objects(), robot.objects(), "{name}: seed {seed}");
                    episode(robot.as_mut(), PolicyKind::Expert, seed)
                })
                .collect();
            let solved = share(&episodes, |e| e.solved_at.is_some());
            println!("{name}: {solved:.2}");
            assert!(solved >= 0.9, "{name}: {solved}");
        }
    }
    for other in ["lottery-position", "push-twist"] {
        assert!(make(other, 16).is_err(), "{other}");
    }
}

#[test]
fn the_expert_solves_every_task_and_stays_there() {
    for task in TASKS {
        for first in [0, EVALUATION_SEED] {
            let mut robot = make(task, 16).unwrap();
            let episodes: Vec<_> = (first..first + 200)
                .map(|seed| episode(robot.as_mut(), PolicyKind::Expert, seed))
                .collect();
            let any = share(&episodes, |e| e.solved_at.is_some());
            let end = share(&episodes, |e| e.solved_at_end);
            let mut steps: Vec<_> = episodes.iter().filter_map(|e| e.solved_at).collect();
            steps.sort_unstable();
            println!(
                "{task} from seed {first}: any step {any:.3}, at the end {end:.3}, at step {} \
                 (median), {} (last)",
                steps[steps.len() / 2],
                steps[steps.len() - 1]
            );
            assert!(any >= 0.95 && end >= 0.95, "{task}: {any} {end}");
        }
    }
}

#[test]
fn random_motion_rarely_solves_a_task() {
    for task in TASKS {
        let mut robot = make(task, 16).unwrap();
        let episodes: Vec<_> = (0..500)
            .map(|seed| episode(robot.as_mut(), PolicyKind::Random, seed))
            .collect();
        let any = share(&episodes, |e| e.solved_at.is_some());
        println!("{task}, random: {any:.3}");
        assert!(any < 0.2, "{task}: {any}");
    }
}

#[test]
fn data_collection_shows_success_and_failure() {
    for task in TASKS {
        let mut robot = make(task, 16).unwrap();
        let episodes: Vec<_> = (0..400)
            .map(|seed| episode(robot.as_mut(), PolicyKind::Mixture, seed))
            .collect();
        let any = share(&episodes, |e| e.solved_at.is_some());
        println!("{task}, mixture: {any:.3}");
        assert!((0.25..0.8).contains(&any), "{task}: {any}");
    }
}

#[test]
fn the_dense_reward_rises_along_the_experts_way() {
    for task in TASKS {
        let mut robot = make(task, 16).unwrap();
        let (mut rises, mut falls) = (0, 0);
        for seed in 0..200 {
            let episode = episode(robot.as_mut(), PolicyKind::Expert, seed);
            let solved = episode.solved_at.unwrap_or(0);
            let way = &episode.dense[..=solved];
            assert!(
                way[solved] > way[0] + 0.1,
                "{task}, seed {seed}: from {} to {}",
                way[0],
                way[solved]
            );
            for pair in way.windows(2) {
                rises += usize::from(pair[1] > pair[0]);
                falls += usize::from(pair[1] < pair[0]);
            }
        }
        println!("{task}: {rises} rises, {falls} falls");
        assert!(rises > 3 * falls, "{task}: {rises} rises, {falls} falls");
    }
}

#[test]
fn the_sparse_reward_is_what_a_robot_starts_with() {
    for task in TASKS {
        let mut robot = make(task, 16).unwrap();
        assert_eq!(robot.reward_kind(), RewardKind::Sparse);
        assert_eq!(robot.reward(), 0.0, "{task}");
        robot.set_reward_kind(RewardKind::Dense);
        robot.reset(3);
        assert_eq!(robot.reward_kind(), RewardKind::Dense);
        assert!(robot.reward() < 0.0, "{task}");
        assert_eq!(-robot.reward(), robot.difficulty(), "{task}");
    }
}

#[test]
fn the_same_seed_gives_the_same_states_and_frames() {
    for task in TASKS {
        let run = |seed: u64| {
            let mut robot = make(task, 32).unwrap();
            let mut policy = PolicyKind::Mixture.make();
            let mut action = vec![0.0; robot.joints()];
            let mut record = Vec::new();
            robot.reset(seed);
            policy.begin(robot.as_ref(), seed);
            for _ in 0..robot.episode_steps() {
                let mut rgb = vec![0; 32 * 32 * 3];
                robot.render(&mut rgb);
                policy.act(robot.as_ref(), &mut action);
                robot.step(&action);
                let state = [robot.positions(), robot.velocities()].concat();
                record.push((state, action.clone(), rgb, robot.reward()));
            }
            record
        };
        for seed in [0, 1, 17, u64::MAX] {
            assert_eq!(run(seed), run(seed), "{task}, seed {seed}");
        }
        assert_ne!(run(1), run(2));
    }
}

#[test]
fn joints_stay_within_their_limits_under_any_action() {
    for task in TASKS {
        let mut robot = make(task, 16).unwrap();
        for seed in 0..20u64 {
            robot.reset(seed);
            for step in 0..100u64 {
                let sign = |bit: u64| if (seed >> bit) & 1 == 1 { 1e6 } else { -1e6 };
                let wild = if step % 7 == 6 { f32::NAN } else { sign(2) };
                let action = [wild, sign(0), sign(1)];
                robot.step(&action[3 - robot.joints()..]);
                for (j, limit) in robot.limits().iter().enumerate() {
                    let (q, v) = (robot.positions()[j], robot.velocities()[j]);
                    assert!((limit.lower_rad..=limit.upper_rad).contains(&q), "{j}: {q}");
                    assert!(v.abs() <= limit.velocity_rad_s, "{j}: {v}");
                }
                for object in robot.objects() {
                    assert!(object.place.iter().all(|x| x.abs() <= 1.0), "{object:?}");
                }
            }
        }
    }
}

#[test]
fn objects_keep_their_names_and_order() {
    for task in TASKS {
        let mut robot = make(task, 16).unwrap();
        let names =
            |robot: &dyn Robot| -> Vec<_> { robot.objects().iter().map(|o| o.name).collect() };
        let first = names(robot.as_ref());
        assert!(!first.is_empty());
        for seed in 0..10 {
            episode(robot.as_mut(), PolicyKind::Expert, seed);
            assert_eq!(names(robot.as_ref()), first, "{task}");
        }
    }
}

#[test]
fn difficulties_are_spread() {
    for task in TASKS {
        let mut robot = make(task, 16).unwrap();
        let mut all: Vec<f64> = (0..500)
            .map(|seed| {
                robot.reset(seed);
                robot.difficulty()
            })
            .collect();
        all.sort_by(f64::total_cmp);
        let (low, high) = (all[50], all[450]);
        println!("{task}: difficulty {low:.2} to {high:.2} m (10th to 90th percentile)");
        assert!(low > 0.1 && high > 1.25 * low, "{task}: {low} {high}");
    }
}

#[test]
fn objects_put_at_a_place_count_there() {
    let mut key = latco_envs::make("key", 32).unwrap();
    key.reset(3);
    let place = |robot: &dyn Robot, name: &str| {
        let objects = robot.objects();
        objects.iter().find(|o| o.name == name).unwrap().place
    };
    let (button, goal) = (place(key.as_ref(), "button"), place(key.as_ref(), "goal"));
    assert!(key.put("tip", goal) && key.reward() == 0.0, "not lit yet");
    assert!(key.put("tip", button) && key.reward() == 0.0);
    assert!(key.put("tip", goal) && key.reward() == 1.0);
    assert!(!key.put("tip", [5.0, 5.0]) && !key.put("lamp", goal));

    for task in ["push", "stick"] {
        let mut robot = latco_envs::make(task, 32).unwrap();
        robot.reset(3);
        let goal = place(robot.as_ref(), "goal");
        assert!(robot.put("puck", goal) && robot.reward() == 1.0, "{task}");
        assert!(robot.put("puck", [-goal[0], goal[1] + 0.5]) && robot.reward() == 0.0);
    }
}
