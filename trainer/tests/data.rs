//! Bags to episodes: what is collected or imported is what is trained on; bad bags are named.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use latco_bag::image::{Compression, compress};
use latco_bag::messages::{Float64, Float64MultiArray, Header, Image, Int64, JointState};
use latco_bag::recording::Wanted;
use latco_bag::{BagReader, BagWriter, topics};
use latco_envs::{PolicyKind, RewardKind, make};
use latco_trainer::data::{Dataset, Episode, LoadOptions, load};
use ndarray::{Array1, Array2, Array4};
use ndarray_npy::NpzWriter;

const PERIOD_NS: i64 = 100_000_000;

fn latco_train(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latco-train"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn reach_options() -> LoadOptions {
    let robot = make("reach", 32).unwrap();
    LoadOptions {
        control_period_s: robot.control_period_s(),
        action_scale: robot
            .action_scale()
            .iter()
            .map(|scale| *scale as f32)
            .collect(),
        ..LoadOptions::default()
    }
}

#[test]
fn collected_episodes_are_the_simulated_ones() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bags");
    let arguments = [
        "collect",
        "--task",
        "reach",
        "--policy",
        "expert",
        "--episodes",
        "3",
        "--seed",
        "5",
        "--image-size",
        "32",
        "--episodes-per-bag",
        "2",
        "--json",
        "--out",
    ];
    let run = || latco_train(&[&arguments[..], &[path(&out)]].concat());
    let said = json(&run());
    assert_eq!(said["episodes"], 3);
    assert_eq!(said["successes"], 3, "the expert always gets there");
    assert_eq!(said["bags"].as_array().unwrap().len(), 2);

    let data = load(std::slice::from_ref(&out), &reach_options()).unwrap();
    assert_eq!(data.problems(), Vec::<String>::new());
    assert_eq!((data.width, data.height, data.action_width), (32, 32, 3));
    let mut robot = make("reach", 32).unwrap();
    assert_eq!(data.joint_names, robot.joint_names());
    assert_eq!(data.episodes.len(), 3);
    assert_eq!(data.frames(), 3 * robot.episode_steps());
    let mut policy = PolicyKind::Expert.make();
    let mut image = vec![0; 32 * 32 * 3];
    let mut action = [0.0; 3];
    let mut joints = [0.0; 6];
    for (number, episode) in data.episodes.iter().enumerate() {
        assert_eq!(episode.number, number as i64);
        let seed = 5 * 10_007 + number as u64;
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        for step in 0..episode.len() {
            robot.render(&mut image);
            robot.write_joints(&mut joints);
            policy.act(robot.as_ref(), &mut action);
            assert_eq!(episode.images[step * image.len()..][..image.len()], image);
            assert_eq!(episode.joints[step * 6..][..6], joints);
            assert_eq!(episode.rewards[step], robot.reward() as f32);
            for (found, expected) in episode.actions[step * 3..][..3].iter().zip(action) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
            robot.step(&action);
        }
    }

    // The same again: nothing is made twice, and a missing bag is made again to the byte.
    let file = out.join("reach-0001/reach-0001_0.mcap");
    let bytes = std::fs::read(&file).unwrap();
    // And so are those of two robots side by side.
    let two = folder.path().join("two");
    let said = json(&latco_train(
        &[&arguments[..], &[path(&two), "--workers", "2"]].concat(),
    ));
    assert_eq!(said["episodes"], 3);
    assert_eq!(
        std::fs::read(two.join("reach-0001/reach-0001_0.mcap")).unwrap(),
        bytes
    );
    std::fs::remove_file(out.join("reach-0001/metadata.yaml")).unwrap();
    std::fs::write(&file, b"cut").unwrap();
    let said = json(&run());
    assert_eq!(
        (&said["episodes"], &said["episodes_kept"]),
        (&1.into(), &2.into())
    );
    assert_eq!(std::fs::read(&file).unwrap(), bytes);

    // Other settings do not mix with what is there.
    let other = latco_train(&[
        "collect",
        "--task",
        "reach",
        "--episodes",
        "1",
        "--seed",
        "6",
        "--out",
        path(&out),
    ]);
    assert_eq!(other.status.code(), Some(2));
    assert!(
        text(&other.stderr).contains("another collection"),
        "{}",
        text(&other.stderr)
    );
}

