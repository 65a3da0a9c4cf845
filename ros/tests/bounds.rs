//! What others fill, stop or send too much of: a log that nobody reads, a full disk, images larger than fit. Each by its number,
//! over real DDS on the loopback interface.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{FakeRobot, Latco, Operator, configuration, eventually, my_turn, network, wait};
use latco_bag::BagReader;
use latco_bag::messages::{Float64MultiArray, Header, Image};
use latco_ros::middleware::{NodeBuilder, RunningNode, qos, stamp};
use latco_testkit::latco::command;

const LONG: Duration = Duration::from_secs(90);

#[test]
fn f11_a_log_that_nobody_reads_holds_up_neither_services_nor_the_end() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let domain = 83;
    let config = config.to_str().unwrap();
    let line = [
        "run",
        "--auto",
        "--config",
        config,
        "--domain",
        "83",
        "--localhost",
    ];
    let mut command = command(Path::new(env!("CARGO_BIN_EXE_latco")), &line);
    // Far more than the 64 kB that a pipe takes.
    command
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut controller = command.spawn().unwrap();
    let robot = FakeRobot::new(domain);
    assert!(eventually(LONG, || {
        robot.period();
        robot.moved()
    }));
    let mut operator = Operator::new(domain);
    assert!(operator.call("/latco/reset").success, "discovered");
    let mut slowest = Duration::ZERO;
    for _ in 0..30 {
        for service in ["/latco/estop", "/latco/reset"] {
            let began = Instant::now();
            assert!(operator.call(service).success);
            slowest = slowest.max(began.elapsed());
        }
    }
    let began = Instant::now();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(controller.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let mut status = None;
    let ended = eventually(Duration::from_secs(20), || {
        status = controller.try_wait().unwrap();
        status.is_some()
    });
    let took = began.elapsed();
    if !ended {
        controller.kill().unwrap();
    }
    let mut said = Vec::new();
    controller
        .stderr
        .take()
        .unwrap()
        .read_to_end(&mut said)
        .unwrap();
    assert!(ended, "SIGTERM did not end it");
    assert_eq!(status.unwrap().code(), Some(0));
    assert!(
        said.len() > 40_000,
        "the pipe was not full: {} bytes",
        said.len()
    );
    println!(
        "f11: 60 services with a full pipe, the slowest {slowest:.2?}; end {took:.2?} after SIGTERM"
    );
}

/// The most memory that a process had so far, kB.
fn peak_kb(process: &Latco) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

#[test]
fn f12_raw_images_of_3840x2160_take_bounded_memory() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let config = config.to_str().unwrap();
    let mut controller = Latco::start(&[
        "run",
        "--auto",
        "--config",
        config,
        "--domain",
        "84",
        "--localhost",
    ]);
    let robot = FakeRobot::new(84);
    robot.until_moved(&mut controller);
    let before = peak_kb(&controller);
    let data = vec![128; 3840 * 2160 * 3];
    for _ in 0..100 {
        let header = Header::new(stamp::now_ns(), "camera");
        robot
            .image
            .send(Image::rgb8(header, 3840, 2160, data.clone()));
        robot.joints.send(robot.good_joints());
        wait(Duration::from_millis(100));
    }
    let grown = peak_kb(&controller).saturating_sub(before) / 1024;
    println!("f12: 100 raw images of 25 MB at 10 Hz: {grown} MB more at most");
    assert!(controller.is_running(), "{}", controller.output());
    assert!(grown < 800, "{grown} MB more");
    robot.commands.lock().unwrap().clear();
    robot.until_moved(&mut controller);
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn f19_a_recorder_whose_disk_is_full_says_so_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bag");
    let latco = env!("CARGO_BIN_EXE_latco");
    // No file may have more than 2 MB, as on a disk that has no more room.
    let line = format!(
        "trap '' XFSZ; ulimit -f 4096; exec {latco} record tank/level:std_msgs/msg/Float64MultiArray --compression none \
         --out {} --domain 85 --localhost --json",
        out.display()
    );
    let mut recorder = Latco::start_command(&mut command("/bin/sh".as_ref(), &["-c", &line]));
    let mut node = NodeBuilder::open(network(85), "/", "talker").unwrap();
    let level = node
        .publisher::<Float64MultiArray>("tank/level", qos::commands(), 100)
        .unwrap();
    let node = RunningNode::start(node).unwrap();
    assert!(eventually(LONG, || node.subscription_count("/tank/level") > 0));
    let began = Instant::now();
    while recorder.is_running() && began.elapsed() < LONG {
        level.send(Float64MultiArray::vector(vec![1.0; 500]));
        wait(Duration::from_millis(5));
    }
    let took = began.elapsed();
    let ended = recorder.end(LONG);
    ended.assert_code(1);
    for part in ["make room", "could not be written"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    let reader = BagReader::open(&out).unwrap();
    let read = reader.messages().filter(Result::is_ok).count();
    assert!(read > 20, "{read} messages are left\n{}", ended.stderr);
    let parts = std::fs::read_dir(&out).unwrap().flatten();
    let parts = parts.filter(|file| file.path().extension().is_some_and(|e| e == "part"));
    assert_eq!(parts.count(), 0);
    println!(
        "f19: ended {took:.2?} after the first message, {read} messages readable, 0 parts left"
    );
}
