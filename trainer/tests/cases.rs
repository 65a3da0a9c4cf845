//! Training on what real robots record: rows of `tests/cases/README.md`. The name of a test has the row's number.

#![allow(clippy::unwrap_used, clippy::type_complexity)] // a failed helper fails the test

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use latco_bag::messages::{
    Duration, Float64, Float64MultiArray, Header, Image, Int64, JointState, JointTrajectory,
    JointTrajectoryPoint,
};
use latco_bag::recording::{Actions, Wanted};
use latco_bag::{BagReader, BagWriter, TopicSpec, cdr, topics};
use latco_trainer::data::{Dataset, Episode, LoadOptions, load};
use latco_trainer::label::{Rule, label};
use latco_trainer::source;

const BEGAN_NS: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;
const IMAGES: usize = 20;

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/cases")
        .join(name)
}

/// What is particular about a recording.
struct Kind {
    image: &'static str,
    encoding: &'static str,
    states: fn(i64) -> Vec<JointState>,
    commands: fn(&mut BagWriter, i64),
    stamp: fn(i64) -> i64,
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            image: topics::CAMERA_IMAGE,
            encoding: "rgb8",
            states: |tick| vec![state(&["joint_1", "joint_2", "joint_3"], tick, Some(1.0))],
            commands: |bag, time| bag.write(topics::COMMANDS, time, &velocities()).unwrap(),
            stamp: |time| time - MS,
        }
    }
}

fn velocities() -> Float64MultiArray {
    Float64MultiArray::vector(vec![0.5, -0.5, 0.25])
}

/// Joints that turn at 0.5, -0.5 and 0.25 rad/s from 1, 2 and 3 rad; a gripper stands.
fn position(name: &str, tick: i64) -> f64 {
    let seconds = tick as f64 * 0.02;
    match name {
        "joint_1" => 1.0 + 0.5 * seconds,
        "joint_2" => 2.0 - 0.5 * seconds,
        "joint_3" => 3.0 + 0.25 * seconds,
        _ => 0.04,
    }
}

fn state(names: &[&str], tick: i64, velocity: Option<f64>) -> JointState {
    JointState {
        name: names.iter().map(|name| (*name).to_owned()).collect(),
        position: names.iter().map(|name| position(name, tick)).collect(),
        velocity: velocity.map_or(Vec::new(), |velocity| vec![velocity; names.len()]),
        ..JointState::default()
    }
}

/// Records 2 s: images and commands at 10 Hz, joint states at 50 Hz.
fn record(folder: &Path, name: &str, kind: &Kind) -> PathBuf {
    let path = folder.join(name);
    let mut bag = BagWriter::create(&path).unwrap();
    bag.write(topics::EPISODE, BEGAN_NS - 1, &Int64 { data: 0 })
        .unwrap();
    for tick in 0..5 * IMAGES as i64 {
        let time = BEGAN_NS + tick * 20 * MS;
        for (part, mut state) in (0..).zip((kind.states)(tick)) {
            let time = time + part * MS;
            state.header = Header::new((kind.stamp)(time), "");
            bag.write(topics::JOINT_STATES, time, &state).unwrap();
        }
        if tick % 5 == 0 {
            let shade = (tick * 2) as u8;
            let pixel = if kind.encoding == "rgb8" { 3 } else { 2 };
            let image = Image {
                header: Header::new((kind.stamp)(time), "camera"),
                height: 32,
                width: 32,
                encoding: kind.encoding.into(),
                step: 32 * pixel,
                data: vec![shade; 32 * 32 * pixel as usize],
                ..Image::default()
            };
            bag.write(kind.image, time, &image).unwrap();
            (kind.commands)(&mut bag, time);
            bag.write(topics::REWARD, time + 1, &Float64 { data: 1.0 })
                .unwrap();
        }
    }
    bag.finish().unwrap();
    path
}

fn read(bag: &Path, wanted: Wanted) -> Dataset {
    let options = LoadOptions {
        topics: wanted,
        ..LoadOptions::default()
    };
    load(&[bag.to_owned()], &options).unwrap()
}

