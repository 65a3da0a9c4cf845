//! The template of a robot's side (docs/robot-side.md), evaluated over ROS.

use std::time::Duration;

use latco_testkit::latco::{command, latco, latco_train};
use latco_testkit::paths::workspace;
use latco_testkit::program::Program;
use latco_testkit::python::ROS_JAZZY;
use latco_testkit::run::note;
use latco_testkit::time::my_turn;

/// Two episodes of four seconds, and the start of three processes.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
#[ignore = "needs ROS 2 Jazzy from PyPI: make test-interop"]
fn the_template_of_a_robot_is_driven_and_judged_over_ros() {
    let python = ROS_JAZZY.python();
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let node = workspace().join("configs/robots/robot_node.py");
    let robot = format!(
        "{} -u {} --seed {{seed}} --episodes {{episodes}}",
        python.display(),
        node.display()
    );
    let (out, program) = (folder.path().join("out"), latco());
    let mut train = command(
        &latco_train(),
        &["eval-node", "--config", "configs/reach.toml"],
    );
    train.args(["--episodes", "2", "--domain", "48", "--localhost", "--json"]);
    train.args(["--robot", &robot, "--out"]).arg(&out);
    train.arg("--latco").arg(program);
    let result = Program::start(&mut train).end(LIMIT).assert_code(0).json();
    note(&format!("template of a robot: {result}"));
    let evaluation = &result["evaluations"][0];
    assert_eq!(evaluation["episodes"], 2, "{result}");
    assert_eq!(evaluation["planner"], "latco", "{result}");
    assert_eq!(evaluation["task"], "reach", "{result}");
    // One at every image of an episode: 30 periods and the first image.
    assert!(evaluation["plans"].as_u64() > Some(50), "{result}");
    let log = std::fs::read_to_string(out.join("latco-0/robot.log")).unwrap();
    assert!(log.contains("\"episodes\": 2"), "{log}");
}
