//! Faults of peers, parameters and recordings.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use latco_bag::messages::{DiagnosticArray, DiagnosticStatus, Float64MultiArray};
use latco_ros::controller::parameters::messages::to_message;
use latco_ros::managed::parameters::Value;
use latco_ros::middleware::{NodeBuilder, RunningNode, qos};
use ros2_client::parameters::raw;
use ros2_client::rcl_interfaces::{SetParametersRequest, SetParametersResponse};

use super::{LONG, memory_kb, run};
use crate::common::{
    FakeRobot, Latco, Operator, configuration, eventually, my_turn, network, wait,
};

#[test]
fn fault_24_a_peer_that_cannot_hear_and_one_that_joins_late_are_told() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let mut controller = run(&config, 121, &[]);
    let robot = FakeRobot::new(121);
    robot.until_moved(&mut controller);
    // Late, and it asks for what the controller does not offer.
    let mut node = NodeBuilder::open(network(121), "/", "late").unwrap();
    let (told, heard) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
    let (all, count) = (told.clone(), heard.clone());
    node.subscribe::<DiagnosticArray>("/diagnostics", qos::commands(), move |m| {
        all.lock()
            .unwrap()
            .extend(m.into_iter().flat_map(|m| m.status));
    })
    .unwrap();
    node.subscribe::<Float64MultiArray>("commands", qos::commands(), move |_| {
        *count.lock().unwrap() += 1;
    })
    .unwrap();
    node.subscribe::<Float64MultiArray>("commands", qos::latched(), |_| ())
        .unwrap();
    let _node = RunningNode::start(node).unwrap();
    let is_told = || {
        robot.period();
        let told = told.lock().unwrap();
        let named = |s: &DiagnosticStatus| {
            s.name.ends_with("executor") && s.message.contains("Durability") && s.level >= 1
        };
        told.iter().any(named)
    };
    assert!(eventually(LONG, is_told), "{:?}", told.lock().unwrap());
    assert!(
        *heard.lock().unwrap() > 10,
        "who joins late with what is offered hears"
    );
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

/// Records a topic and holds the recorder, so that it is a subscriber that takes nothing any more.
fn stalled(folder: &std::path::Path, domain: u16, topic: &str) -> Latco {
    let (out, domain) = (folder.join("bag"), domain.to_string());
    let record = ["record", topic, "--out", out.to_str().unwrap()];
    let recorder = Latco::start(&[&record[..], &["--domain", &domain, "--localhost"]].concat());
    assert!(eventually(LONG, || out.is_dir()));
    wait(Duration::from_secs(2));
    recorder.signal("STOP");
    recorder
}

#[test]
fn fault_25_a_full_send_window_does_not_block_the_command_path() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let mut controller = run(&config, 122, &[]);
    let robot = FakeRobot::new(122);
    robot.until_moved(&mut controller);
    // Reliable, as the commands are.
    let recorder = stalled(folder.path(), 122, "commands");
    let sent = || robot.commands.lock().unwrap().len();
    let (before, memory, began) = (sent(), memory_kb(&controller), Instant::now());
    while began.elapsed() < Duration::from_secs(8) {
        robot.period();
    }
    let rate = (sent() - before) as f64 / began.elapsed().as_secs_f64();
    eprintln!("25: {rate:.0} commands a second beside a subscriber that takes none");
    assert!(rate > 80.0, "{rate} a second");
    let grown = memory_kb(&controller).saturating_sub(memory);
    assert!(grown < 50_000, "{grown} kB more");
    recorder.signal("CONT");
    controller.terminate();
    let summary = controller.end(LONG);
    let summary = summary.assert_code(0).json();
    assert_eq!(summary["commands_lost"], 0, "{summary}");
    drop(recorder);
}

#[test]
fn fault_27_parameters_that_make_no_sense_are_refused_while_it_moves() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let mut controller = run(&config, 123, &[]);
    let robot = FakeRobot::new(123);
    robot.until_moved(&mut controller);
    let mut operator = Operator::new(123);
    let mut set = |name: &str, value: Value| -> raw::SetParametersResult {
        let parameter = raw::Parameter {
            name: name.to_owned(),
            value: to_message(&value),
        };
        let request = SetParametersRequest {
            parameter: vec![parameter],
        };
        let reply: SetParametersResponse = operator.ask(
            "/latco/set_parameters",
            "rcl_interfaces",
            "SetParameters",
            &request,
        );
        reply.results.into_iter().next().unwrap()
    };
    for (name, value) in [
        ("planner.budget_ms", Value::Double(1e300)),
        ("planner.budget_ms", Value::Double(f64::NAN)),
        ("planner.budget_ms", Value::Double(-1.0)),
        ("timeouts.camera_ms", Value::Double(1e300)),
        ("timeouts.camera_ms", Value::Double(f64::INFINITY)),
        ("timeouts.joints_ms", Value::String("long".into())),
        ("robot.velocity_scale", Value::Double(7.0)),
        ("control.command_rate_hz", Value::Double(50.0)), // structural: not while active
        ("no.such_parameter", Value::Bool(true)),
    ] {
        let text = format!("{name} = {value:?}");
        let result = set(name, value);
        assert!(
            !result.successful && !result.reason.is_empty(),
            "{text}: {result:?}"
        );
        robot.period();
    }
    let result = set("planner.budget_ms", Value::Double(30.0));
    assert!(result.successful, "{result:?}");
    robot.commands.lock().unwrap().clear();
    robot.until_moved(&mut controller);
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn fault_32_a_run_with_faults_is_replayed_bit_for_bit() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "[planner]\nbudget_ms = 30.0\n");
    let faults = folder.path().join("faults.toml");
    let text = "seed = 4\n[[fault]]\nkind = \"drop_frames\"\nprobability = 0.2\n[[fault]]\nkind = \"delay_frames\"\namount = 30\n\
                [[fault]]\nkind = \"nan_joints\"\nprobability = 0.2\n";
    std::fs::write(&faults, text).unwrap();
    let bag = folder.path().join("bag");
    let bag = bag.to_str().unwrap();
    let network = ["--domain", "124", "--localhost"];
    let recorder = Latco::start(&[&["record", "--out", bag][..], &network].concat());
    let controller = run(&config, 124, &["--inject", faults.to_str().unwrap()]);
    let sim = ["sim", "--episodes", "2", "--image-size", "32"];
    Latco::run(&[&sim[..], &network].concat(), LONG).assert_code(0);
    controller.terminate();
    let summary = controller.end(LONG);
    let summary = summary.assert_code(0).json();
    // What changes pixels on their way into the node is not in a recording of the camera's topic; the rest is in the journal.
    assert!(
        summary["injected"]["drop_frames"].as_u64() > Some(5),
        "{summary}"
    );
    wait(Duration::from_secs(1));
    recorder.terminate();
    recorder.end(LONG).assert_code(0);
    let bundle = folder.path().join("bundle");
    let replay = [
        "replay",
        bag,
        "--bundle",
        bundle.to_str().unwrap(),
        "--json",
    ];
    let replayed = Latco::run(&replay, LONG);
    let replayed = replayed.assert_code(0).json();
    assert_eq!(replayed["equal"], true, "{replayed}");
    assert!(replayed["ticks"].as_u64() > Some(20), "{replayed}");
}

