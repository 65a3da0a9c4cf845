//! What real users bring, played, recorded, planned from and driven by: rows of `tests/cases/README.md`. The name of a test
//! has the row's number.

#![allow(clippy::unwrap_used, clippy::type_complexity)] // in tests and what they share

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{FakeRobot, IMAGE, JOINTS, Latco, configuration, eventually, my_turn, network, wait};
use latco_bag::messages::{
    DiagnosticArray, DiagnosticStatus, Float64MultiArray, Header, Image, JointState, StringMessage,
    Time,
};
use latco_bag::{BagReader, BagWriter};
use latco_ros::controller::ros_clock::ClockMessage;
use latco_ros::middleware::{NodeBuilder, RunningNode, qos, stamp};
use latco_testkit::latco::{command, in_network_of};
use latco_testkit::program::Program;

const LONG: Duration = Duration::from_secs(60);
const SECOND: i64 = 1_000_000_000;

/// An input of `tests/cases`.
fn case(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases");
    folder.join(name).to_str().unwrap().to_owned()
}

fn on<'a>(domain: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--domain", domain, "--localhost"]].concat()
}

/// What is heard of a bag that is played: stamps of images with their arrival, and commands.
#[derive(Default)]
struct Heard {
    images: Vec<(i64, i64)>,
    commands: usize,
}

fn listen(domain: u16) -> (Arc<Mutex<Heard>>, RunningNode) {
    let mut node = NodeBuilder::open(network(domain), "/", "listener").unwrap();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let to = heard.clone();
    node.subscribe::<Image>("camera/image_raw", qos::images(), move |m| {
        let stamp_ns = m.unwrap().header.stamp.to_nanos();
        to.lock().unwrap().images.push((stamp_ns, stamp::now_ns()));
    })
    .unwrap();
    let to = heard.clone();
    node.subscribe::<Float64MultiArray>("commands", qos::commands(), move |m| {
        to.lock().unwrap().commands += usize::from(m.is_some());
    })
    .unwrap();
    (heard, RunningNode::start(node).unwrap())
}

#[test]
fn case_01_02_04_05_06_31_bags_of_any_kind_are_played_to_the_end_without_an_error() {
    let _turn = my_turn();
    for (name, types, lost) in [
        ("01/mixed", 1, &["/diag_json", "/pose_pb"][..]),
        ("05/be", 1, &[]),
        ("06/idl", 1, &[]),
        ("07/two", 2, &[]),
    ] {
        let (heard, node) = listen(100);
        let watcher = NodeBuilder::open(network(100), "/", "watcher").unwrap();
        let bag = case(name);
        let messages = BagReader::open(&bag).unwrap().message_count();
        let player = Latco::start(&on("100", &["play", &bag, "--delay-s", "3", "--json"]));
        // Each type of a topic has a publisher of its own.
        let published = || {
            let writers = watcher.context().domain_participant().discovered_writers();
            let of_commands = writers.iter().map(|writer| &writer.publication_topic_data);
            let of_commands = of_commands.filter(|data| data.topic_name == "rt/commands");
            let types: BTreeSet<String> = of_commands.map(|data| data.type_name.clone()).collect();
            types.len()
        };
        assert!(eventually(LONG, || published() == types), "{name}");
        let ended = player.end(LONG);
        let json = ended.assert_code(0).json();
        // With subscribers until its end. Of a topic with two types the middleware tells an error while it begins.
        let errors = ended.stderr.matches("ERROR").count();
        assert!(errors == 0 || types == 2, "{}", ended.stderr);
        assert_eq!(
            (&json["messages"], &json["refused"]),
            (&messages.into(), &0.into()),
            "{name}: {json}"
        );
        let said: Vec<&str> = json["lost"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l.as_str().unwrap())
            .collect();
        assert_eq!(said.len(), lost.len(), "{name}: {said:?}");
        assert!(
            said.iter()
                .zip(lost)
                .all(|(said, word)| said.contains(word)),
            "{said:?}"
        );
        let all = || {
            let heard = heard.lock().unwrap();
            heard.images.len() == 20 && heard.commands >= 20
        };
        assert!(eventually(LONG, all), "{name}");
        for (stamp_ns, came_ns) in &heard.lock().unwrap().images {
            let off = came_ns - stamp_ns;
            assert!(
                off.abs() < SECOND,
                "{name}: a stamp {off} ns before its message"
            );
        }
        drop(node);
    }
    for (name, topic) in [
        ("02/service_events", "/test_service1/_service_event"),
        ("02/act", "/fib/_action/feedback"),
    ] {
        let bag = case(name);
        let expected = BagReader::open(&bag).unwrap();
        let play = ["play", &bag, "--delay-s", "0", "--json"];
        let json = Latco::run(&on("100", &play), LONG).assert_code(0).json();
        assert_eq!(json["messages"], expected.message_count(), "{json}");
        let play = [&play[..], &["--topic", topic]].concat();
        let json = Latco::run(&on("100", &play), LONG).assert_code(0).json();
        assert_eq!(
            json["messages"],
            expected.topic(topic).unwrap().messages,
            "{json}"
        );
    }
}

