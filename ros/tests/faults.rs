//! Faults that were found on the running node, each by its number, over real DDS on the loopback interface.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;
mod rows;

use std::net::UdpSocket;
use std::num::NonZeroU8;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{FakeRobot, Latco, Operator, configuration, eventually, my_turn, network, wait};
use latco_bag::messages::{
    DiagnosticArray, DiagnosticStatus, Float64MultiArray, Header, Image, Int64, JointState,
    Time as TimeMessage,
};
use latco_controller::priority;
use latco_ros::controller::ros_clock::ClockMessage;
use latco_ros::middleware::{NodeBuilder, RunningNode, qos, stamp};
use latco_testkit::latco::command;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use rustdds::{DomainParticipantBuilder, RTPSEntity};

const LONG: Duration = Duration::from_secs(90);

/// A HEARTBEAT of the participant with this prefix: its writer says to have every sample up to `last`.
fn heartbeat(prefix: &[u8], reader: u32, writer: u32, last: i64) -> Vec<u8> {
    let mut packet = b"RTPS\x02\x04\x01\x12".to_vec();
    packet.extend(prefix);
    // INFO_TS, little endian.
    packet.extend([0x09, 0x01, 8, 0]);
    packet.extend([0; 8]);
    // HEARTBEAT, little endian, without the final flag: it is to be answered.
    packet.extend([0x07, 0x01, 28, 0]);
    packet.extend(reader.to_be_bytes());
    packet.extend(writer.to_be_bytes());
    for number in [1, last] {
        packet.extend(i32::try_from(number >> 32).unwrap().to_le_bytes());
        packet.extend(((number & 0xffff_ffff) as u32).to_le_bytes());
    }
    packet.extend(1_000_000_i32.to_le_bytes());
    packet
}

#[test]
fn f01_a_packet_of_64_bytes_does_not_take_the_memory_of_a_node() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let domain = 81;
    // 3 GiB of addresses; a list as long as the packet says would be of 16 GiB.
    let latco = env!("CARGO_BIN_EXE_latco");
    let line = format!(
        "ulimit -v 3145728; exec {latco} run --auto --config {} --domain {domain} --localhost",
        config.display()
    );
    let mut controller = Latco::start_command(&mut command("/bin/sh".as_ref(), &["-c", &line]));
    let robot = FakeRobot::new(domain);
    robot.until_moved(&mut controller);

    // Somebody whom the node knows: his name is all that the packet needs.
    let somebody = DomainParticipantBuilder::new(domain)
        .with_only_networks([std::net::IpAddr::from([127, 0, 0, 1])])
        .build()
        .unwrap();
    let mut operator = Operator::new(domain);
    assert!(operator.call("/latco/estop").success, "discovered");
    assert!(operator.call("/latco/reset").success);
    wait(Duration::from_secs(1));
    let prefix = somebody.guid().prefix;
    let (socket, memory) = (
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        memory_kb(&controller),
    );
    // The built-in writers of participants, publications, subscriptions and topics, to all unicast ports for discovery.
    for (reader, writer) in [
        (0x0000_03c7, 0x0000_03c2),
        (0x0000_04c7, 0x0000_04c2),
        (0x0000_02c7, 0x0000_02c2),
        (0x0002_00c7, 0x0002_00c2),
    ] {
        for last in [1 << 31, i64::from(i32::MAX) << 32] {
            let packet = heartbeat(prefix.as_ref(), reader, writer, last);
            assert_eq!(packet.len(), 64);
            for participant in 0..12 {
                let port = 7400 + 250 * domain + 10 + 2 * participant;
                socket.send_to(&packet, ("127.0.0.1", port)).unwrap();
            }
        }
    }
    wait(Duration::from_secs(3));
    assert!(controller.is_running(), "{}", controller.output());
    let grown = memory_kb(&controller).saturating_sub(memory);
    assert!(grown < 200_000, "{grown} kB more");
    assert!(operator.call("/latco/estop").success, "services answer");
    drop(somebody);
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

/// Memory that a process has, kB.
fn memory_kb(process: &Latco) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