#[test]
fn bags_of_every_task_carry_the_chosen_reward_and_the_difficulty() {
    let folder = tempfile::tempdir().unwrap();
    for task in latco_envs::TASKS {
        for kind in RewardKind::ALL {
            let out = folder.path().join(format!("{task}-{}", kind.name()));
            let (reward, out) = (kind.name(), path(&out));
            let said = json(&latco_train(&[
                "collect",
                "--task",
                task,
                "--reward",
                reward,
                "--episodes",
                "2",
                "--image-size",
                "32",
                "--json",
                "--out",
                out,
            ]));
            assert_eq!(
                (&said["episodes"], &said["reward"]),
                (&2.into(), &reward.into())
            );

            let mut robot = make(task, 32).unwrap();
            robot.set_reward_kind(kind);
            let mut expected = Vec::new();
            for seed in 0..2 {
                robot.reset(seed);
                expected.push((robot.difficulty(), robot.reward()));
            }
            let bag = BagReader::open(Path::new(out).join(format!("{task}-0000"))).unwrap();
            let (mut difficulties, mut rewards) = (Vec::new(), Vec::new());
            for message in bag.messages() {
                let message = message.unwrap();
                if topics::matches(&message.topic, topics::DIFFICULTY) {
                    difficulties.push(message.decode::<Float64>().unwrap().data);
                } else if topics::matches(&message.topic, topics::REWARD) {
                    rewards.push(message.decode::<Float64>().unwrap().data);
                }
            }
            let first = rewards.into_iter().step_by(robot.episode_steps());
            let found: Vec<_> = difficulties.into_iter().zip(first).collect();
            assert_eq!(found, expected, "{task} {reward}");
        }
    }
}

#[test]
fn a_robot_in_another_process_that_dies_costs_no_finished_episode() {
    let folder = tempfile::tempdir().unwrap();
    let plane = concat!(env!("CARGO_MANIFEST_DIR"), "/envs/tests/bridge/plane");
    let file = |name: &str, options: &str| {
        let text = std::fs::read_to_string(format!("{plane}.toml")).unwrap();
        let options = format!("options = {{ {options} }}\nanswer_s");
        let text = text.replace("plane.py", &format!("{plane}.py"));
        let file = folder.path().join(name);
        std::fs::write(&file, text.replace("answer_s", &options)).unwrap();
        file
    };
    let collect = |file: &Path, out: &Path| {
        let task = ["collect", "--task", path(file), "--policy", "mixed"];
        let size = ["--episodes", "3", "--image-size", "16", "--json"];
        latco_train(&[&task[..], &size, &["--out", path(out)]].concat())
    };
    // Dies once in the first episode, which is made again.
    let once = folder.path().join("died");
    let dies = file("dies.toml", &format!("does = \"die\", once = {once:?}"));
    let [out, sound] = ["dies", "sound"].map(|name| folder.path().join(name));
    let collected = collect(&dies, &out);
    let said = json(&collected);
    assert_eq!(
        (&said["episodes"], &said["task"]),
        (&3.into(), &"plane".into())
    );
    let log = text(&collected.stderr);
    assert!(
        log.contains("the motor is on fire") && log.contains("started again"),
        "{log}"
    );
    json(&collect(&file("sound.toml", ""), &sound));
    let bag = |folder: &Path| {
        let bag = BagReader::open(folder.join("plane-0000")).unwrap();
        let all = bag.messages().map(Result::unwrap);
        all.map(|m| (m.time_ns, m.data)).collect::<Vec<_>>()
    };
    assert!(bag(&out) == bag(&sound));

    let eval = ["eval", "--task", path(&dies), "--policy", "expert"];
    let said = json(&latco_train(
        &[&eval[..], &["--episodes", "4", "--json"]].concat(),
    ));
    assert_eq!(
        (&said["success"], &said["planner"]),
        (&1.0.into(), &"expert".into())
    );
    // One that dies each time ends the command, with its last words.
    let dies = file("always.toml", "does = \"die\"");
    let ended = collect(&dies, &folder.path().join("always"));
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("the motor is on fire"));
}