#[test]
fn case_10_playing_nothing_is_a_failure_with_its_reason() {
    let _turn = my_turn();
    let (sid0, mixed) = (case("11/sid0.mcap"), case("01/mixed"));
    for (arguments, words) in [
        (vec!["play", &sid0], "/chatter"),
        (vec!["play", &mixed, "--topic", "/diag_json"], "json"),
    ] {
        let ended = Latco::run(
            &on("101", &[&arguments[..], &["--delay-s", "0"]].concat()),
            LONG,
        );
        ended.assert_code(1);
        assert!(
            ended.stderr.contains("found none that could be sent"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    // Who asks for one topic hears nothing of the others, and of errors of lower layers.
    let play = ["play", &mixed, "--topic", "/reward", "--delay-s", "0"];
    let ended = Latco::run(&on("101", &play), LONG);
    ended.assert_code(0);
    assert!(!ended.stderr.contains("diag_json"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("ERROR"), "{}", ended.stderr);
}

/// A recording of 2 s with these stamps, in which joint states come as `states` makes them.
fn record(folder: &Path, stamp: fn(i64) -> i64, states: fn() -> Vec<Vec<&'static str>>) -> PathBuf {
    let path = folder.join("recorded");
    let began = 1_700_000_000 * SECOND;
    let side = IMAGE as u32;
    let mut bag = BagWriter::create(&path).unwrap();
    for number in 0..20 {
        let time = began + number * SECOND / 10;
        for (part, names) in (0..).zip(states()) {
            let joints = JointState {
                header: Header::new(stamp(time + part), ""),
                position: vec![0.01 * number as f64; names.len()],
                name: names.into_iter().map(str::to_owned).collect(),
                ..JointState::default()
            };
            bag.write("/arm/states", time + part, &joints).unwrap();
        }
        let pixels = vec![(10 * number) as u8; 3 * IMAGE * IMAGE];
        let image = Image::rgb8(Header::new(stamp(time + 9), ""), side, side, pixels);
        bag.write("/camera/color/image_raw", time + 9, &image)
            .unwrap();
    }
    bag.finish().unwrap();
    path
}

#[test]
fn case_13_15_18_a_plan_is_made_from_any_recording() {
    let stamps: [fn(i64) -> i64; 3] = [|time| time, |_| 0, |time| time - 1_699_999_000 * SECOND];
    for stamp in stamps {
        let folder = tempfile::tempdir().unwrap();
        configuration(folder.path(), "");
        let states = || vec![vec!["gripper"], vec!["joint_3", "joint_1"], vec!["joint_2"]];
        let bag = record(folder.path(), stamp, states);
        let (bundle, out) = (folder.path().join("bundle"), folder.path().join("out"));
        let [bag, bundle, out] = [&bag, &bundle, &out].map(|path| path.to_str().unwrap());
        let plan = [
            "plan", "--bundle", bundle, "--bag", bag, "--at", "1.45", "--json", "--out", out,
        ];
        let ended = Latco::run(&plan, LONG);
        let table = ended.assert_code(0).json();
        assert_eq!(table["images"], 15, "{table}: {}", ended.stderr);
        let remarks = ended.stderr.matches("times of recording are used").count();
        assert_eq!(
            remarks,
            if stamp(SECOND) == SECOND { 0 } else { 2 },
            "{}",
            ended.stderr
        );
    }
}

/// Runs the controller on this domain.
fn controller(folder: &Path, domain: &str, more: &[&str]) -> Latco {
    let config = configuration(folder, "");
    let run = ["run", "--auto", "--config", config.to_str().unwrap()];
    Latco::start(&[&on(domain, &run), more].concat())
}

#[test]
fn case_12_13_14_24_joint_states_in_parts_move_the_robot() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let mut running = controller(folder.path(), "102", &[]);
    let robot = FakeRobot::new(102);
    let part = |names: &[&str], velocity: f64| JointState {
        header: Header::new(stamp::now_ns(), ""),
        name: names.iter().map(|name| (*name).to_owned()).collect(),
        position: names
            .iter()
            .map(|name| if name.ends_with('2') { 0.2 } else { 0.1 })
            .collect(),
        velocity: vec![velocity; names.len()],
        ..JointState::default()
    };
    let deadline = std::time::Instant::now() + LONG;
    while !robot.moved() {
        assert!(
            running.is_running() && std::time::Instant::now() < deadline,
            "{:?}",
            robot.last_status()
        );
        for _ in 0..5 {
            robot.joints.send(part(&["gripper"], 0.0));
            robot.joints.send(part(&[JOINTS[2]], f64::NAN));
            robot.joints.send(part(&[JOINTS[1], JOINTS[0]], 0.0));
            wait(Duration::from_millis(20));
        }
        robot.image.send(robot.good_image());
    }
    let refused = robot.figure("joint_states_refused");
    assert_eq!(refused.as_deref(), Some("0"), "{:?}", robot.last_status());
    running.terminate();
    let ended = running.end(LONG);
    ended.assert_code(0);
    assert!(
        !ended.stderr.contains("joint state ignored"),
        "{}",
        ended.stderr
    );
    assert_eq!(
        ended.stderr.matches("without velocities").count(),
        1,
        "{}",
        ended.stderr
    );
}

type Told = Arc<Mutex<Vec<DiagnosticStatus>>>;

/// Hears `/diagnostics`.
fn diagnostics(domain: u16) -> (Told, RunningNode) {
    let told = Told::default();
    let mut node = NodeBuilder::open(network(domain), "/", "watcher").unwrap();
    let heard = told.clone();
    node.subscribe::<DiagnosticArray>("/diagnostics", qos::commands(), move |m| {
        heard
            .lock()
            .unwrap()
            .extend(m.into_iter().flat_map(|m| m.status));
    })
    .unwrap();
    (told, RunningNode::start(node).unwrap())
}

/// Whether a part says these words at this level.
fn is_told(told: &Told, part: &str, words: &str, level: u8) -> bool {
    let told = told.lock().unwrap();
    (told.iter()).any(|s| s.name.ends_with(part) && s.message.contains(words) && s.level == level)
}

#[test]
fn case_21_a_clock_that_jumps_back_is_named_and_plans_go_on_after_it() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let sim_time = ["--ros-args", "-p", "use_sim_time:=true"];
    let running = controller(folder.path(), "109", &sim_time);
    let robot = FakeRobot::new(109);
    let (told, _watcher) = diagnostics(109);
    let mut node = NodeBuilder::open(network(109), "/", "simulator").unwrap();
    let clock = (node.publisher::<ClockMessage>("/clock", qos::sensors(1), 4)).unwrap();
    let _node = RunningNode::start(node).unwrap();
    let plans = || -> u64 { robot.figure("plans").map_or(0, |n| n.parse().unwrap()) };
    // From 100 s to 104 s, twice after the first plans.
    let (mut rounds, deadline) = (0, std::time::Instant::now() + LONG);
    while rounds < 2 {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}",
            robot.last_status()
        );
        let before = plans();
        for step in 0..200 {
            let now_ns = 100 * SECOND + step * SECOND / 50;
            let header = || Header::new(now_ns, "");
            clock.send(ClockMessage {
                clock: Time::from_nanos(now_ns),
            });
            robot.joints.send(JointState {
                header: header(),
                ..robot.good_joints()
            });
            if step % 5 == 0 {
                robot.image.send(Image {
                    header: header(),
                    ..robot.good_image()
                });
            }
            wait(Duration::from_millis(20));
        }
        if before > 0 {
            rounds += 1;
            assert!(plans() > before + 20, "{before}: {:?}", robot.last_status());
        }
    }
    let named = || {
        let told = told.lock().unwrap();
        let mut values = told.iter().flat_map(|status| &status.values);
        values.any(|value| value.key == "clock_jumps" && value.value != "0")
    };
    assert!(eventually(LONG, named), "{told:?}");
    assert!(
        running.output().contains("the clock jumped"),
        "{}",
        running.output()
    );
    running.terminate();
    running.end(LONG).assert_code(0);
}