#[test]
fn regions_that_are_moved_while_the_robot_moves_are_checked_counted_and_replayed_bit_for_bit() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let more = "[planner]\nbudget_ms = 30.0\n[kinematics]\njoint_axes = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]\n\
                joint_points_m = [0.0, -0.85, 0.0, 0.0, -0.25, 0.0, 0.0, 0.25, 0.0]\ntip_m = [0.0, 0.47, 0.0]\n\
                [keep_out]\nballs_m = [5.0, 5.0, 0.0, 0.1]\n";
    let config = configuration(folder.path(), more);
    let bag = folder.path().join("bag");
    let bag = bag.to_str().unwrap();
    let ends = ["--domain", "132", "--localhost"];
    let mut recorder = Latco::start(&[&["record", "--out", bag][..], &ends].concat());
    recorder.says("recording", LONG);
    let mut controller = run(&config, 132, &[]);
    let robot = FakeRobot::new(132);
    let mut node = NodeBuilder::open(network(132), "/", "watcher").unwrap();
    let keep_out = node
        .publisher::<Float64MultiArray>("latco/keep_out", qos::commands(), 4)
        .unwrap();
    let node = RunningNode::start(node).unwrap();
    robot.until_moved(&mut controller);
    let figure = |key: &str| -> u64 { robot.figure(key).map_or(0, |n| n.parse().unwrap()) };
    let nan = f64::NAN;
    let wrong = [vec![0.0; 2], vec![nan, 0.0, 0.0], vec![1e30, 0.0, 0.0]];
    for step in 0..30 {
        let right = match step % 3 {
            0 => vec![nan; 3],
            _ => vec![0.02 * f64::from(step), 0.3, 0.0],
        };
        for data in wrong.iter().cloned().chain([right]) {
            keep_out.send(Float64MultiArray {
                data,
                ..Float64MultiArray::default()
            });
        }
        robot.period();
    }
    let error = robot.figure("last_keep_out_error").unwrap_or_default();
    assert!(error.contains("within 1000 m"), "{error}");
    assert!(figure("plans") > 20, "{:?}", robot.last_status());
    controller.terminate();
    let summary = controller.end(LONG);
    let summary = summary.assert_code(0).json();
    let [moved, refused] = ["regions_moved", "regions_refused"].map(|key| summary[key].as_u64());
    assert!(moved > Some(20) && refused > Some(60), "{summary}");
    drop(node);
    wait(Duration::from_secs(1));
    recorder.terminate();
    recorder.end(LONG).assert_code(0);
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().unwrap();
    let replayed = Latco::run(&["replay", bag, "--bundle", bundle, "--json"], LONG);
    let replayed = replayed.assert_code(0).json();
    assert_eq!(replayed["equal"], true, "{replayed}");
    assert!(replayed["ticks"].as_u64() > Some(20), "{replayed}");
}

#[test]
fn fault_35_a_subscriber_of_large_images_that_takes_none_costs_bounded_memory() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let mut controller = run(&config, 125, &["--imagined"]);
    let mut robot = FakeRobot::new(125);
    robot.compresses = true;
    robot.until_moved(&mut controller);
    let recorder = stalled(folder.path(), 125, "latco/imagined/image");
    let drive = |seconds| {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) {
            robot.period();
        }
    };
    drive(3);
    let (memory, before) = (memory_kb(&controller), robot.commands.lock().unwrap().len());
    drive(8);
    let grown = memory_kb(&controller).saturating_sub(memory);
    let commands = robot.commands.lock().unwrap().len() - before;
    eprintln!("35: {grown} kB more, {commands} commands in 8 s");
    assert!(grown < 30_000, "{grown} kB more");
    assert!(commands > 600, "{commands} commands");
    recorder.signal("CONT");
    drop(recorder);
    controller.terminate();
    controller.end(LONG).assert_code(0);
}
