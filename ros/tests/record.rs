//! `latco record`: killed while it records, in every format, topics of any type.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::path::Path;
use std::time::Duration;

use common::{FakeRobot, Latco, configuration, eventually, my_turn, network, wait};
use latco_bag::messages::{
    Float64, Float64MultiArray, Image, JointState, JointTrajectory, RosMessage, StringMessage,
};
use latco_bag::{BagError, BagReader};
use latco_ros::middleware::{NodeBuilder, RunningNode, qos};

const LONG: Duration = Duration::from_secs(60);
/// More than twice the time after which what was recorded is made safe.
const BEFORE_THE_KILL: Duration = Duration::from_secs(6);

fn start(out: &Path, domain: &str, more: &[&str]) -> Latco {
    let out = out.to_str().unwrap();
    let start = [
        "record",
        "--out",
        out,
        "--domain",
        domain,
        "--localhost",
        "--json",
    ];
    Latco::start(&[&start[..], more].concat())
}

/// Numbers at 100 Hz on `tank/level`, with some weight, until `recorder` is killed with SIGKILL; gives the last number.
fn kill_while_publishing(domain: u16, recorder: &mut Latco, out: &Path) -> i64 {
    let mut node = NodeBuilder::open(network(domain), "/", "talker").unwrap();
    let level = node
        .publisher::<Float64MultiArray>("tank/level", qos::commands(), 100)
        .unwrap();
    let node = RunningNode::start(node).unwrap();
    assert!(eventually(LONG, || out.is_dir()), "{:?}", recorder.kill());
    assert!(eventually(LONG, || node.subscription_count("/tank/level") > 0));
    let period = Duration::from_millis(10);
    let mut number = 0;
    let began = std::time::Instant::now();
    while began.elapsed() < BEFORE_THE_KILL {
        let data = (0..500).map(|i| (number * 7 + i) as f64).collect();
        let mut message = Float64MultiArray::vector(data);
        message.data[0] = number as f64;
        level.send(message);
        number += 1;
        wait(period);
    }
    let (status, _) = recorder.kill();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status.unwrap()),
        Some(9)
    );
    number - 1
}

/// Four recorders at a time, each on a network of its own: they wait more than they work.
#[test]
fn a_killed_recorder_leaves_all_but_the_last_moment() {
    let _turn = my_turn();
    std::thread::scope(|scope| {
        let formats = ["zstd", "lz4", "none", "sqlite3"].into_iter();
        for (format, domain) in formats.zip(21..) {
            scope.spawn(move || killed_recorder(format, domain));
        }
    });
}

/// Kills a recorder that writes `format`, and reads what it left.
fn killed_recorder(format: &str, domain: u16) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bag");
    let options: &[&str] = match format {
        "sqlite3" => &["--storage", "sqlite3"],
        compression => &["--compression", compression],
    };
    let topic = &["tank/level:std_msgs/msg/Float64MultiArray"];
    let mut recorder = start(&out, &domain.to_string(), &[options, topic].concat());
    let last = kill_while_publishing(domain, &mut recorder, &out);

    let reader = BagReader::open(&out).unwrap();
    let mut numbers = Vec::new();
    let mut errors: Vec<BagError> = Vec::new();
    for message in reader.messages() {
        match message {
            Ok(m) => numbers.push(m.decode::<Float64MultiArray>().unwrap().data[0] as i64),
            Err(error) => errors.push(error),
        }
    }
    assert_eq!(errors.len(), 1, "{format}: {errors:?}");
    let said = errors[0].to_string();
    assert!(
        errors[0].is_end_missing() && said.contains("lost"),
        "{said}"
    );
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{format}");
    let (first, newest) = (numbers[0], numbers[numbers.len() - 1]);
    let holes = newest - first + 1 - numbers.len() as i64;
    assert!(
        holes * 50 < newest,
        "{format}: {holes} of {newest} missing in the middle"
    );
    // At most what two seconds bring, with room for a busy machine.
    assert!(last - newest < 350, "{format}: {newest} of {last}");
    assert!(newest > 150, "{format}: {newest} of {last}");

    // It is played as it is, and the loss is named.
    let bag = out.to_str().unwrap();
    let domain = domain.to_string();
    let play = ["play", bag, "--rate", "100", "--delay-s", "0", "--json"];
    let network = ["--localhost", "--domain", &domain];
    let played = Latco::run(&[&play[..], &network].concat(), LONG);
    let json = played.assert_code(0).json();
    assert_eq!(json["messages"], numbers.len(), "{json}");
    assert_eq!(json["lost"].as_array().unwrap().len(), 1, "{json}");
    assert!(json["lost"][0].as_str().unwrap().contains("lost"), "{json}");
}