#[test]
fn case_22_stamps_of_another_clock_are_named_with_how_far_they_are_off() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let mut running = controller(folder.path(), "103", &[]);
    let robot = FakeRobot::new(103);
    let (told, _watcher) = diagnostics(103);
    robot.until_moved(&mut running);
    let kinds: [(fn(i64) -> i64, &str); 5] = [
        (|_| 0, "are zero"),
        (|now| now - 1_699_999_000 * SECOND, "since boot"),
        (|now| now + 3600 * SECOND, "in the future"),
        (|now| now - 5 * SECOND, "5.0"),
        (|_| 1_700_000_000 * SECOND, "in a row have the same stamp"),
    ];
    for (stamped, words) in kinds {
        told.lock().unwrap().clear();
        let send = || {
            let now_ns = stamp::now_ns();
            let header = || Header::new(stamped(now_ns), "");
            robot.joints.send(JointState {
                header: header(),
                ..robot.good_joints()
            });
            robot.image.send(Image {
                header: header(),
                ..robot.good_image()
            });
            wait(Duration::from_millis(50));
        };
        let all_told = || {
            send();
            ["camera", "joint states"]
                .iter()
                .all(|part| is_told(&told, part, words, DiagnosticStatus::ERROR))
        };
        assert!(
            eventually(Duration::from_secs(10), all_told),
            "{words}: {told:?}"
        );
    }
    let rest = robot.last_command().unwrap();
    assert!(rest.iter().all(|velocity| *velocity == 0.0), "{rest:?}");
    running.terminate();
    let ended = running.end(LONG);
    for words in [
        "camera: the stamps of images are zero",
        "joint states: the stamps of joint states are zero",
    ] {
        assert_eq!(
            ended.stderr.matches(words).count(),
            1,
            "{words}: {}",
            ended.stderr
        );
    }
}

