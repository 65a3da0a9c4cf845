//! The life cycle of the controller node, driven by ROS 2 Jazzy and Kilted (rclpy over rmw_fastrtps, from PyPI) on the
//! loopback interface, domain 30.

use std::time::Duration;

use latco_testkit::latco::{latco_command, python_command};
use latco_testkit::paths::workspace;
use latco_testkit::program::Program;
use latco_testkit::python::{Environment, ROS_JAZZY, ROS_KILTED, scripts};
use latco_testkit::time::my_turn;

const DOMAIN: u16 = 30;

#[test]
#[ignore = "needs ROS 2 Jazzy from PyPI: make test-interop"]
fn rclpy_leads_the_node_through_all_its_states() {
    leads_through_all_states(ROS_JAZZY);
}

#[test]
#[ignore = "needs ROS 2 Kilted from PyPI: make test-interop"]
fn rclpy_of_kilted_leads_the_node_through_all_its_states() {
    leads_through_all_states(ROS_KILTED);
}

fn leads_through_all_states(ros: Environment) {
    let python = ros.python();
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = workspace().join("configs/reach.toml");
    let domain = DOMAIN.to_string();
    let controller = Program::start(&mut latco_command(&[
        "run",
        "--config",
        config.to_str().unwrap(),
        "--domain",
        &domain,
        "--localhost",
    ]));
    let good = workspace().join("models/bundles/reach");
    let missing = folder.path().join("no-bundle");
    let arguments = ["/latco", good.to_str().unwrap(), missing.to_str().unwrap()];
    let script = scripts().join("lifecycle.py");
    let operator = Program::start(&mut python_command(&python, &script, &arguments, DOMAIN));
    let said = operator.end(Duration::from_secs(240));
    assert!(
        said.status.success(),
        "{}\n{}\ncontroller:\n{}",
        said.stdout,
        said.stderr,
        controller.output()
    );
    eprintln!("{}", said.stdout);
    // Finalized by the last request, nothing else ends it.
    let ended = controller.end(Duration::from_secs(10));
    assert!(ended.status.success(), "{}", ended.stderr);
    for words in [
        "~/change_state refused: activate is not possible while unconfigured",
        "found id 77",
        "configure failed",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
}
