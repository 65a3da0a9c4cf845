//! Robot and controller on two hosts: delay, losses, and a cable that is out for three seconds.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use latco_bag::BagReader;
use latco_bag::messages::{DiagnosticStatus, JointState, RosMessage};
use latco_testkit::latco::latco_command;
use latco_testkit::program::Program;
use latco_testkit::run::note;
use latco_testkit::time::{my_turn, wait};

use crate::hosts::TwoHosts;

const LIMIT: Duration = Duration::from_secs(60);
const ROBOT: usize = 0;
const CONTROLLER: usize = 1;
const DELAY_MS: f64 = 2.0;
/// Percent of the frames, before the cable is out and after.
const LOSSES: [f64; 2] = [1.0, 5.0];
const IMAGES: &str = "camera/image_raw/compressed:sensor_msgs/msg/CompressedImage";
/// Episodes before the cable is cut and after, together.
const EPISODES: usize = 4;
/// A joint that moves, rad/s.
const MOVES: f64 = 0.02;
/// The robot stops 0.2 s after the last command, and its joints lag by a tenth of a second.
const AT_REST_NS: i64 = 800_000_000;

#[test]
#[ignore = "needs network namespaces: make test-interop"]
fn the_robot_holds_while_the_cable_is_out_and_goes_on_after() {
    let _turn = my_turn();
    let mut hosts = TwoHosts::new(DELAY_MS, 7);
    let folder = tempfile::tempdir().unwrap();
    let bags = ["robot", "controller"].map(|name| folder.path().join(name));
    hosts.lose(LOSSES[0]);
    let seed = latco_envs::EVALUATION_SEED.to_string();
    let sim = [
        "sim",
        "--task",
        "reach",
        "--seed",
        &seed,
        "--image-transport",
        "compressed",
    ];
    let mut robot = start(&hosts, ROBOT, &sim);
    let heard = [
        record(
            &hosts,
            ROBOT,
            &bags[0],
            &["joint_states:sensor_msgs/msg/JointState", IMAGES],
        ),
        record(
            &hosts,
            CONTROLLER,
            &bags[1],
            &["latco/status:diagnostic_msgs/msg/DiagnosticStatus", IMAGES],
        ),
    ];
    let controller = start(
        &hosts,
        CONTROLLER,
        &["run", "--auto", "--config", "configs/reach.toml"],
    );
    // In the middle of the second episode.
    robot.says("episode ended", LIMIT);
    wait(Duration::from_secs(1));
    let out_ns = now_ns();
    hosts.lose(100.0);
    wait(Duration::from_secs(3));
    let back_ns = now_ns();
    hosts.lose(LOSSES[1]);
    robot.says_times("episode ended", EPISODES, LIMIT);
    let end_ns = now_ns();
    let robot = robot.stop(LIMIT).assert_code(0).json();
    let controller = controller.stop(LIMIT).assert_code(0).json();
    for recorder in heard {
        recorder.stop(LIMIT).assert_code(0).json();
    }
    let (frames, lost) = hosts.end();

    let joints = read::<JointState>(&bags[0], "/joint_states");
    let fastest = |time: Range<i64>| {
        let within = joints.iter().filter(|(at, _)| time.contains(at));
        within
            .flat_map(|(_, m)| &m.velocity)
            .fold(0.0_f64, |most, v| most.max(v.abs()))
    };
    let moving_again = joints
        .iter()
        .find(|(at, m)| *at > back_ns && m.velocity.iter().any(|v| v.abs() > MOVES))
        .map(|(at, _)| (at - back_ns) as f64 * 1e-9);
    let images = |bag: &Path, time: Range<i64>| {
        let all = read::<latco_bag::messages::CompressedImage>(bag, "/camera/image_raw/compressed");
        all.iter().filter(|(at, _)| time.contains(at)).count()
    };
    for (percent, time) in LOSSES.into_iter().zip([
        out_ns - 5_000_000_000..out_ns,
        back_ns + 2_000_000_000..end_ns,
    ]) {
        note(&format!(
            "two hosts, {percent} % of the frames lost: {} of {} images arrived",
            images(&bags[1], time.clone()),
            images(&bags[0], time)
        ));
    }
    note(&format!(
        "two hosts, {DELAY_MS} ms: {lost} of {frames} frames lost; while the cable was out at most {:.4} rad/s after {} s, \
         moving again {:.2} s after; {} of {} episodes solved; stamp to command median {} ms, p99 {} ms",
        fastest(out_ns + AT_REST_NS..back_ns),
        AT_REST_NS as f64 * 1e-9,
        moving_again.unwrap_or(f64::NAN),
        robot["successes"],
        robot["episodes"],
        controller["stamp_to_command_ms_p50"],
        controller["stamp_to_command_ms_p99"],
    ));
    assert!(
        fastest(out_ns - 5_000_000_000..out_ns) > MOVES,
        "it moves before: {robot}\n{controller}"
    );
    assert!(
        fastest(out_ns + AT_REST_NS..back_ns) < 1e-3,
        "it holds while the cable is out"
    );
    let said = read::<DiagnosticStatus>(&bags[1], "/latco/status");
    let silence = said.iter().find(|(at, status)| {
        (out_ns..back_ns).contains(at)
            && status.level == DiagnosticStatus::STALE
            && status.message.contains("silent")
    });
    assert!(
        silence.is_some(),
        "the controller says that nothing arrives"
    );
    assert!(
        moving_again.is_some_and(|seconds| seconds < 5.0),
        "it goes on: {moving_again:?}\n{controller}"
    );
    let (solved, episodes) = (
        robot["successes"].as_u64().unwrap(),
        robot["episodes"].as_u64().unwrap(),
    );
    assert!(
        episodes >= EPISODES as u64 && 2 * solved > episodes,
        "{robot}\n{controller}"
    );
    assert_eq!(controller["commands_lost"], 0, "{controller}");
}

fn start(hosts: &TwoHosts, host: usize, arguments: &[&str]) -> Program {
    let mut command = latco_command(arguments);
    hosts.start(host, command.args(["--domain", "45", "--json"]))
}

fn record(hosts: &TwoHosts, host: usize, bag: &Path, topics: &[&str]) -> Program {
    let bag = bag.to_string_lossy();
    start(hosts, host, &[&["record", "--out", &bag], topics].concat())
}

/// Messages of a topic with the times at which they arrived, ns.
fn read<M: RosMessage>(bag: &Path, topic: &str) -> Vec<(i64, M)> {
    let bag = BagReader::open(bag).unwrap();
    let messages = bag.messages().map(Result::unwrap);
    let of_topic = messages.filter(|m| latco_bag::topics::matches(&m.topic, topic));
    of_topic.map(|m| (m.time_ns, m.decode().unwrap())).collect()
}

fn now_ns() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}