#[test]
fn case_23_simulated_time_without_a_clock_is_named() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let running = controller(
        folder.path(),
        "104",
        &["--ros-args", "-p", "use_sim_time:=true"],
    );
    let robot = FakeRobot::new(104);
    let (told, _watcher) = diagnostics(104);
    let all_told = || {
        robot.period();
        ["camera", "joint states"]
            .iter()
            .all(|part| is_told(&told, part, "no /clock", DiagnosticStatus::ERROR))
    };
    assert!(eventually(LONG, all_told), "{told:?}");
    for status in told
        .lock()
        .unwrap()
        .iter()
        .filter(|s| s.message.contains("no /clock"))
    {
        let delay = status
            .values
            .iter()
            .find(|value| value.key == "delay_ms")
            .unwrap();
        assert_eq!(delay.value, "-", "no figure of two clocks");
    }
    running.terminate();
    let ended = running.end(LONG);
    assert_eq!(
        ended.stderr.matches("camera: no /clock").count(),
        1,
        "{}",
        ended.stderr
    );
}

#[test]
fn case_25_another_controller_of_the_same_name_is_named_by_both() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let first = controller(folder.path(), "105", &[]);
    let other = tempfile::tempdir().unwrap();
    let second = controller(other.path(), "105", &[]);
    let (told, _watcher) = diagnostics(105);
    for (part, words, level) in [
        (
            "executor",
            "other publishers are on the command topic",
            DiagnosticStatus::ERROR,
        ),
        (
            "middleware",
            "other nodes have the name /latco",
            DiagnosticStatus::WARN,
        ),
    ] {
        let robot_told = || is_told(&told, part, words, level);
        assert!(eventually(LONG, robot_told), "{part}: {told:?}");
    }
    let words = "other nodes have the name";
    let both = || first.output().contains(words) && second.output().contains(words);
    assert!(
        eventually(LONG, both),
        "{}\n{}",
        first.output(),
        second.output()
    );
    for running in [first, second] {
        running.terminate();
        let ended = running.end(LONG);
        assert_eq!(
            ended.stderr.matches("other nodes have the name").count(),
            1,
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn case_30_the_clock_is_announced_under_its_own_type_alone() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let more = ["--ros-args", "-p", "use_sim_time:=true"];
    let running = controller(folder.path(), "108", &more);
    let watcher = NodeBuilder::open(network(108), "/", "watcher").unwrap();
    let readers = || -> Vec<String> {
        let readers = watcher.context().domain_participant().discovered_readers();
        let of_clock = readers.iter().map(|reader| &reader.subscription_topic_data);
        let of_clock = of_clock.filter(|data| data.topic_name() == "rt/clock");
        of_clock.map(|data| data.type_name().to_owned()).collect()
    };
    assert!(
        eventually(LONG, || !readers().is_empty()),
        "it listens to /clock"
    );
    wait(Duration::from_secs(1));
    let types = readers();
    assert!(
        types
            .iter()
            .all(|ty| ty == "rosgraph_msgs::msg::dds_::Clock_"),
        "{types:?}"
    );
    running.terminate();
    let ended = running.end(LONG);
    assert!(!ended.stderr.contains("ERROR"), "{}", ended.stderr);
}

#[test]
fn case_27_a_topic_without_messages_is_listed_and_nothing_at_all_is_a_failure() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let mut node = NodeBuilder::open(network(106), "/", "talker").unwrap();
    let level = node
        .publisher::<StringMessage>("level", qos::commands(), 8)
        .unwrap();
    let _silent = node.publisher::<Image>("silent", qos::images(), 1).unwrap();
    let _node = RunningNode::start(node).unwrap();
    let record = |name: &str, topics: &[&str]| {
        let out = folder.path().join(name);
        let command = [
            "record",
            "--out",
            out.to_str().unwrap(),
            "--json",
            "--wait-s",
            "3",
            "--duration-s",
            "3",
        ];
        let recorder = Latco::start(&[&on("106", &command), topics].concat());
        for _ in 0..60 {
            level.send(StringMessage { data: "x".into() });
            wait(Duration::from_millis(100));
        }
        recorder.end(LONG)
    };
    let ended = record("some", &["level", "levle", "silent"]);
    let json = ended.assert_code(0).json();
    let listed = |name: &str| {
        let topics = json["topics"].as_array().unwrap();
        topics
            .iter()
            .find(|topic| topic[0] == name)
            .map(|topic| topic[2].as_u64().unwrap())
    };
    assert!(listed("/level") > Some(0), "{json}");
    assert_eq!(
        (listed("levle"), listed("/silent")),
        (Some(0), Some(0)),
        "{json}"
    );
    for words in ["levle: 0 messages", "/silent: 0 messages"] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    let bag = BagReader::open(folder.path().join("some")).unwrap();
    assert_eq!(bag.topic("silent").unwrap().messages, 0);

    let ended = record("none", &["silent"]);
    ended.assert_code(1);
    assert!(
        ended.stderr.contains("none came on any of 1 topics"),
        "{}",
        ended.stderr
    );
}

