//! A robot that is not ours: rclpy nodes, driven by `latco run` through episodes of Reach.

use std::time::Duration;

use latco_testkit::latco::{latco_command, python_command};
use latco_testkit::program::Program;
use latco_testkit::python::ROS_JAZZY;
use latco_testkit::run::note;
use latco_testkit::time::my_turn;

use crate::script;

/// Three episodes of at most ten seconds, and the start.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
#[ignore = "needs ROS 2 Jazzy from PyPI: make test-interop"]
fn a_robot_of_rclpy_nodes_is_driven_to_its_goals() {
    let python = ROS_JAZZY.python();
    let _turn = my_turn();
    let domain = 44;
    let seed = latco_envs::EVALUATION_SEED.to_string();
    let arguments = [env!("CARGO_BIN_EXE_world"), &seed, "3"];
    let mut command = python_command(&python, &script("rclpy_robot.py"), &arguments, domain);
    let mut robot = Program::start(&mut command);
    robot.says("ready", LIMIT);
    let domain = domain.to_string();
    let mut command = latco_command(&["run", "--auto", "--config", "configs/reach.toml", "--json"]);
    command.args(["--localhost", "--domain", &domain]);
    command.args(["--ros-args", "-p", "control.output:=joint_trajectory"]);
    let controller = Program::start(&mut command);
    let result = robot.end(LIMIT).assert_code(0).last_line_json();
    let figures = controller.stop(LIMIT).assert_code(0).json();
    note(&format!(
        "robot of rclpy nodes: {result}; latco run: {} plans, median {} ms, {} images refused",
        figures["plans"], figures["plan_ms_p50"], figures["images_refused"]
    ));
    let episodes = result["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 3, "{result}");
    // Of 100 such episodes 96 are solved in simulated time.
    let solved = episodes.iter().filter(|e| e["solved"] == true).count();
    assert!(solved >= 2, "{result}\n{figures}");
    let trajectories = &result["trajectories"];
    assert_eq!(trajectories["refused"], 0, "{result}");
    // One for every image, at 10 Hz, of episodes that take a second or more.
    assert!(trajectories["accepted"].as_u64() > Some(20), "{result}");
    for refused in ["images_refused", "joint_states_refused", "commands_lost"] {
        assert_eq!(figures[refused], 0, "{figures}");
    }
    assert_eq!(figures["resets"], 3, "{figures}");
    // The arm is put elsewhere between episodes: what it measures then is believed, and nothing there is a surprise.
    let last = figures["last_image_error"].as_str().unwrap();
    assert!(!last.contains("older than the image"), "{figures}");
    assert_ne!(figures["surprise"]["level"], "stop", "{figures}");
}
