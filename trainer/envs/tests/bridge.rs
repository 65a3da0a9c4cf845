//! Robots in other processes: an environment in plain Python, which also does what none should, and those of `make simulators`.

#![allow(clippy::unwrap_used)] // in tests

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use latco_envs::{EnvError, PolicyKind, Robot, make, undisturbed};
use tempfile::TempDir;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bridge");
const CONFIGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/robots");

/// The file of the plane, changed: each pair is what is replaced and by what.
fn file(folder: &TempDir, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = std::fs::read_to_string(Path::new(HERE).join("plane.toml")).unwrap();
    let adapter = format!("{HERE}/plane.py");
    for (old, new) in [("plane.py", adapter.as_str())].iter().chain(changes) {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    let path = folder.path().join("plane.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// The plane with options for it.
fn plane(folder: &TempDir, options: &str) -> Box<dyn Robot> {
    let line = format!("python = \"python3\"\noptions = {{ {options} }}");
    let path = file(folder, &[("python = \"python3\"", &line)]);
    make(path.to_str().unwrap(), 16).unwrap()
}

/// Runs one episode to its end or its failure; gives the positions.
fn run(robot: &mut dyn Robot, policy: PolicyKind, seed: u64) -> Vec<f64> {
    let mut policy = policy.make();
    let mut action = vec![0.0; robot.joints()];
    let mut picture = vec![0; 3 * robot.image_size().pow(2)];
    robot.reset(seed);
    policy.begin(robot, seed);
    let mut positions = Vec::new();
    for _ in 0..robot.episode_steps() {
        robot.render(&mut picture);
        policy.act(robot, &mut action);
        robot.step(&action);
        positions.extend_from_slice(robot.positions());
    }
    positions
}

/// What is said of a file that is changed so, at the latest after the first reset.
fn said_of(changes: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, changes);
    let robot = make(path.to_str().unwrap(), 16);
    let error = robot.map_or_else(Some, |mut robot| {
        robot.reset(0);
        robot.render(&mut [0; 16 * 16 * 3]);
        robot.failure()
    });
    error.unwrap().to_string()
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} in {message:?}");
    }
}

#[test]
fn a_robot_in_another_process_goes_where_its_commands_take_it_and_repeats_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (mut robot, mut other) = (plane(&folder, ""), plane(&folder, ""));
    assert_eq!(
        (robot.task(), robot.joint_names()),
        ("plane", &["x", "y"][..])
    );
    robot.reset(3);
    let begin = robot.positions().to_vec();
    robot.step(&[0.5, -0.25]);
    // 0.5 of 1 m/s for 0.1 s; another joint by another action.
    assert!((robot.positions()[0] - begin[0] - 0.05).abs() < 1e-9);
    assert!((robot.positions()[1] - begin[1] + 0.025).abs() < 1e-9);
    assert!((robot.velocities()[0] - 0.5).abs() < 1e-9);
    // In pieces that are no steps of the environment, the whole way is the same.
    robot.reset(3);
    for _ in 0..10 {
        robot.advance(&[0.5, -0.25], 0.01);
    }
    assert!((robot.positions()[0] - begin[0] - 0.05).abs() < 1e-9);

    let way = run(robot.as_mut(), PolicyKind::Expert, 4);
    assert!(robot.success(), "{way:?}");
    assert_eq!(run(other.as_mut(), PolicyKind::Expert, 4), way);
    let mixture = run(robot.as_mut(), PolicyKind::Mixture, 5);
    assert_eq!(run(other.as_mut(), PolicyKind::Mixture, 5), mixture);
    assert!(robot.failure().is_none() && other.failure().is_none());
}

#[test]
fn what_an_environment_prints_does_not_come_between() {
    let folder = tempfile::tempdir().unwrap();
    let mut robot = plane(&folder, "does = \"print\"");
    run(robot.as_mut(), PolicyKind::Expert, 1);
    assert!(robot.failure().is_none() && robot.success());
}

#[test]
fn an_environment_that_is_killed_is_named_with_its_last_words_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut robot = plane(&folder, "does = \"die\"");
    run(robot.as_mut(), PolicyKind::Random, 1);
    let message = robot.failure().unwrap().to_string();
    assert_says(
        &message,
        &[
            "plane",
            "process ended (exit status: 7)",
            "the motor is on fire",
        ],
    );

    let once = folder.path().join("died");
    let mut robot = plane(&folder, &format!("does = \"die\", once = {once:?}"));
    let mut tries = 0;
    let way = undisturbed(robot.as_mut(), |robot| {
        tries += 1;
        run(robot, PolicyKind::Random, 1)
    });
    assert_eq!((way.unwrap().len(), tries), (2 * 30, 2));
    // One that dies each time is given up.
    let mut robot = plane(&folder, "does = \"die\"");
    let error = undisturbed(robot.as_mut(), |robot| run(robot, PolicyKind::Random, 1));
    assert!(matches!(error, Err(EnvError::Simulator { .. })));
}