#[test]
fn a_robot_whose_topics_have_other_names_is_recorded_without_naming_them() {
    for is_late in [false, true] {
        other_names_are_recorded(is_late);
    }
}

/// With a robot that is there before the recorder, or that comes when the recorder has begun.
fn other_names_are_recorded(is_late: bool) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bag");
    let begin = |duration| start(&out, "34", &["--duration-s", duration]);
    let late = is_late.then(|| {
        let mut recorder = begin("5");
        recorder.says("recording;", LONG);
        recorder
    });
    let mut node = NodeBuilder::open(network(34), "/", "arm").unwrap();
    let images = (node.publisher::<Image>("camera/color/image_raw", qos::commands(), 10)).unwrap();
    let states = (node.publisher::<JointState>("arm/joint_states", qos::commands(), 10)).unwrap();
    let level = (node.publisher::<Float64>("tank/level", qos::commands(), 10)).unwrap();
    // Nobody sends trajectories yet.
    node.subscribe::<JointTrajectory>("scaled/joint_trajectory", qos::commands(), |_| {})
        .unwrap();
    let node = RunningNode::start(node).unwrap();
    let mut recorder = late.unwrap_or_else(|| begin("1"));
    while recorder.is_running() {
        images.send(Image::default());
        states.send(JointState::default());
        level.send(Float64 { data: 0.0 });
        wait(Duration::from_millis(20));
    }
    let recorded = recorder.end(LONG);
    drop(node);
    let json = recorded.assert_code(0).json();
    let count = |name: &str| {
        let topics = json["topics"].as_array().unwrap();
        let found = topics.iter().find(|topic| topic[0] == name);
        found.map(|topic| topic[2].as_u64().unwrap())
    };
    assert!(count("/camera/color/image_raw") > Some(10), "{json}");
    assert!(count("/arm/joint_states") > Some(10), "{json}");
    assert_eq!(count("/scaled/joint_trajectory"), Some(0), "{json}");
    assert_eq!(count("/tank/level"), None, "{json}");
    assert!(
        recorded.stderr.contains("no commands came"),
        "{}",
        recorded.stderr
    );
}

#[test]
fn a_controller_is_replayed_from_what_a_killed_recorder_left() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "[planner]\nbudget_ms = 30.0\n");
    let out = folder.path().join("bag");
    let mut recorder = start(&out, "25", &[]);
    assert!(eventually(LONG, || out.is_dir()));
    let robot = FakeRobot::new(25);
    wait(Duration::from_secs(2));
    let config = config.to_str().unwrap();
    let mut controller = Latco::start(&[
        "run",
        "--auto",
        "--config",
        config,
        "--domain",
        "25",
        "--localhost",
    ]);
    robot.until_moved(&mut controller);
    for _ in 0..60 {
        robot.period();
    }
    recorder.kill();
    controller.terminate();
    controller.end(LONG).assert_code(0);
    let ended = Latco::run(&["replay", out.to_str().unwrap(), "--json"], LONG);
    let replayed = ended.assert_code(0).json();
    assert_eq!(replayed["equal"], true, "{replayed}");
    assert!(replayed["ticks"].as_u64() > Some(20), "{replayed}");
    assert!(ended.stderr.contains("lost"), "{}", ended.stderr);
}