#[test]
fn case_29_what_other_implementations_are_told_by_variables_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("bag");
    let record = [
        "record",
        "chatter",
        "--out",
        bag.to_str().unwrap(),
        "--duration-s",
        "1",
    ];
    for (name, value) in [
        ("ROS_SECURITY_STRATEGY", "Enforce"),
        ("ROS_STATIC_PEERS", "10.0.0.7"),
        ("ROS_DISCOVERY_SERVER", "10.0.0.7:11811"),
        ("CYCLONEDDS_URI", "file:///etc/cyclonedds.xml"),
    ] {
        let refused = Latco::start_with(&record, |command| {
            command.env("ROS_SECURITY_ENABLE", "true").env(name, value);
        });
        let ended = refused.end(LONG);
        ended.assert_code(2);
        assert!(ended.stderr.contains(name), "{name}: {}", ended.stderr);
        assert!(!bag.exists(), "{name}");
    }
}

#[test]
fn case_28_a_full_disk_ends_a_recording_which_can_be_read() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mut node = NodeBuilder::open(network(107), "/", "talker").unwrap();
    let images = node.publisher::<Image>("image", qos::images(), 8).unwrap();
    let _node = RunningNode::start(node).unwrap();
    // A limit on the size of files stands for the size of a disk.
    let script = "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\"";
    let bag = disk.join("bag");
    let record = [
        "record",
        "--out",
        bag.to_str().unwrap(),
        "image",
        "--compression",
        "none",
    ];
    let shell = ["-c", script, env!("CARGO_BIN_EXE_latco")];
    let arguments = [&shell[..], &on("107", &record)].concat();
    let mut recorder = Latco::start_command(&mut command(Path::new("sh"), &arguments));
    let side = 128;
    for number in 0..600 {
        let pixels = vec![number as u8; side * side * 3];
        let header = Header::new(stamp::now_ns(), "");
        images.send(Image::rgb8(header, side as u32, side as u32, pixels));
        wait(Duration::from_millis(50));
        if !recorder.is_running() {
            break;
        }
    }
    let ended = recorder.end(Duration::from_secs(5));
    ended.assert_code(1);
    assert!(ended.stderr.contains("disk full"), "{}", ended.stderr);
    assert!(
        !ended.stderr.contains("attempted another write"),
        "{}",
        ended.stderr
    );
    let bag = BagReader::open(&bag).unwrap();
    let readable = bag.messages().filter_map(Result::ok).count();
    assert!(readable > 10 && bag.topic("image").is_some(), "{readable}");
}