#[test]
fn f18_only_the_loopback_interface_is_heard_with_localhost() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let domain = 82;
    let controller = Latco::start(&[
        "run",
        "--config",
        config.to_str().unwrap(),
        "--domain",
        "82",
        "--localhost",
    ]);
    let first = 7400 + 250 * domain;
    let sockets = || -> Vec<String> {
        let table = std::fs::read_to_string("/proc/net/udp").unwrap();
        let local = table
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(1));
        local
            .filter(|address| {
                let port = address.rsplit(':').next().unwrap_or_default();
                let port = u32::from_str_radix(port, 16).unwrap_or(0);
                (first..first + 250).contains(&port)
            })
            .map(str::to_owned)
            .collect()
    };
    // Two of each: multicast and unicast, for discovery and for data.
    assert!(eventually(LONG, || sockets().len() >= 4), "{:?}", sockets());
    for address in sockets() {
        // 127.0.0.1 and 239.255.0.1 in the kernel's order of bytes.
        let heard = ["0100007F", "0100FFEF"]
            .iter()
            .any(|a| address.starts_with(a));
        assert!(heard, "a socket is bound to {address}");
    }
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn f18_security_that_is_to_be_enforced_is_refused_and_not_ignored() {
    let run = |strategy: &str| {
        let latco = Latco::start_with(
            &[
                "record",
                "chatter",
                "--out",
                "/nonexistent/bag",
                "--duration-s",
                "1",
            ],
            |c| {
                c.env("ROS_SECURITY_ENABLE", "true")
                    .env("ROS_SECURITY_STRATEGY", strategy);
            },
        );
        latco.end(LONG)
    };
    let ended = run("Enforce");
    ended.assert_code(2);
    for part in ["ROS_SECURITY_STRATEGY", "Enforce", "DDS security"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    let ended = run("Permissive");
    assert!(!ended.stderr.contains("ROS_SECURITY"), "{}", ended.stderr);
}

fn run<'a>(config: &'a Path, domain: &'a str) -> Vec<&'a str> {
    let config = config.to_str().unwrap();
    vec![
        "run",
        "--auto",
        "--config",
        config,
        "--domain",
        domain,
        "--localhost",
    ]
}

/// A robot whose camera and joint states go on by themselves.
struct Driven {
    commands: Arc<Mutex<Vec<Vec<f64>>>>,
    statuses: Arc<Mutex<Vec<DiagnosticStatus>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Driven {
    /// Goes on once the controller moves it.
    fn new(domain: u16, controller: &mut Latco) -> Self {
        let robot = FakeRobot::new(domain);
        robot.until_moved(controller);
        Self::on(robot)
    }

    fn on(robot: FakeRobot) -> Self {
        let (commands, statuses) = (robot.commands.clone(), robot.statuses.clone());
        let ends = Arc::new(AtomicBool::new(false));
        let end = ends.clone();
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                robot.period();
            }
        });
        Self {
            commands,
            statuses,
            ends,
            thread: Some(thread),
        }
    }

    /// Whether a command that moves is heard within this time.
    fn moves_within(&self, limit: Duration) -> bool {
        self.commands.lock().unwrap().clear();
        eventually(limit, || {
            let commands = self.commands.lock().unwrap();
            commands.iter().flatten().any(|v| v.abs() > 1e-3)
        })
    }

    fn is_at_rest(&self) -> bool {
        let commands = self.commands.lock().unwrap();
        commands.last().is_some_and(|c| c.iter().all(|&v| v == 0.0))
    }

    fn last_status(&self) -> String {
        format!("{:?}", self.statuses.lock().unwrap().last())
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn f03_the_emergency_stop_is_latched_while_the_main_thread_is_held() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let mut controller = Latco::start(&run(&config, "83"));
    let robot = Driven::new(83, &mut controller);
    let mut operator = Operator::new(83);
    assert!(operator.call("/latco/reset").success, "discovered");
    assert!(robot.moves_within(Duration::from_secs(5)));

    // Only the main thread: the others go on.
    let main = Pid::from_raw(i32::try_from(controller.id()).unwrap());
    ptrace::seize(main, ptrace::Options::empty()).unwrap();
    ptrace::interrupt(main).unwrap();
    waitpid(main, Some(WaitPidFlag::__WALL)).unwrap();
    let reply = operator.call("/latco/estop");
    assert!(
        reply.success && reply.message.contains("latched"),
        "{reply:?}"
    );
    let rest = eventually(Duration::from_secs(1), || robot.is_at_rest());
    let moved = robot.moves_within(Duration::from_secs(1));
    ptrace::detach(main, None).unwrap();
    assert!(rest, "at rest while the main thread is held");
    assert!(!moved, "and it stays there");
    assert!(
        !robot.moves_within(Duration::from_secs(1)),
        "afterwards too"
    );
    assert!(operator.call("/latco/reset").success);
    assert!(
        robot.moves_within(Duration::from_secs(10)),
        "{}",
        robot.last_status()
    );
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn f03_the_emergency_stop_is_latched_under_a_flood_and_kept_over_a_restart() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let state = folder.path().join("state");
    let arguments = [
        &run(&config, "84")[..],
        &["--state-dir", state.to_str().unwrap()],
    ]
    .concat();
    let mut controller = Latco::start(&arguments);
    let robot = Driven::new(84, &mut controller);
    let mut operator = Operator::new(84);
    assert!(operator.call("/latco/reset").success, "discovered");

    let mut node = NodeBuilder::open(network(84), "/", "flood").unwrap();
    let episodes = node
        .publisher::<Int64>("episode", qos::commands(), 64)
        .unwrap();
    let node = RunningNode::start(node).unwrap();
    let (ends, flooding) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (end, began) = (ends.clone(), flooding.clone());
    let flood = std::thread::spawn(move || {
        let mut sent = 0_i64;
        while !end.load(Ordering::SeqCst) {
            sent += i64::from(episodes.send(Int64 { data: sent }));
            began.store(sent > 1000, Ordering::SeqCst);
            if sent % 50 == 0 {
                wait(Duration::from_millis(1));
            }
        }
        sent
    });
    assert!(eventually(LONG, || flooding.load(Ordering::SeqCst)));
    for _ in 0..5 {
        let reply = operator.call("/latco/estop");
        assert!(reply.success, "{reply:?}");
    }
    ends.store(true, Ordering::SeqCst);
    assert!(flood.join().unwrap() > 1000);
    drop(node);
    assert!(!robot.moves_within(Duration::from_secs(1)));

    // Latched, killed and started again.
    controller.kill();
    let mut controller = Latco::start(&arguments);
    assert!(
        !robot.moves_within(Duration::from_secs(6)),
        "{}",
        robot.last_status()
    );
    assert!(eventually(LONG, || robot
        .last_status()
        .contains("emergency stop latched")));
    assert!(operator.call("/latco/reset").success);
    assert!(robot.moves_within(LONG), "{}", robot.last_status());
    // Killed in motion and started again.
    controller.kill();
    let controller = Latco::start(&arguments);
    assert!(
        !robot.moves_within(Duration::from_secs(6)),
        "{}",
        robot.last_status()
    );
    assert!(operator.call("/latco/reset").success);
    assert!(robot.moves_within(LONG), "{}", robot.last_status());
    // Ended in good order, it moves by itself when it is started again.
    controller.terminate();
    controller.end(LONG).assert_code(0);
    let controller = Latco::start(&arguments);
    assert!(robot.moves_within(LONG), "{}", robot.last_status());
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn f04_absurd_times_in_a_configuration_do_not_end_a_node() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let more = "[planner]\nbudget_ms = 1e300\n[timeouts]\ncamera_ms = 1e300\n";
    let config = configuration(folder.path(), more);
    let mut controller = Latco::start(&run(&config, "85"));
    let robot = FakeRobot::new(85);
    let deadline = Instant::now() + Duration::from_secs(30);
    while controller.is_running() && !robot.moved() && Instant::now() < deadline {
        robot.period();
    }
    if !controller.is_running() {
        let ended = controller.end(LONG);
        ended.assert_code(2);
        assert!(ended.stderr.contains("budget_ms"), "{}", ended.stderr);
        return;
    }
    assert!(robot.moved(), "{}", controller.output());
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn f13_f15_what_the_belief_refuses_and_who_else_commands_is_told() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let mut controller = Latco::start(&run(&config, "86"));
    let robot = FakeRobot::new(86);
    robot.until_moved(&mut controller);
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut node = NodeBuilder::open(network(86), "/", "rival").unwrap();
    let heard = told.clone();
    node.subscribe::<DiagnosticArray>("/diagnostics", qos::commands(), move |m| {
        let parts = m.into_iter().flat_map(|m| m.status);
        heard.lock().unwrap().extend(parts);
    })
    .unwrap();
    let rival = node
        .publisher::<Float64MultiArray>("commands", qos::commands(), 4)
        .unwrap();
    let node = RunningNode::start(node).unwrap();
    let is_told = |part: &str, words: &str, level: u8| {
        let told = told.lock().unwrap();
        told.iter().any(|s: &DiagnosticStatus| {
            s.name.ends_with(part) && s.message.contains(words) && s.level == level
        })
    };
    assert!(
        eventually(LONG, || {
            robot.period();
            is_told("executor", "other publishers", DiagnosticStatus::ERROR)
        }),
        "{told:?}"
    );
    drop((rival, node));
    // A camera whose clock is 10 s ahead.
    for _ in 0..15 {
        let mut image = robot.good_image();
        image.header = Header::new(stamp::now_ns() + 10_000_000_000, "camera");
        robot.image.send(image);
        robot.joints.send(robot.good_joints());
        wait(Duration::from_millis(100));
    }
    let refused = || {
        robot
            .figure("images_unused")
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert!(
        eventually(LONG, || refused() > 5),
        "{:?}",
        robot.last_status()
    );
    let error = robot.figure("last_image_error").unwrap();
    assert!(
        error.contains("in the future") && error.contains("clocks"),
        "{error}"
    );
    // Joint states that jump by a radian.
    for _ in 0..20 {
        let mut joints = robot.good_joints();
        joints.position[0] += 1.0;
        robot.joints.send(joints);
        wait(Duration::from_millis(20));
    }
    let refused = || robot.figure("joint_states_refused").unwrap() != "0";
    assert!(eventually(LONG, refused), "{:?}", robot.last_status());
    let error = robot.figure("last_joints_error").unwrap();
    assert!(error.contains("moved by"), "{error}");
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn f09_an_executor_that_is_held_is_told_and_the_robot_goes_on_when_it_is_let_go() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let mut controller = Latco::start(&run(&config, "89"));
    let robot = Driven::new(89, &mut controller);
    let tasks = format!("/proc/{}/task", controller.id());
    let named = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "latco-executor")
    };
    let mut all = std::fs::read_dir(tasks).unwrap().map(|t| t.unwrap().path());
    let task = all.find(named).expect("a thread that is called executor");
    let executor = Pid::from_raw(task.file_name().unwrap().to_str().unwrap().parse().unwrap());
    ptrace::seize(executor, ptrace::Options::empty()).unwrap();
    ptrace::interrupt(executor).unwrap();
    waitpid(executor, Some(WaitPidFlag::__WALL)).unwrap();
    let held = Instant::now();
    let is_told = || robot.last_status().contains("executor_stalled");
    let told = eventually(Duration::from_secs(3), is_told);
    let told_after = held.elapsed();
    ptrace::detach(executor, None).unwrap();
    assert!(told, "{}", robot.last_status());
    println!("f09: a held executor is told after {told_after:.2?}");
    assert!(told_after < Duration::from_millis(1500), "{told_after:?}");
    assert!(
        robot.moves_within(Duration::from_secs(10)),
        "{}",
        robot.last_status()
    );
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn f08_f20_a_clock_that_jumps_begins_anew_and_one_that_stands_still_stops_the_robot() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let sim_time = ["--ros-args", "-p", "use_sim_time:=true"];
    let controller = Latco::start(&[&run(&config, "87")[..], &sim_time].concat());
    // Of the priority that the controller takes where it may: a simulator that a busy machine keeps from its turn sends clock, images
    // and joint states further and further apart, which is a fault of its own.
    let _ = NonZeroU8::new(priority::USUAL).map(priority::permit);
    priority::raise();
    let robot = FakeRobot::new(87);
    let mut node = NodeBuilder::open(network(87), "/", "simulator").unwrap();
    let clock = node
        .publisher::<ClockMessage>("/clock", qos::sensors(1), 4)
        .unwrap();
    let node = RunningNode::start(node).unwrap();
    let tick = |now_ns: i64, number: u64| {
        let clock_now = TimeMessage::from_nanos(now_ns);
        clock.send(ClockMessage { clock: clock_now });
        let header = Header::new(now_ns, "");
        let joints = JointState {
            header: header.clone(),
            ..robot.good_joints()
        };
        robot.joints.send(joints);
        if number.is_multiple_of(5) {
            robot.image.send(Image {
                header,
                ..robot.good_image()
            });
        }
        wait(Duration::from_millis(20));
    };
    let plans = || -> u64 { robot.figure("plans").map_or(0, |n| n.parse().unwrap()) };
    let second = 1_000_000_000_i64;
    // From 100 s to 104 s, again and again.
    let (mut number, deadline) = (0, Instant::now() + LONG);
    let mut rounds = Vec::new();
    while rounds.len() < 4 {
        assert!(Instant::now() < deadline, "{:?}", robot.last_status());
        robot.commands.lock().unwrap().clear();
        let (before, mut first_moved) = (plans(), None);
        for step in 0..200 {
            tick(100 * second + step * second / 50, number);
            number += 1;
            if first_moved.is_none() && robot.moved() {
                first_moved = Some(step);
            }
        }
        // The first rounds are those in which it is configured.
        if before > 0 {
            rounds.push((plans() - before, first_moved));
        }
    }
    for (made, first_moved) in &rounds {
        assert!(*made > 20, "{rounds:?}");
        // Within the status' delay of a fifth of a second and a few periods.
        let status = robot.last_status();
        assert!(
            first_moved.is_some_and(|step| step < 50),
            "{rounds:?} {status:?}"
        );
    }
    assert!(
        controller.output().contains("the clock jumped"),
        "{}",
        controller.output()
    );
    let jumps: u64 = robot.figure("clock_jumps").unwrap().parse().unwrap();
    assert!((3..=60).contains(&jumps), "{jumps}");
    // The simulator dies: nothing comes any more.
    wait(Duration::from_millis(1500));
    let last = robot.last_command().unwrap();
    assert!(last.iter().all(|&v| v == 0.0), "{last:?}");
    let status = robot.last_status().unwrap();
    assert_eq!(status.message, "stopped: clock_silent");
    drop(node);
    controller.terminate();
    controller.end(LONG).assert_code(0);
}