#[test]
fn what_cannot_be_collected_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bags");
    for (arguments, expected) in [
        (["--task", "reach", "--policy", "planner"], "--bundle"),
        (["--task", "fly", "--policy", "mixed"], "reach"),
        (["--task", "reach", "--reward", "rich"], "sparse"),
    ] {
        let begin = ["collect", "--episodes", "1", "--out", path(&out)];
        let output = latco_train(&[&begin[..], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(expected),
            "{}",
            text(&output.stderr)
        );
    }
    assert!(!out.exists());
}

/// Image of one colour.
fn frame(stamp_ns: i64, value: u8) -> Image {
    Image::rgb8(
        Header::new(stamp_ns, "camera"),
        16,
        8,
        vec![value; 16 * 8 * 3],
    )
}

fn joint_state(stamp_ns: i64, value: f64) -> JointState {
    JointState {
        header: Header::new(stamp_ns, ""),
        name: vec!["b".into(), "a".into()],
        position: vec![value, -value],
        velocity: vec![0.5, 0.25],
        effort: vec![],
    }
}

/// A recording as a robot makes it: images at 10 Hz that arrive 30 ms late, joints at 50 Hz,
/// commands at 20 Hz, rewards after the images, two episodes.
fn live_bag(folder: &Path) {
    let start = 1_700_000_000_000_000_000;
    let mut bag = BagWriter::create(folder).unwrap();
    for tick in 0..300i64 {
        let time = start + tick * PERIOD_NS / 10;
        if tick == 0 || tick == 150 {
            let mark = Int64 {
                data: 40 + tick / 150,
            };
            bag.write(topics::EPISODE, time + 20_000_000, &mark)
                .unwrap();
        }
        if tick % 2 == 0 {
            bag.write("joint_states", time, &joint_state(time, tick as f64))
                .unwrap();
        }
        if tick % 5 == 0 {
            let data = if tick % 10 == 0 {
                vec![0.2, 0.4]
            } else {
                vec![0.6, 0.0]
            };
            bag.write("commands", time, &Float64MultiArray::vector(data))
                .unwrap();
        }
        if tick % 10 == 3 {
            let stamp = time - 30_000_000;
            bag.write("camera/image_raw", time, &frame(stamp, (tick / 10) as u8))
                .unwrap();
            bag.write(
                "reward",
                time + 1,
                &Float64 {
                    data: (tick / 10) as f64,
                },
            )
            .unwrap();
        }
    }
    bag.finish().unwrap();
}

fn live_options() -> LoadOptions {
    LoadOptions {
        action_scale: vec![2.0, 4.0],
        topics: Wanted {
            joints: Some(vec!["a".into(), "b".into()]),
            ..Wanted::default()
        },
        image_size: Some((8, 8)),
        ..LoadOptions::default()
    }
}

