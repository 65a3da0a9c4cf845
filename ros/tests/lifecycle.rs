//! The life cycle of the controller node between processes. `tests/tests/interop/lifecycle.rs` leads it with rclpy.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::time::{Duration, Instant};

use common::{FakeRobot, Latco, Operator, configuration, eventually, my_turn, wait};
use latco_ros::managed::lifecycle::messages::{
    ChangeStateReply, ChangeStateRequest, TransitionMessage,
};
use ros2_client::ServiceMapping;

const LONG: Duration = Duration::from_secs(90);
const NODE: &str = "/latco";

fn start(config: &std::path::Path, domain: &str, more: &[&str]) -> Latco {
    let config = config.to_str().unwrap();
    let base = [
        "run",
        "--config",
        config,
        "--domain",
        domain,
        "--localhost",
        "--json",
    ];
    Latco::start(&[&base[..], more].concat())
}

#[test]
fn a_deactivated_robot_comes_to_rest_and_moves_again_when_activated() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let limits = "[robot]\njoint_names = [\"joint_1\", \"joint_2\", \"joint_3\"]\nmax_acceleration_rad_s2 = [0.5, 0.5, 0.5]\n";
    let config = configuration(folder.path(), limits);
    let robot = FakeRobot::new(31);
    let mut controller = start(&config, "31", &["--auto"]);
    let mut operator = Operator::new(31);
    robot.until_moved(&mut controller);
    robot.period();

    let before = robot.commands.lock().unwrap().len();
    assert!(operator.change(NODE, "deactivate"));
    assert_eq!(operator.state(NODE), "inactive");
    assert!(eventually(LONG, || robot.last_command() == Some(vec![0.0; 3])));
    let braking = robot.commands.lock().unwrap()[before.saturating_sub(1)..].to_vec();
    for pair in braking.windows(2) {
        for joint in 0..3 {
            // 0.5 rad/s^2 at 100 Hz, and a tick that came late.
            let change = (pair[1][joint] - pair[0][joint]).abs();
            assert!(change <= 0.5 * 0.04 + 1e-9, "no jump: {pair:?}");
        }
    }
    // It holds: images go on, nothing moves, and after a while nothing is said at all.
    wait(Duration::from_millis(700));
    robot.commands.lock().unwrap().clear();
    for _ in 0..10 {
        robot.period();
    }
    assert!(robot.commands.lock().unwrap().is_empty());

    assert!(operator.change(NODE, "activate"));
    robot.until_moved(&mut controller);
    // Shut down while it moves: at rest before it ends, by itself.
    assert!(operator.change(NODE, "shutdown"));
    let summary = controller.end(LONG);
    let summary = summary.assert_code(0).json();
    assert!(summary["plans"].as_u64() > Some(0), "{summary}");
    assert_eq!(robot.last_command(), Some(vec![0.0; 3]));
}

#[test]
fn fault_19_a_bundle_is_loaded_and_warm_before_the_node_can_be_activated_and_sigterm_ends_every_state_in_order()
 {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let robot = FakeRobot::new(32);
    let path: [&[&str]; 4] = [
        &[],
        &["configure"],
        &["configure", "activate"],
        &[
            "configure",
            "activate",
            "deactivate",
            "cleanup",
            "configure",
            "activate",
        ],
    ];
    let mut operator = Operator::new(32);
    for labels in path {
        let controller = start(&config, "32", &[]);
        assert_eq!(operator.state(NODE), "unconfigured");
        assert!(!operator.change(NODE, "activate"), "nothing is loaded");
        for label in labels {
            assert!(operator.change(NODE, label), "{label} of {labels:?}");
        }
        if labels.len() == 6 {
            robot.commands.lock().unwrap().clear();
            let mut controller = controller;
            robot.until_moved(&mut controller);
            controller.terminate();
            controller.end(LONG).assert_code(0);
            continue;
        }
        let began = Instant::now();
        controller.terminate();
        let ended = controller.end(LONG);
        ended.assert_code(0);
        assert!(began.elapsed() < Duration::from_secs(5), "{labels:?}");
        assert!(
            ended.stderr.contains("shuttingdown -> finalized"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_bundle_that_cannot_be_loaded_leaves_the_node_unconfigured_or_ends_it_if_it_starts_itself() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let manifest = folder.path().join("bundle/manifest.toml");
    let good = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, good.replace("sha256 = \"", "sha256 = \"0")).unwrap();
    let robot = FakeRobot::new(33);
    let mut operator = Operator::new(33);
    let controller = start(&config, "33", &[]);
    assert!(!operator.change(NODE, "configure"));
    assert_eq!(operator.state(NODE), "unconfigured");
    let said = eventually(LONG, || {
        robot
            .last_status()
            .is_some_and(|s| s.level == 2 && s.message.contains("configure failed"))
    });
    assert!(said, "{:?}", robot.last_status());
    // Mended, it works.
    std::fs::write(&manifest, good.clone()).unwrap();
    assert!(operator.change(NODE, "configure"));
    controller.terminate();
    controller.end(LONG).assert_code(0);

    std::fs::write(&manifest, good.replace("sha256 = \"", "sha256 = \"0")).unwrap();
    let ended = start(&config, "33", &["--auto"]).end(LONG);
    ended.assert_code(2);
    assert!(
        ended.stderr.contains("errorprocessing -> finalized"),
        "{}",
        ended.stderr
    );
}

#[test]
fn fault_34_a_request_in_another_mapping_changes_nothing() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let controller = start(&config, "34", &[]);
    let mut operator = Operator::new(34);
    assert_eq!(operator.state(NODE), "unconfigured");
    let request = ChangeStateRequest {
        transition: TransitionMessage {
            id: 1,
            label: "configure".into(),
        },
    };
    let ty = ("lifecycle_msgs", "ChangeState");
    let mapping = ServiceMapping::Cyclone;
    let _: Option<ChangeStateReply> = operator.call_as(mapping, "/latco/change_state", ty, request);
    assert_eq!(operator.state(NODE), "unconfigured");
    controller.terminate();
    let ended = controller.end(LONG);
    ended.assert_code(0);
    let refused = ended
        .stderr
        .contains("~/change_state refused: expected one of 1 (configure)")
        || ended.stderr.contains("not understood");
    assert!(refused, "{}", ended.stderr);
}

/// CPU time of a process so far, user and system, in seconds.
fn cpu_s(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    // USER_HZ is 100 on every Linux that we run on.
    ticks / 100.0
}

#[test]
fn an_inactive_node_leaves_the_processor_alone() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let controller = start(&config, "35", &[]);
    let mut operator = Operator::new(35);
    let share = |time: Duration| {
        let (before, began) = (cpu_s(controller.id()), Instant::now());
        wait(time);
        (cpu_s(controller.id()) - before) / began.elapsed().as_secs_f64()
    };
    for label in ["", "configure"] {
        if !label.is_empty() {
            assert!(operator.change(NODE, label));
        }
        // Once it has settled it stays quiet. 3 % is the aim; the rest is for a loaded machine.
        let settled = || share(Duration::from_secs(1)) < 0.06;
        assert!(eventually(LONG, settled), "{label:?}");
        let quiet = share(Duration::from_secs(5));
        eprintln!("share of a core after {label:?}: {quiet:.4}");
        assert!(quiet < 0.06, "{label:?}: {quiet}");
    }
    controller.terminate();
    controller.end(LONG).assert_code(0);
}
