//! Faults of the robot, and the operator's stop.

use latco_controller::execute::{Mode, StopReason};

use crate::rig::{FAULT_S, Rig, fault};

#[test]
fn fault_13_commands_beyond_the_limits_are_saturated_and_told() {
    let mut rig = Rig::with("", |config| {
        config.robot.max_velocity_rad_s = vec![0.25, 0.25, 0.25];
    });
    rig.run(3.0);
    rig.check("13 plans beyond the limits");
    assert!(rig.faulty.counts().limited > 20);
    assert!(rig.points.iter().any(|p| p.limits.any()), "and say which");
}

#[test]
fn fault_16_the_operator_stops_the_robot() {
    let mut rig = Rig::new("");
    rig.run(FAULT_S);
    rig.faulty.executor().estop();
    rig.run(3.0);
    rig.check_rest("16 emergency stop", 0.7);
    assert_eq!(rig.last().mode, Mode::Stop(StopReason::EmergencyStop));
    rig.faulty.executor().reset();
    rig.run(2.0);
    assert!(rig.follows(), "released by a reset alone");
    rig.check("16 released");
}

#[test]
fn fault_30_the_node_is_deactivated_while_the_robot_moves() {
    let mut rig = Rig::new("");
    rig.run(FAULT_S);
    rig.faulty.executor().hold();
    rig.run(2.0);
    rig.check_rest("30 deactivated", 0.7);
    let now = rig.faulty.now();
    rig.faulty.executor().release(now);
    rig.run(2.0);
    assert!(rig.follows());
}

#[test]
fn commands_that_are_lost_on_the_way_leave_the_robot_moving_and_end_at_rest() {
    let mut rig = Rig::new(&fault("drop_commands", "probability = 0.3"));
    rig.run(3.0);
    rig.check("three of ten commands are lost");
    assert!(rig.follows());
    let mut rig = Rig::new(&fault("drop_commands", ""));
    rig.run(3.0);
    let speeds = rig.robot.velocities().to_vec();
    assert!(speeds.iter().all(|v| v.abs() < 1e-6), "{speeds:?}");
}