#[test]
fn a_live_recording_is_put_on_the_control_period() {
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("live");
    live_bag(&bag);
    let data = load(&[bag], &live_options()).unwrap();
    assert_eq!(data.problems(), Vec::<String>::new());
    assert_eq!((data.width, data.height, data.action_width), (8, 8, 2));
    let numbers: Vec<(i64, usize)> = data.episodes.iter().map(|e| (e.number, e.len())).collect();
    assert_eq!(numbers, [(40, 15), (41, 15)]);
    for (index, episode) in data.episodes.iter().enumerate() {
        for step in 0..15 {
            let number = index * 15 + step;
            assert!(
                episode.images[step * 192..][..192]
                    .iter()
                    .all(|v| *v == number as u8)
            );
            // What came before the mark belongs to the episode before: at its first frame an
            // episode takes the next joint state, and no command is known yet.
            let first = step == 0;
            let position = (number * 10) as f32 + if first { 2.0 } else { 0.0 };
            assert_eq!(
                episode.joints[step * 4..][..4],
                [-position, position, 0.25, 0.5]
            );
            assert_eq!(episode.rewards[step], number as f32);
            // Mean of the two commands of the period, over the scale.
            let expected = if first { [0.15, 0.0] } else { [0.2, 0.05] };
            for (found, expected) in episode.actions[step * 2..][..2].iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
    }
}

/// As the live bag, with the images on another topic or of another kind.
fn with_images(original: &Path, copy: &Path, mut write: impl FnMut(&mut BagWriter, i64, Image)) {
    let reader = BagReader::open(original).unwrap();
    let mut bag = BagWriter::create(copy).unwrap();
    for message in reader.messages() {
        let message = message.unwrap();
        if topics::matches(&message.topic, topics::CAMERA_IMAGE) {
            write(&mut bag, message.time_ns, message.decode().unwrap());
        } else {
            let (topic, ty) = (&message.topic, &message.type_name);
            bag.write_raw(topic, ty, message.time_ns, &message.data)
                .unwrap();
        }
    }
    bag.finish().unwrap();
}

#[test]
fn compressed_images_and_images_of_other_sizes_train_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (flat, live) = (folder.path().join("flat"), folder.path().join("live"));
    live_bag(&flat);
    // No two pixels alike, so that a wrong crop shows.
    with_images(&flat, &live, |bag, time, mut image| {
        for (at, value) in image.data.iter_mut().enumerate() {
            *value = value.wrapping_add((at * 37) as u8);
        }
        bag.write(topics::CAMERA_IMAGE, time, &image).unwrap();
    });
    let expected = load(std::slice::from_ref(&live), &live_options()).unwrap();
    // Every pixel five times in each direction, and a margin that the centre crop takes off.
    let grown = |image: Image| {
        let (width, height, margin) = (image.width * 5, image.height * 5, 7);
        let mut data = Vec::new();
        for y in 0..height {
            for x in 0..width + 2 * margin {
                let x = x.saturating_sub(margin).min(width - 1);
                let at = (y / 5 * image.step + x / 5 * 3) as usize;
                data.extend_from_slice(&image.data[at..at + 3]);
            }
        }
        Image::rgb8(image.header, width + 2 * margin, height, data)
    };
    let png = folder.path().join("png");
    with_images(&live, &png, |bag, time, image| {
        let image = compress(image, Compression::Png).unwrap();
        bag.write(topics::CAMERA_IMAGE_COMPRESSED, time, &image)
            .unwrap();
    });
    let large = folder.path().join("large");
    with_images(&live, &large, |bag, time, image| {
        let image = compress(grown(image), Compression::Png).unwrap();
        bag.write(topics::CAMERA_IMAGE_COMPRESSED, time, &image)
            .unwrap();
    });
    let raw = folder.path().join("raw");
    with_images(&live, &raw, |bag, time, image| {
        bag.write(topics::CAMERA_IMAGE, time, &grown(image))
            .unwrap();
    });
    for other in [png, large, raw] {
        let found = load(std::slice::from_ref(&other), &live_options()).unwrap();
        assert_eq!(found.episodes, expected.episodes, "{}", other.display());
        let lines = |data: &Dataset| data.bags[0].problems.len();
        assert_eq!(lines(&found), lines(&expected), "{:?}", found.problems());
    }
}

