//! `latco record` and `latco play`: what is recorded is what is played, and bad bags are refused.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Latco, eventually, my_turn, network, wait};
use latco_bag::messages::{Float64, Header, Image, Int64, JointState, RosMessage};
use latco_bag::{BagReader, BagWriter, topics};
use latco_ros::middleware::{NodeBuilder, RunningNode, qos};

const LONG: Duration = Duration::from_secs(60);
const IMAGES: i64 = 12;
const PERIOD_NS: i64 = 100_000_000;
const BEGAN_NS: i64 = 1_700_000_000_000_000_000;

fn image(number: i64) -> Image {
    let data = (0..16 * 16 * 3)
        .map(|i| ((i * i * 31 + i * number * 17) >> 3) as u8)
        .collect();
    Image::rgb8(
        Header::new(BEGAN_NS + number * PERIOD_NS - 3_000_000, "camera"),
        16,
        16,
        data,
    )
}

/// Images at 10 Hz with their joint states and rewards.
fn write_bag(folder: &Path) {
    let mut bag = BagWriter::create(folder).unwrap();
    bag.write(topics::EPISODE, BEGAN_NS, &Int64 { data: 7 })
        .unwrap();
    for number in 0..IMAGES {
        if number == IMAGES / 2 {
            bag.flush().unwrap();
        }
        let time = BEGAN_NS + number * PERIOD_NS;
        let joints = JointState {
            header: Header::new(time, ""),
            name: vec!["a".into()],
            position: vec![number as f64],
            ..JointState::default()
        };
        bag.write(topics::JOINT_STATES, time, &joints).unwrap();
        bag.write(
            topics::REWARD,
            time + 1,
            &Float64 {
                data: number as f64,
            },
        )
        .unwrap();
        bag.write(topics::CAMERA_IMAGE, time + 2, &image(number))
            .unwrap();
    }
    bag.finish().unwrap();
}

/// `(topic, time, payload)` of a topic.
fn messages(folder: &Path, topic: &str) -> Vec<(i64, Vec<u8>)> {
    let bag = BagReader::open(folder).unwrap();
    let all: Vec<_> = bag.messages().map(Result::unwrap).collect();
    all.into_iter()
        .filter(|m| topics::matches(&m.topic, topic))
        .map(|m| (m.time_ns, m.data))
        .collect()
}

#[test]
fn what_is_played_is_recorded_byte_for_byte_and_in_its_rhythm() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let (original, copy) = (folder.path().join("original"), folder.path().join("copy"));
    write_bag(&original);
    let recorder = Latco::start(&[
        "record",
        "--out",
        copy.to_str().unwrap(),
        "--domain",
        "31",
        "--localhost",
        "--json",
    ]);
    // It is there when its bag is.
    assert!(eventually(LONG, || copy.join("copy_0.mcap").exists()));
    let play = [
        "play",
        original.to_str().unwrap(),
        "--keep-stamps",
        "--delay-s",
        "4",
        "--domain",
        "31",
        "--localhost",
    ];
    let played = Latco::run(&[&play[..], &["--json"]].concat(), LONG);
    let played = played.assert_code(0).json();
    assert_eq!(played["messages"], 1 + 3 * IMAGES, "{played}");
    wait(Duration::from_millis(300));
    recorder.terminate();
    let recorded = recorder.end(LONG);
    let recorded = recorded.assert_code(0).json();
    assert_eq!(recorded["messages"], 1 + 3 * IMAGES, "{recorded}");
    for topic in [
        topics::CAMERA_IMAGE,
        topics::JOINT_STATES,
        topics::REWARD,
        topics::EPISODE,
    ] {
        let (was, is) = (messages(&original, topic), messages(&copy, topic));
        assert_eq!(was.len(), is.len(), "{topic}");
        for (was, is) in was.iter().zip(&is) {
            assert_eq!(was.1, is.1, "{topic}");
        }
    }
    let times: Vec<i64> = messages(&copy, topics::CAMERA_IMAGE)
        .into_iter()
        .map(|(time, _)| time)
        .collect();
    let span = times[times.len() - 1] - times[0];
    let wanted = (IMAGES - 1) * PERIOD_NS;
    assert!(
        (span - wanted).abs() < PERIOD_NS,
        "{span} ns instead of {wanted} ns"
    );
}