#[test]
fn foreign_types_are_recorded_with_the_definitions_that_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let types = folder.path().join("types");
    std::fs::create_dir_all(types.join("tank_msgs/msg")).unwrap();
    std::fs::write(
        types.join("tank_msgs/msg/Level.msg"),
        "std_msgs/Header header\nfloat64 value\n",
    )
    .unwrap();
    let mut node = NodeBuilder::open(network(26), "/", "talker").unwrap();
    let cdr = latco_bag::cdr::encode(&StringMessage { data: "x".into() }).unwrap();
    let publishers = [
        ("tank/level", "tank_msgs/msg/Level", qos::commands()),
        ("tank/secret", "tank_msgs/msg/Secret", qos::commands()),
        ("path", "nav_msgs/msg/Path", qos::sensors(10)),
    ]
    .map(|(name, ty, qos)| node.raw_publisher(name, ty, qos, false).unwrap());
    let description = node
        .raw_publisher(
            "robot_description",
            StringMessage::TYPE,
            qos::latched(),
            false,
        )
        .unwrap();
    let _node = RunningNode::start(node).unwrap();
    // Before anyone listens.
    description.publish(&cdr).unwrap();
    let out = folder.path().join("bag");
    let types = types.to_str().unwrap();
    let recorder = start(
        &out,
        "26",
        &["--all", "--types", types, "--storage", "sqlite3"],
    );
    assert!(eventually(LONG, || out.is_dir()));
    for _ in 0..40 {
        for publisher in &publishers {
            publisher.publish(&cdr).unwrap();
        }
        wait(Duration::from_millis(50));
    }
    recorder.terminate();
    let ended = recorder.end(LONG);
    let summary = ended.assert_code(0).json();
    assert_eq!(summary["storage"], "sqlite3");
    assert_eq!(
        summary["without_definition"],
        serde_json::json!(["/tank/secret"])
    );
    for words in ["tank_msgs/msg/Secret", "Secret.msg", "--types"] {
        assert!(
            ended.stderr.contains(words),
            "no {words:?} in {}",
            ended.stderr
        );
    }
    let reader = BagReader::open(&out).unwrap();
    assert_eq!(reader.damage().count(), 0);
    let topic = |name: &str| {
        reader
            .topic(name)
            .unwrap_or_else(|| panic!("{name}: {summary}"))
    };
    assert!(topic("tank/level").definition.contains("float64 value"));
    assert!(
        topic("tank/level")
            .definition
            .contains("MSG: builtin_interfaces/Time")
    );
    assert!(
        topic("path")
            .definition
            .contains("MSG: geometry_msgs/Quaternion")
    );
    assert!(topic("path").type_hash.starts_with("RIHS01_"));
    assert!(topic("path").offered_qos.contains("reliability: 2"));
    assert_eq!(topic("tank/secret").definition, "");
    assert!(topic("tank/secret").messages > 5);
    // The latched message was published before the recorder was there.
    assert_eq!(topic("robot_description").messages, 1);
    assert!(
        topic("robot_description")
            .offered_qos
            .contains("durability: 1")
    );
}

#[test]
fn what_cannot_be_recorded_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("never");
    let run = |more: &[&str]| start(&out, "27", more).end(LONG);
    for (arguments, words) in [
        (&["a:std_srvs/srv/Trigger"][..], "std_srvs/srv/Trigger"),
        (&["a:Float64"], "package/msg/Type"),
        (&["a b:std_msgs/msg/Float64"], "a b"),
        (
            &["--storage", "sqlite3", "--compression", "lz4"],
            "--storage mcap",
        ),
        (&["--types", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["--duration-s=-1"], "--duration-s"),
    ] {
        let ended = run(arguments);
        assert!(
            ended.assert_code(2).stderr.contains(words),
            "{}",
            ended.stderr
        );
    }
    let mut node = NodeBuilder::open(network(27), "/", "talker").unwrap();
    let _number = node
        .publisher::<Float64>("twice", qos::commands(), 1)
        .unwrap();
    let _node = RunningNode::start(node).unwrap();
    let mut other = NodeBuilder::open(network(27), "/", "other").unwrap();
    let _text = other
        .publisher::<StringMessage>("twice", qos::commands(), 1)
        .unwrap();
    let _other = RunningNode::start(other).unwrap();
    // Both must have been seen.
    let ended = (0..5)
        .map(|_| run(&["twice", "--duration-s", "0.5"]))
        .find(|ended| {
            let _ = std::fs::remove_dir_all(&out);
            ended.status.code() == Some(2)
        });
    let said = ended.expect("a refusal").stderr;
    for words in [
        "std_msgs/msg/Float64",
        "std_msgs/msg/String",
        "twice:package/msg/Type",
    ] {
        assert!(said.contains(words), "{said}");
    }
}