#[test]
fn a_cut_bag_is_named_and_the_rest_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (good, cut, wrong) = (
        folder.path().join("good"),
        folder.path().join("cut"),
        folder.path().join("wrong"),
    );
    live_bag(&good);
    // Images that do not compress, so that half the file is half the episode.
    let mut bag = BagWriter::create(&cut).unwrap();
    let mut state = 1u32;
    for tick in 0..200i64 {
        let mut image = frame(tick * PERIOD_NS, 0);
        (image.width, image.height, image.step) = (64, 64, 192);
        image.data = (0..64 * 64 * 3)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        bag.write(topics::CAMERA_IMAGE, tick * PERIOD_NS, &image)
            .unwrap();
        bag.write(topics::JOINT_STATES, tick * PERIOD_NS, &joint_state(0, 0.0))
            .unwrap();
        bag.write(
            topics::COMMANDS,
            tick * PERIOD_NS,
            &Float64MultiArray::vector(vec![0.0; 2]),
        )
        .unwrap();
    }
    bag.finish().unwrap();
    let file = cut.join("cut_0.mcap");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let mut bag = BagWriter::create(&wrong).unwrap();
    bag.write(topics::CAMERA_IMAGE, 0, &Float64 { data: 0.0 })
        .unwrap();
    bag.write(topics::COMMANDS, 0, &Float64 { data: 0.0 })
        .unwrap();
    bag.write(topics::JOINT_STATES, 0, &Float64 { data: 0.0 })
        .unwrap();
    bag.finish().unwrap();

    let data = load(&[folder.path().to_path_buf()], &live_options()).unwrap();
    let by_name = |name: &str| {
        data.bags
            .iter()
            .find(|report| report.bag.ends_with(name))
            .unwrap()
    };
    assert_eq!(
        (by_name("good").frames, by_name("good").problems.len()),
        (30, 0)
    );
    let report = by_name("cut");
    assert!(
        (60..110).contains(&report.frames),
        "{} frames",
        report.frames
    );
    assert!(
        report.problems[0].contains("truncated"),
        "{:?}",
        report.problems
    );
    let report = by_name("wrong");
    assert_eq!(report.frames, 0);
    assert!(
        report.problems[0].contains("sensor_msgs/msg/Image"),
        "{:?}",
        report.problems
    );
    assert!(
        data.problems()
            .iter()
            .any(|line| line.contains("cut_0.mcap"))
    );

    let error = load(&[wrong], &live_options()).unwrap_err().to_string();
    assert!(
        error.contains("none of 1 bags") && error.contains("wrong"),
        "{error}"
    );
    let error = load(&[folder.path().join("nothing")], &live_options())
        .unwrap_err()
        .to_string();
    assert!(error.contains("nothing"), "{error}");
}

#[test]
fn a_long_recording_without_marks_is_cut_so_that_parts_can_be_held_out() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, mark: Option<i64>| {
        let path = folder.path().join(name);
        let mut bag = BagWriter::create(&path).unwrap();
        if let Some(data) = mark {
            bag.write(topics::EPISODE, 0, &Int64 { data }).unwrap();
        }
        for time in (0..250i64).map(|tick| tick * PERIOD_NS) {
            let command = Float64MultiArray::vector(vec![time as f64]);
            bag.write(topics::CAMERA_IMAGE, time, &frame(time, 1))
                .unwrap();
            bag.write(topics::COMMANDS, time, &command).unwrap();
        }
        bag.finish().unwrap();
        load(&[path], &LoadOptions::default()).unwrap()
    };
    let (cut, whole) = (write("unmarked", None), write("marked", Some(0)));
    let frames = |data: &Dataset| data.episodes.iter().map(Episode::len).collect::<Vec<_>>();
    assert_eq!(
        (frames(&cut), frames(&whole)),
        (vec![84, 84, 82], vec![250])
    );
    let actions = |data: &Dataset| -> Vec<f32> {
        data.episodes
            .iter()
            .flat_map(|e| e.actions.clone())
            .collect()
    };
    assert_eq!(actions(&cut), actions(&whole));
    let problems = cut.problems().join("\n");
    assert!(
        problems.contains("no episode marks: cut 2 times"),
        "{problems}"
    );
    assert!(!whole.problems().join("\n").contains("cut"));
}

