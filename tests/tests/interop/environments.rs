//! The foreign software is there and is what it says it is.

use std::process::Command;

use latco_testkit::python::{CYCLONEDDS, Environment, ROS_JAZZY, ROS_KILTED};
use latco_testkit::run::run;

fn runs_over_fastrtps(ros: Environment) {
    let python = ros.python();
    let script = "import rclpy; from lifecycle_msgs.srv import ChangeState; from trajectory_msgs.msg import JointTrajectory; \
                  rclpy.init(domain_id=40); print(rclpy.create_node('test').get_name(), \
                  rclpy.utilities.get_rmw_implementation_identifier())";
    let said = run(Command::new(python).args(["-c", script])).unwrap();
    assert_eq!(said.trim(), "test rmw_fastrtps_cpp");
}

#[test]
#[ignore = "needs ROS 2 Jazzy from PyPI: make test-interop"]
fn ros_2_jazzy_runs_over_fastrtps() {
    runs_over_fastrtps(ROS_JAZZY);
}

#[test]
#[ignore = "needs ROS 2 Kilted from PyPI: make test-interop"]
fn ros_2_kilted_runs_over_fastrtps() {
    runs_over_fastrtps(ROS_KILTED);
}

#[test]
#[ignore = "needs CycloneDDS from PyPI: make test-interop"]
fn cyclonedds_runs() {
    let python = CYCLONEDDS.python();
    let script = "from cyclonedds.domain import DomainParticipant; DomainParticipant(40); print('participant')";
    let said = run(Command::new(python).args(["-c", script])).unwrap();
    assert_eq!(said.trim(), "participant");
}