#[test]
fn an_environment_that_does_not_answer_is_killed_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let changes = [
        ("answer_s = 20", "answer_s = 1.5"),
        (
            "python = \"python3\"",
            "python = \"python3\"\noptions = { does = \"hang\" }",
        ),
    ];
    let mut robot = make(file(&folder, &changes).to_str().unwrap(), 16).unwrap();
    let begin = Instant::now();
    run(robot.as_mut(), PolicyKind::Random, 1);
    assert!(begin.elapsed() < Duration::from_secs(60));
    let message = robot.failure().unwrap().to_string();
    assert_says(&message, &["plane", "an answer within 1.5 s", "found none"]);
}

#[test]
fn numbers_that_are_none_and_errors_of_the_environment_are_told() {
    let folder = tempfile::tempdir().unwrap();
    for (does, parts) in [
        (
            "nan",
            [
                "joint y: expected a finite number from the environment, found NaN",
                "plane",
            ],
        ),
        ("raise", ["RuntimeError: the joint is stuck", "plane.py"]),
    ] {
        let mut robot = plane(&folder, &format!("does = {does:?}"));
        run(robot.as_mut(), PolicyKind::Random, 1);
        assert_says(&robot.failure().unwrap().to_string(), &parts);
    }
}

/// Replacements in a file, and the words that its refusal has.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn files_that_do_not_fit_are_refused_with_what_was_found() {
    let joint_2 = "name = \"y\"\nunit = \"m\"";
    let cases: &[Case<'_>] = &[
        // Unknown joints.
        (
            &[("x = \"observation.goal[0]\"", "z = \"observation.goal[0]\"")],
            &["expert.target", "\"x\", \"y\"", "\"z\""][..],
        ),
        (
            &[("action = 2", "action = 3")],
            &["joint y: action", "the 3 actions", "found 3"],
        ),
        (
            &[("action = 2", "action = 0")],
            &["joint 1 (y): action", "no other joint has"],
        ),
        (
            &[("observation.place[1]", "observation.places[1]")],
            &["observation.places[1]", "'place', 'goal'"],
        ),
        (
            &[(joint_2, "name = \"x\"\nunit = \"m\"")],
            &["joint 1 (x): name", "no other has"],
        ),
        // Units.
        (
            &[(joint_2, "name = \"y\"\nunit = \"mm\"")],
            &["joint 1 (y): unit", "rad or m", "\"mm\""],
        ),
        (
            &[("action_unit = 2.0", "action_unit = 0.002")],
            &["joint x", "-1 to 1", "-500 to 500", "check unit"],
        ),
        (
            &[("upper = 1.0", "upper = -1.0")],
            &["joint 0 (x): lower, upper", "rise"],
        ),
        // Pictures.
        (
            &[(
                "python = \"python3\"",
                "python = \"python3\"\noptions = { draws = [20, 10] }",
            )],
            &["a picture of 16x16", "found 20x10", "camera.picture"],
        ),
        (
            &[("max_steps = 30", "max_steps = 0\nstops = 3")],
            &["stops"],
        ),
        (
            &[("max_steps = 30", "max_steps = 0")],
            &["time.max_steps", "found 0"],
        ),
        // Not installed.
        (
            &[("adapter = \"", "imports = [\"no_such_simulator\"]\n# \"")],
            &["No module named", "make simulators", "environment.python"],
        ),
        (
            &[("python = \"python3\"", "python = \"no-such-python\"")],
            &["no-such-python", "make simulators"],
        ),
    ];
    for (changes, parts) in cases {
        let message = said_of(changes);
        assert_says(&message, parts);
        assert!(message.contains("plane"), "{message}");
    }
    let message = make("no/such/robot.toml", 32).err().unwrap().to_string();
    assert_says(
        &message,
        &["no/such/robot.toml", "expected the TOML file of a robot"],
    );
}

/// Every file that there is, as long as nothing of it runs.
#[test]
fn the_files_of_the_repository_are_read() {
    let mut read = 0;
    for entry in std::fs::read_dir(CONFIGS).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let robot = make(path.to_str().unwrap(), 64).unwrap();
            assert_eq!(path.file_stem().unwrap(), robot.task());
            read += 1;
        }
    }
    assert!(read >= 5, "{read}");
}

#[test]
#[ignore = "needs make simulators: cargo test --release -p latco-envs --test bridge -- --ignored"]
fn simulators_of_others_are_driven() {
    for (name, has_expert) in [
        ("fetch-reach", true),
        ("metaworld-reach", true),
        ("metaworld-button", true),
        ("metaworld-drawer", true),
        ("pusht", false),
    ] {
        let mut robot = make(&format!("{CONFIGS}/{name}.toml"), 32).unwrap();
        let begin = {
            robot.reset(1);
            robot.positions().to_vec()
        };
        let policy = if has_expert {
            PolicyKind::Expert
        } else {
            PolicyKind::Random
        };
        let way = run(robot.as_mut(), policy, 1);
        assert!(robot.failure().is_none(), "{name}: {:?}", robot.failure());
        assert_ne!(way[way.len() - robot.joints()..], begin, "{name}");
        assert_eq!(run(robot.as_mut(), policy, 1), way, "{name} repeats itself");
        if has_expert {
            assert!(robot.success(), "{name}: {way:?}");
        }
        let mut picture = vec![0; 32 * 32 * 3];
        robot.render(&mut picture);
        let (low, high) = (picture.iter().min().unwrap(), picture.iter().max().unwrap());
        assert!(high - low > 60, "{name}: a picture of {low} to {high}");
    }
}