#[test]
fn messages_that_cannot_be_used_are_counted_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dirty");
    let mut bag = BagWriter::create(&path).unwrap();
    for tick in 0..20i64 {
        let time = tick * PERIOD_NS;
        let mut image = frame(time, 1);
        if tick == 5 {
            image.step = 3;
        }
        if tick == 7 {
            image.encoding = "jpeg".into();
        }
        let mut joints = joint_state(time, 1.0);
        if tick == 9 {
            joints.position[0] = f64::NAN;
        }
        let command = if tick == 11 { f64::INFINITY } else { 1.0 };
        bag.write(topics::CAMERA_IMAGE, time, &image).unwrap();
        bag.write(topics::JOINT_STATES, time, &joints).unwrap();
        bag.write(
            topics::COMMANDS,
            time,
            &Float64MultiArray::vector(vec![command]),
        )
        .unwrap();
    }
    bag.finish().unwrap();
    let data = load(&[path], &LoadOptions::default()).unwrap();
    assert_eq!(data.frames(), 20, "the neighbours stand in");
    assert_eq!(data.joint_names, ["b", "a"]);
    assert!(
        data.episodes[0]
            .joints
            .iter()
            .all(|value| value.is_finite())
    );
    assert!(data.episodes[0].actions.iter().all(|value| *value == 1.0));
    let problems = data.problems().join("\n");
    for expected in [
        "2 images ignored",
        "step",
        "1 joint states ignored",
        "NaN",
        "1 commands ignored",
        "no topic `reward`",
    ] {
        assert!(problems.contains(expected), "{expected}: {problems}");
    }
}

fn write_npz(file: &Path, frames: usize, dreamer: bool) {
    let mut npz = NpzWriter::new_compressed(std::fs::File::create(file).unwrap());
    let image = Array4::from_shape_fn((frames, 16, 16, 3), |(t, y, x, c)| {
        (t * 50 + y + x * 2 + c) as u8
    });
    npz.add_array("image", &image).unwrap();
    let action = Array2::from_shape_fn((frames, 2), |(t, j)| t as f32 * 0.1 + j as f32 * 0.01);
    npz.add_array("action", &action).unwrap();
    npz.add_array("reward", &Array1::from_shape_fn(frames, |t| t as f32))
        .unwrap();
    if !dreamer {
        npz.add_array(
            "state",
            &Array2::from_shape_fn((frames, 3), |(t, j)| (t * t + j) as f32),
        )
        .unwrap();
        npz.add_array(
            "is_first",
            &Array1::from_shape_fn(frames, |t| t == 0 || t == 4),
        )
        .unwrap();
        npz.add_array("is_last", &Array1::from_elem(frames, false))
            .unwrap();
    }
    npz.finish().unwrap();
}

fn import(files: &Path, out: &Path, more: &[&str]) -> Output {
    let begin = [
        "import",
        "--rate-hz",
        "5",
        "--json",
        "--npz",
        path(files),
        "--out",
        path(out),
    ];
    latco_train(&[&begin[..], more].concat())
}

fn load_imported(out: PathBuf) -> Dataset {
    let options = LoadOptions {
        control_period_s: 0.2,
        ..LoadOptions::default()
    };
    load(&[out], &options).unwrap()
}

