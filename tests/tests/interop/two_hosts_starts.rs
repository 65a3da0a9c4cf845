//! Starts of which announcements are lost: every topic is connected soon after the network is good again.

use std::time::{Duration, Instant, SystemTime};

use latco_bag::{BagReader, topics};
use latco_testkit::latco::{latco_command, python_command};
use latco_testkit::python::ROS_JAZZY;
use latco_testkit::run::note;
use latco_testkit::time::{my_turn, wait};

use crate::hosts::TwoHosts;
use crate::script;
use crate::streams::jpeg;

const LIMIT: Duration = Duration::from_secs(60);
const DOMAIN: u16 = 46;
/// Within this time from when the network is good, every topic is connected, in both directions.
const HEALED_S: f64 = 5.0;
/// Percent of the frames that are lost while everybody starts, and for how long.
const LOSS: f64 = 50.0;
const BAD: Duration = Duration::from_secs(3);
/// What the peer sends, and what it hears of the simulated robot.
const SENT: [&str; 3] = [
    "/peer/joint_states:JointState@50",
    "/peer/joint_trajectory:JointTrajectory@10",
    "/peer/image/compressed:CompressedImage@10",
];
const HEARD: [&str; 2] = ["/joint_states:JointState", "/camera/image_raw:Image"];

/// `LATCO_STARTS` says how many; 350 take an hour and a half.
#[test]
#[ignore = "needs ROS 2 Jazzy from PyPI and network namespaces: make test-interop"]
fn f07_a_start_that_leaves_a_topic_unconnected_heals_within_five_seconds() {
    let _turn = my_turn();
    let starts: u64 = std::env::var("LATCO_STARTS").map_or(1, |n| n.parse().expect("a number"));
    let python = ROS_JAZZY.python();
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("image.jpg");
    std::fs::write(&picture, jpeg(0).data).unwrap();
    let (mut slowest, mut unconnected) = (0.0_f64, 0);
    for seed in 0..starts {
        let mut hosts = TwoHosts::new(1.0, seed);
        hosts.lose(LOSS);
        let peer = |arguments: &[&str]| {
            let mut command = python_command(&python, &script("rclpy_peer.py"), arguments, DOMAIN);
            hosts.start(0, command.env("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET"))
        };
        let ours = |arguments: &[&str]| {
            let mut command = latco_command(arguments);
            hosts.start(1, command.args(["--domain", &DOMAIN.to_string(), "--json"]))
        };
        let listener = peer(&[&["listen"], &HEARD[..]].concat());
        let talk = ["talk", "6", picture.to_str().unwrap()];
        let mut talker = peer(&[&talk[..], &SENT].concat());
        let robot = ours(&["sim", "--task", "reach", "--image-size", "32"]);
        let bag = folder.path().join(format!("bag-{seed}"));
        let recorded: Vec<String> = SENT.iter().map(|topic| typed(topic)).collect();
        let recorded: Vec<&str> = recorded.iter().map(String::as_str).collect();
        let record = ["record", "--out", bag.to_str().unwrap()];
        let recorder = ours(&[&record[..], &recorded].concat());
        wait(BAD);
        hosts.lose(0.0);
        let (good, good_ns) = (Instant::now(), now_ns());
        // It says so a second after all of its topics have a subscription.
        talker.says("sending", LIMIT);
        let sending_s = good.elapsed().as_secs_f64() - 1.0;
        talker.end(LIMIT).assert_code(0);
        wait(Duration::from_secs_f64(
            (HEALED_S - good.elapsed().as_secs_f64()).max(0.0),
        ));
        let heard = listener.stop(LIMIT).assert_code(0).last_line_json();
        recorder.stop(LIMIT).assert_code(0);
        robot.stop(LIMIT).assert_code(0);
        let (frames, lost) = hosts.end();

        let mut healed: Vec<(String, f64)> = vec![("the peer's topics".into(), sending_s)];
        for topic in HEARD.map(|topic| topic.split(':').next().unwrap()) {
            let stamps = heard[topic].as_array().map_or(&[][..], Vec::as_slice);
            let first_ns = stamps.iter().filter_map(|m| m[0].as_i64()).min();
            let after = first_ns.map_or(f64::INFINITY, |ns| (ns - good_ns) as f64 * 1e-9);
            healed.push((topic.to_owned(), after));
        }
        for topic in SENT.map(|topic| topic.split(':').next().unwrap()) {
            let bag = BagReader::open(&bag).unwrap();
            let mut messages = bag.messages().map(Result::unwrap);
            let first = messages.find(|m| topics::matches(&m.topic, topic));
            let after = first.map_or(f64::INFINITY, |m| (m.time_ns - good_ns) as f64 * 1e-9);
            healed.push((topic.to_owned(), after));
        }
        let latest = healed.iter().map(|(_, s)| *s).fold(0.0, f64::max);
        unconnected += u32::from(latest > 0.0);
        slowest = slowest.max(latest);
        note(&format!(
            "f07: start {seed}, {lost} of {frames} frames lost: connected after {healed:.2?} s"
        ));
        assert!(latest < HEALED_S, "start {seed}: {healed:?}");
    }
    note(&format!(
        "f07: {starts} starts with {LOSS} % of the frames lost for {BAD:?}; {unconnected} left something unconnected, the last \
         topic was connected {slowest:.2} s after"
    ));
}

/// A topic of a peer as `latco record` takes it.
fn typed(topic: &str) -> String {
    let (name, rest) = topic.split_once(':').unwrap();
    let kind = rest.split('@').next().unwrap();
    let package = if kind == "JointTrajectory" {
        "trajectory_msgs"
    } else {
        "sensor_msgs"
    };
    format!("{name}:{package}/msg/{kind}")
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_nanos()).unwrap()
}