fn refusal(bag: &Path, wanted: Wanted) -> String {
    let options = LoadOptions {
        topics: wanted,
        ..LoadOptions::default()
    };
    load(&[bag.to_owned()], &options).unwrap_err().to_string()
}

fn named(names: &[&str]) -> Wanted {
    Wanted {
        joints: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Wanted::default()
    }
}

/// One episode of 20 images whose joints and actions are those of the plain recording.
fn assert_plain(data: &Dataset, velocity: f32) {
    assert_eq!(data.joint_names, ["joint_1", "joint_2", "joint_3"]);
    let [episode] = &data.episodes[..] else {
        panic!("{} episodes: {:?}", data.episodes.len(), data.problems());
    };
    assert_eq!(episode.len(), IMAGES);
    for frame in 0..IMAGES {
        let tick = 5 * frame as i64;
        let joints = &episode.joints[6 * frame..][..6];
        for (found, name) in joints.iter().zip(&data.joint_names) {
            let off = f64::from(*found) - position(name, tick);
            assert!(off.abs() < 0.02, "frame {frame}, {name}: {off}");
        }
        assert_eq!(joints[3..], [velocity; 3], "frame {frame}");
    }
    assert_actions(episode);
}

/// The actions are what the joints did; the last may be known in part.
fn assert_actions(episode: &Episode) {
    for frame in 0..episode.len() - 1 {
        let found = &episode.actions[3 * frame..][..3];
        for (found, expected) in found.iter().zip([0.5, -0.5, 0.25]) {
            assert!(
                (found - expected).abs() < 0.01,
                "frame {frame}: {found} {expected}"
            );
        }
    }
}

#[test]
fn case_01_04_05_06_08_bags_of_any_kind_train() {
    for (name, frames, words) in [
        ("01/mixed", 20, &["/diag_json", "/pose_pb"][..]),
        ("05/be", 20, &[]),
        ("06/idl", 20, &[]),
        ("07/two", 20, &[]),
        ("11/norepeat", 30, &[]),
    ] {
        let data = read(&case(name), Wanted::default());
        assert_eq!(data.frames(), frames, "{name}: {:?}", data.problems());
        assert_eq!(
            (data.joint_names.len(), data.action_width),
            (3, 3),
            "{name}"
        );
        let problems = data.problems();
        assert_eq!(problems.len(), words.len(), "{name}: {problems:?}");
        for (problem, word) in problems.iter().zip(words) {
            assert!(problem.contains(word), "{problem}");
        }
    }
}

#[test]
fn case_12_velocities_that_are_nan_are_not_known_as_in_an_empty_list() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, states| {
        let kind = Kind {
            states,
            ..Kind::default()
        };
        read(&record(folder.path(), name, &kind), Wanted::default())
    };
    let nan = of("nan", |tick| {
        vec![state(
            &["joint_1", "joint_2", "joint_3"],
            tick,
            Some(f64::NAN),
        )]
    });
    let empty = of("empty", |tick| {
        vec![state(&["joint_1", "joint_2", "joint_3"], tick, None)]
    });
    assert_plain(&nan, 0.0);
    assert_eq!(nan.episodes, empty.episodes);
}

#[test]
fn case_13_joint_states_in_parts_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let kind = Kind {
        states: |tick| {
            vec![
                state(&["joint_1", "joint_2"], tick, Some(1.0)),
                state(&["joint_3"], tick, Some(1.0)),
            ]
        },
        ..Kind::default()
    };
    let bag = record(folder.path(), "split", &kind);
    for wanted in [Wanted::default(), named(&["joint_1", "joint_2", "joint_3"])] {
        let data = read(&bag, wanted);
        assert_plain(&data, 1.0);
        assert_eq!(data.problems(), Vec::<String>::new());
    }
}

#[test]
fn case_14_the_gripper_is_a_joint_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let kind = Kind {
        states: |tick| {
            vec![
                state(&["gripper"], tick, Some(1.0)),
                state(&["joint_1", "joint_2", "joint_3"], tick, Some(1.0)),
            ]
        },
        ..Kind::default()
    };
    let bag = record(folder.path(), "gripper_first", &kind);
    assert_plain(&read(&bag, Wanted::default()), 1.0);
    let data = read(&bag, named(&["joint_3", "gripper"]));
    assert_eq!(data.joint_names, ["joint_3", "gripper"]);
    assert!((data.episodes[0].joints[1] - 0.04).abs() < 1e-6);
    let text = refusal(&bag, named(&["joint_1", "wrist"]));
    assert!(
        text.contains("not found: [\"wrist\"]") && text.contains("gripper"),
        "{text}"
    );
}