#[test]
fn npz_episodes_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("npz");
    std::fs::create_dir(&files).unwrap();
    write_npz(&files.join("a.npz"), 10, false);
    let said = json(&import(&files, &folder.path().join("bags"), &[]));
    assert_eq!(
        (&said["episodes"], &said["frames"]),
        (&2.into(), &10.into())
    );

    let data = load_imported(folder.path().join("bags"));
    assert_eq!(data.joint_names, ["state_0", "state_1", "state_2"]);
    assert_eq!(
        data.episodes.iter().map(Episode::len).collect::<Vec<_>>(),
        [4, 6]
    );
    let second = &data.episodes[1];
    assert_eq!(second.images[0], 200);
    assert_eq!(second.rewards, [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    assert_eq!(second.actions[..2], [0.4, 0.41]);
    // Velocity by difference, 0 at the first frame of an episode.
    assert_eq!(second.joints[..6], [16.0, 17.0, 18.0, 0.0, 0.0, 0.0]);
    assert_eq!(second.joints[6..12], [25.0, 26.0, 27.0, 45.0, 45.0, 45.0]);

    // Dreamer's way: no state, no marks, the action led to the frame.
    write_npz(&files.join("a.npz"), 10, true);
    let out = folder.path().join("dreamer");
    json(&import(&files, &out, &["--action", "precedes"]));
    let data = load_imported(out);
    assert!(data.joint_names.is_empty());
    assert_eq!(data.episodes[0].actions[..2], [0.1, 0.11]);
    assert_eq!(data.episodes[0].actions[18..], [0.0, 0.0]);
}

#[test]
fn a_wrong_npz_file_is_refused_with_all_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("npz");
    std::fs::create_dir(&files).unwrap();
    write_npz(&files.join("a.npz"), 6, true);
    let mut npz = NpzWriter::new(std::fs::File::create(files.join("b.npz")).unwrap());
    npz.add_array("image", &Array4::<f32>::zeros((6, 16, 16, 3)))
        .unwrap();
    npz.add_array("action", &Array1::<f32>::zeros(6)).unwrap();
    npz.add_array("is_first", &Array1::<f32>::zeros(6)).unwrap();
    npz.add_array("depth", &Array2::<f64>::zeros((6, 4)))
        .unwrap();
    npz.finish().unwrap();
    std::fs::write(files.join("c.npz"), b"not a zip").unwrap();
    let out = folder.path().join("bags");
    let output = import(&files, &out, &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for expected in [
        "2 of 3 files",
        "`image`: expected u8 [T, h, w, 3], found f32 [6, 16, 16, 3]",
        "`action`: expected numbers [T, n], found f32 [6]",
        "`reward`: expected numbers [T], found no such key",
        "`is_first`: expected bool [T], found f32 [6]",
        "`depth` f64 [6, 4]",
        "c.npz",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(!out.exists());
}

#[test]
#[ignore = "needs real camera data: LATCO_REAL_DATA=FOLDER make test-data"]
fn the_real_camera_data_is_imported() {
    let data = std::env::var_os("LATCO_REAL_DATA").expect("LATCO_REAL_DATA names the folder");
    let data = PathBuf::from(data);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bags");
    let said = json(&import(&data, &out, &[]));
    assert_eq!(
        (&said["episodes"], &said["frames"]),
        (&25.into(), &250.into())
    );
    let data = load_imported(out);
    assert_eq!(data.problems(), Vec::<String>::new());
    assert_eq!((data.episodes.len(), data.frames()), (25, 250));
    assert_eq!((data.width, data.height), (64, 64));
    assert_eq!((data.joint_names.len(), data.action_width), (7, 7));
    assert!(
        data.episodes
            .iter()
            .all(|e| e.joints.iter().chain(&e.actions).all(|v| v.is_finite()))
    );
    // A real picture is neither black nor flat.
    let image = &data.episodes[0].images[..64 * 64 * 3];
    let mean = image.iter().map(|v| f64::from(*v)).sum::<f64>() / image.len() as f64;
    assert!((20.0..235.0).contains(&mean), "{mean}");
}