#[test]
#[ignore = "needs network namespaces: make test-interop"]
fn case_26_a_node_that_began_before_its_network_finds_the_robot_within_five_seconds_of_it() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let config = config.to_str().unwrap();
    // A host on which only the loopback interface is up.
    const UP: &str = "ip link set lo up; echo up; exec sleep 120";
    let mut host = Program::start(&mut command(
        Path::new("unshare"),
        &["--net", "--map-root-user", "sh", "-c", UP],
    ));
    host.says("up", LONG);
    let run = [
        env!("CARGO_BIN_EXE_latco"),
        "run",
        "--auto",
        "--config",
        config,
    ];
    let mut node = Program::start(in_network_of(&host).args(run));
    node.says("waiting for images", LONG);
    // Another one, on which the robot is, and a cable between them.
    let mut other = Program::start(in_network_of(&host).args(["unshare", "--net", "sh", "-c", UP]));
    other.says("up", LONG);
    let cable = format!(
        "ip link add eth type veth peer name eth netns {} && ip addr add 10.78.0.1/24 dev eth && ip link set eth up && \
         ip route add 224.0.0.0/4 dev eth",
        other.id()
    );
    let far = "ip addr add 10.78.0.2/24 dev eth && ip link set eth up && ip route add 224.0.0.0/4 dev eth";
    for (host, script) in [
        (&host, format!("{cable}; sleep 0")),
        (&other, far.to_owned()),
    ] {
        let ended = in_network_of(host).args(["sh", "-c", &script]).status();
        assert!(ended.unwrap().success(), "{script}");
    }
    let began = std::time::Instant::now();
    let sim = [
        env!("CARGO_BIN_EXE_latco"),
        "sim",
        "--task",
        "reach",
        "--image-size",
        "32",
    ];
    let _robot = Program::start(in_network_of(&other).args(sim));
    node.says("begins again", LONG);
    node.says("the first plan is made", LONG);
    let took = began.elapsed();
    println!("found {took:?} after the network came up");
    assert!(took < Duration::from_secs(5), "{took:?}\n{}", node.output());
    assert!(node.is_running(), "{}", node.output());
    for mut process in [node, host, other] {
        process.kill();
    }
}