#[test]
fn case_15_topics_are_the_only_ones_or_those_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let kind = Kind {
        image: "/camera/color/image_raw",
        ..Kind::default()
    };
    let bag = record(folder.path(), "colour", &kind);
    assert_plain(&read(&bag, Wanted::default()), 1.0);
    let image = |name: &str| Wanted {
        image: name.into(),
        ..Wanted::default()
    };
    assert_plain(&read(&bag, image("camera/color/image_raw")), 1.0);
    let text = refusal(&bag, image("/camera/colour"));
    for part in [
        "/camera/colour",
        "/camera/color/image_raw (sensor_msgs/msg/Image) with 20",
        "data.image",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }

    // A second camera: only a name chooses.
    let two = folder.path().join("two");
    let original = BagReader::open(&bag).unwrap();
    let mut copy = BagWriter::create_copy(&two, &original, |_| false).unwrap();
    for message in original.messages() {
        let message = message.unwrap();
        copy.copy(&message).unwrap();
        if message.topic.contains("color") {
            copy.write(
                "/wrist/image",
                message.time_ns,
                &message.decode::<Image>().unwrap(),
            )
            .unwrap();
        }
    }
    copy.finish().unwrap();
    let text = refusal(&two, Wanted::default());
    for part in [
        "/camera/color/image_raw",
        "/wrist/image",
        "choose one with data.image",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_plain(&read(&two, image("/wrist/image")), 1.0);

    // The other commands say it in their own words.
    let out = folder.path().join("out");
    let error = label(&two, &out, &Rule::LastSeconds(1.0), "")
        .unwrap_err()
        .to_string();
    assert!(error.contains("choose one with --image"), "{error}");
    let labelled = label(&two, &out, &Rule::LastSeconds(1.0), "/wrist/image").unwrap();
    assert_eq!(labelled.frames, IMAGES);

    // The keys of a training configuration.
    let text = "[data]\ntask = \"mine\"\ncontrol_period_s = 0.1\nimage = \"/wrist/image\"\njoints = [\"joint_2\"]\n\
                commands = \"/commands\"\njoint_states = \"/joint_states\"\n";
    let config = latco_trainer::fit::config::FitConfig::parse(text).unwrap();
    let source = source::read(&[two], &[], &config).unwrap();
    assert_eq!(source.facts.joint_names, ["joint_2"]);
}