#[test]
fn stamps_move_to_now_and_the_rate_is_kept() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original");
    write_bag(&original);
    let mut node = NodeBuilder::open(network(32), "/", "listener").unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let images = heard.clone();
    node.subscribe::<Image>("camera/image_raw", qos::images(), move |m| {
        let stamp = m.unwrap().header.stamp.to_nanos();
        images
            .lock()
            .unwrap()
            .push((stamp, latco_ros::middleware::stamp::now_ns()));
    })
    .unwrap();
    let _node = RunningNode::start(node).unwrap();
    let began = Instant::now();
    let play = [
        "play",
        original.to_str().unwrap(),
        "--rate",
        "2",
        "--topic",
        "camera/image_raw",
        "--delay-s",
        "4",
    ];
    let played = Latco::run(
        &[&play[..], &["--domain", "32", "--localhost", "--json"]].concat(),
        LONG,
    );
    assert_eq!(played.assert_code(0).json()["messages"], IMAGES);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(
        eventually(LONG, || heard.lock().unwrap().len() as i64 == IMAGES),
        "{:?}",
        heard.lock().unwrap().len()
    );
    let heard = heard.lock().unwrap();
    for pair in heard.windows(2) {
        assert!(
            (pair[1].0 - pair[0].0 - PERIOD_NS / 2).abs() < 1000,
            "stamps go with the rate: {pair:?}"
        );
    }
    for (stamp, at) in heard.iter() {
        // Recorded 3 ms after their stamps, at twice the speed.
        let age_ms = (at - stamp) / 1_000_000;
        assert!((0..500).contains(&age_ms), "{age_ms} ms old");
    }
}

#[test]
fn a_type_without_definition_is_played_and_a_missing_topic_is_named() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let bag_folder = folder.path().join("strange");
    let mut bag = BagWriter::create(&bag_folder).unwrap();
    bag.write_raw("/tank", "tank_msgs/msg/Level", 1, &[0, 1, 0, 0])
        .unwrap();
    bag.write(topics::REWARD, 3, &Float64 { data: 0.0 })
        .unwrap();
    bag.finish().unwrap();
    let play = [
        "play",
        bag_folder.to_str().unwrap(),
        "--domain",
        "33",
        "--localhost",
        "--delay-s",
        "0",
        "--json",
    ];
    let played = Latco::run(&play, LONG).assert_code(0).json();
    assert_eq!(played["messages"], 2, "{played}");
    let ended = Latco::run(&[&play[..], &["--topic", "rewards"]].concat(), LONG);
    assert!(
        ended.assert_code(2).stderr.contains("/reward"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_bag_without_its_end_is_played_and_a_hole_is_refused() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("cut");
    write_bag(&bag);
    let file = bag.join("cut_0.mcap");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() * 6 / 10]).unwrap();
    let play = [
        "play",
        bag.to_str().unwrap(),
        "--domain",
        "34",
        "--localhost",
        "--delay-s",
        "0",
        "--rate",
        "20",
    ];
    let ended = Latco::run(&play, LONG);
    ended.assert_code(0);
    assert!(
        ended.stderr.contains("truncated") && ended.stderr.contains("lost"),
        "{}",
        ended.stderr
    );

    let mut damaged = whole.clone();
    damaged[whole.len() / 4] ^= 0x5a;
    std::fs::write(&file, damaged).unwrap();
    let ended = Latco::run(&play, LONG);
    ended.assert_code(2);
    assert!(
        ended.stderr.contains("damaged") && ended.stderr.contains("--partial"),
        "{}",
        ended.stderr
    );
    let partial = Latco::run(&[&play[..], &["--partial", "--json"]].concat(), LONG);
    let lost = partial.assert_code(0).json();
    assert_eq!(lost["lost"].as_array().unwrap().len(), 1, "{lost}");

    let none = folder.path().join("none");
    let ended = Latco::run(&["play", none.to_str().unwrap()], LONG);
    assert!(
        ended.assert_code(2).stderr.contains("none"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_topic_is_recorded_by_the_type_that_its_publisher_announces() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bag");
    let mut node = NodeBuilder::open(network(35), "/", "talker").unwrap();
    let level = node
        .publisher::<Float64>("tank/level", qos::commands(), 10)
        .unwrap();
    let _node = RunningNode::start(node).unwrap();
    let record = [
        "record",
        "--out",
        out.to_str().unwrap(),
        "tank/level",
        "--domain",
        "35",
        "--localhost",
        "--json",
    ];
    let recorder = Latco::start(&record);
    assert!(
        eventually(LONG, || out.join("bag_0.mcap").exists()),
        "the topic was found"
    );
    for number in 0..40 {
        level.send(Float64 {
            data: f64::from(number),
        });
        wait(Duration::from_millis(50));
    }
    recorder.terminate();
    recorder.end(LONG).assert_code(0);
    let bag = BagReader::open(&out).unwrap();
    assert_eq!(bag.topic("tank/level").unwrap().type_name, Float64::TYPE);
    let last = bag.messages().last().unwrap().unwrap();
    assert_eq!(last.decode::<Float64>().unwrap().data, 39.0);

    let ended = Latco::run(
        &[
            "record",
            "--out",
            out.to_str().unwrap(),
            "nobody",
            "--wait-s",
            "0.5",
            "--domain",
            "35",
            "--localhost",
        ],
        LONG,
    );
    assert!(
        ended.assert_code(1).stderr.contains("nobody"),
        "{}",
        ended.stderr
    );
}