#[test]
fn case_16_a_recording_without_commands_is_refused_once_or_learned_from_its_joints() {
    let folder = tempfile::tempdir().unwrap();
    let kind = Kind {
        commands: |_, _| {},
        ..Kind::default()
    };
    let bag = record(folder.path(), "nocmd", &kind);
    let text = refusal(&bag, Wanted::default());
    for part in [
        "expected commands (`/commands`",
        "JointTrajectory",
        "/joint_states (sensor_msgs",
        "data.action = \"joint_states\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("expected commands").count(), 1, "{text}");
    let differences = Wanted {
        actions: Actions::Differences,
        ..Wanted::default()
    };
    assert_plain(&read(&bag, differences), 1.0);
}

#[test]
fn case_17_images_in_yuv_are_converted() {
    let folder = tempfile::tempdir().unwrap();
    for encoding in ["yuv422_yuy2", "yuv422", "uyvy"] {
        let kind = Kind {
            encoding,
            ..Kind::default()
        };
        let data = read(&record(folder.path(), encoding, &kind), Wanted::default());
        assert_plain(&data, 1.0);
        let pixels = &data.episodes[0].images;
        assert!(pixels[..3] != pixels[pixels.len() - 3..], "{encoding}");
    }
}

#[test]
fn case_18_stamps_of_another_clock_give_way_to_the_times_of_recording() {
    let folder = tempfile::tempdir().unwrap();
    let stamps: [(&str, fn(i64) -> i64, &str); 4] = [
        ("zero", |_| 0, "zero"),
        (
            "boot",
            |time| time - BEGAN_NS + 100_000 * MS,
            "another clock",
        ),
        ("ahead", |time| time + 3_600_000 * MS, "another clock"),
        (
            "back",
            |time| {
                if time < BEGAN_NS + 1_000 * MS {
                    time
                } else {
                    time - 4_000 * MS
                }
            },
            "went back",
        ),
    ];
    for (name, stamp, words) in stamps {
        let kind = Kind {
            stamp,
            ..Kind::default()
        };
        let bag = record(folder.path(), name, &kind);
        let data = read(&bag, Wanted::default());
        assert_plain(&data, 1.0);
        let problems = data.problems();
        assert_eq!(
            problems.len(),
            2,
            "images and joint states, each once: {problems:?}"
        );
        assert!(
            problems.iter().all(|problem| problem.contains(words)),
            "{problems:?}"
        );
        // Labels lie at the same times.
        let out = folder.path().join(format!("{name}-labelled"));
        let labelled = label(&bag, &out, &Rule::LastSeconds(0.95), "").unwrap();
        assert_eq!((labelled.frames, labelled.rewarded), (IMAGES, 10), "{name}");
        let rewards = &read(&out, Wanted::default()).episodes[0].rewards;
        assert_eq!(
            rewards.iter().filter(|reward| **reward == 1.0).count(),
            10,
            "{name}"
        );
    }
}

#[test]
fn case_18_gaps_between_images_are_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let bag = record(folder.path(), "whole", &Kind::default());
    let original = BagReader::open(&bag).unwrap();
    let gaps = folder.path().join("gaps");
    let mut copy = BagWriter::create_copy(&gaps, &original, |_| false).unwrap();
    for message in original.messages().map(Result::unwrap) {
        let passed_ms = (message.time_ns - BEGAN_NS) / MS;
        let is_lost = [300..700, 1200..1600]
            .iter()
            .any(|gap| gap.contains(&passed_ms));
        if !(message.topic.contains("image") && is_lost) {
            copy.copy(&message).unwrap();
        }
    }
    copy.finish().unwrap();
    let data = read(&gaps, Wanted::default());
    assert_eq!(data.episodes.len(), 3);
    let problems = data.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("2 gaps"), "{problems:?}");
}

fn latco_train(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_latco-train");
    Command::new(program).args(arguments).output().unwrap()
}

#[test]
fn case_19_npz_with_floats_of_16_bits_is_imported_with_equal_values() {
    let folder = tempfile::tempdir().unwrap();
    let import = |name: &str| {
        let out = folder.path().join(name.replace('/', "-"));
        let (files, bags) = (case(name), out.to_str().unwrap());
        let done = latco_train(&[
            "import",
            "--rate-hz",
            "10",
            "--npz",
            files.to_str().unwrap(),
            "--out",
            bags,
        ]);
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        read(&out, Wanted::default())
    };
    let (half, single) = (import("15/float16_reward"), import("15/ok"));
    assert_eq!(half.frames(), single.frames());
    assert!(half.frames() > 0);
    for (half, single) in half.episodes.iter().zip(&single.episodes) {
        assert_eq!(
            (&half.images, &half.actions),
            (&single.images, &single.actions)
        );
        for (half, single) in half.rewards.iter().zip(&single.rewards) {
            assert!(
                (half - single).abs() <= 1e-3 * single.abs(),
                "{half} {single}"
            );
        }
    }
}

#[test]
fn case_20_a_labelled_copy_keeps_what_it_did_not_mean_to_change() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["17/robotqos", "06/idl", "01/mixed", "07/two", "05/be"] {
        let original = BagReader::open(case(name)).unwrap();
        let out = folder.path().join(name.replace('/', "-"));
        label(&case(name), &out, &Rule::LastSeconds(0.5), "").unwrap();
        let copy = BagReader::open(&out).unwrap();
        assert_eq!(copy.damage().count(), 0, "{name}");
        assert_eq!(copy.left_out(), original.left_out(), "{name}");
        let kept = |bag: &BagReader| -> Vec<_> {
            let topics = bag
                .topics()
                .iter()
                .filter(|topic| topic.name != topics::REWARD);
            topics.cloned().collect()
        };
        assert_eq!(kept(&copy), kept(&original), "{name}");
        let bytes = |bag: &BagReader| -> Vec<_> {
            let messages = bag.all_messages().map(Result::unwrap);
            let kept = messages.filter(|message| *message.topic != *topics::REWARD);
            kept.map(|message| (message.time_ns, message.data))
                .collect()
        };
        assert_eq!(bytes(&copy), bytes(&original), "{name}");
    }
    let offered = BagReader::open(folder.path().join("17-robotqos")).unwrap();
    assert!(
        offered
            .topics()
            .iter()
            .any(|topic| topic.offered_qos.contains("depth: 5"))
    );
}

/// Velocities of the plain recording as trajectories that replace one another, with positions or velocities.
fn trajectories(bag: &mut BagWriter, time: i64, has_positions: bool) {
    let tick = (time - BEGAN_NS) / (20 * MS);
    let names = ["joint_3", "joint_1", "joint_2"];
    let points = [10, 20].map(|after| JointTrajectoryPoint {
        positions: match has_positions {
            true => names
                .iter()
                .map(|name| position(name, tick + after))
                .collect(),
            false => Vec::new(),
        },
        velocities: match has_positions {
            true => Vec::new(),
            false => vec![0.25, 0.5, -0.5],
        },
        time_from_start: Duration::from_nanos(after * 20 * MS),
        ..JointTrajectoryPoint::default()
    });
    let message = JointTrajectory {
        header: Header::new(if has_positions { 0 } else { time }, ""),
        joint_names: names.map(str::to_owned).to_vec(),
        points: points.to_vec(),
    };
    bag.write(
        "/scaled_joint_trajectory_controller/joint_trajectory",
        time,
        &message,
    )
    .unwrap();
}

/// Writes the state of a controller that follows a trajectory, as ROS 2 Humble does.
fn follower_state(bag: &mut BagWriter, time: i64) {
    let tick = (time - BEGAN_NS) / (20 * MS);
    let names = ["joint_1", "joint_2", "joint_3"];
    let point = JointTrajectoryPoint {
        positions: names.map(|name| position(name, tick)).to_vec(),
        ..JointTrajectoryPoint::default()
    };
    let state = latco_bag::messages::FollowerState {
        header: Header::new(time, ""),
        joint_names: names.map(str::to_owned).to_vec(),
        reference: point.clone(),
        feedback: point,
    };
    let ty = "control_msgs/msg/JointTrajectoryControllerState";
    let topic = "/scaled_joint_trajectory_controller/state";
    bag.announce_topic(&TopicSpec {
        name: topic,
        type_name: ty,
        definition: "",
        offered_qos: "",
    })
    .unwrap();
    // The message has more behind what is read.
    let bytes = [cdr::encode(&state).unwrap(), vec![0; 64]].concat();
    bag.write_raw(topic, ty, time, &bytes).unwrap();
}

#[test]
fn case_32_recordings_of_trajectories_and_of_those_who_follow_them_train() {
    let folder = tempfile::tempdir().unwrap();
    let kinds: [(&str, fn(&mut BagWriter, i64)); 3] = [
        ("positions", |bag, time| trajectories(bag, time, true)),
        ("velocities", |bag, time| trajectories(bag, time, false)),
        ("state", follower_state),
    ];
    for (name, commands) in kinds {
        let kind = Kind {
            commands,
            ..Kind::default()
        };
        let bag = record(folder.path(), name, &kind);
        let data = read(&bag, named(&["joint_1", "joint_2", "joint_3"]));
        assert_eq!(data.action_width, 3, "{name}: {:?}", data.problems());
        assert_plain(&data, 1.0);
        assert_eq!(data.problems(), Vec::<String>::new(), "{name}");
        // Without names, those that are commanded.
        let found = read(&bag, Wanted::default()).joint_names;
        assert_eq!(found.len(), 3, "{name}");
        assert_eq!(
            found[0],
            if name == "state" {
                "joint_1"
            } else {
                "joint_3"
            }
        );
    }
}
