//! Processes and threads that end, hang, or are short of memory and disk.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use latco_bag::BagReader;
use latco_bag::messages::JointState;
use latco_ros::middleware::{NodeBuilder, RunningNode, qos};
use latco_testkit::latco::command;

use super::{LONG, run};
use crate::common::{FakeRobot, Latco, configuration, eventually, my_turn, network, wait};

/// The joint states of a robot with the times of their arrival.
struct Watch {
    speeds: Arc<Mutex<Vec<(Instant, f64)>>>,
    _node: RunningNode,
}

impl Watch {
    fn new(domain: u16) -> Self {
        let speeds = Arc::new(Mutex::new(Vec::new()));
        let heard = speeds.clone();
        let mut node = NodeBuilder::open(network(domain), "/", "watch").unwrap();
        node.subscribe::<JointState>("joint_states", qos::sensors(10), move |joints| {
            let Some(joints) = joints else { return };
            let fastest = joints
                .velocity
                .iter()
                .fold(0.0_f64, |most, v| v.abs().max(most));
            heard.lock().unwrap().push((Instant::now(), fastest));
        })
        .unwrap();
        Self {
            speeds,
            _node: RunningNode::start(node).unwrap(),
        }
    }

    /// Waits until the robot moves fast.
    fn until_fast(&self) {
        let fast = || {
            self.speeds
                .lock()
                .unwrap()
                .last()
                .is_some_and(|(_, v)| *v > 0.15)
        };
        assert!(eventually(LONG, fast), "the robot does not move");
    }

    /// Time from `since` to the last moment at which the robot moved noticeably, once it is quiet.
    fn rest_after(&self, since: Instant) -> Duration {
        wait(Duration::from_secs(3));
        let speeds = self.speeds.lock().unwrap();
        let moved = speeds.iter().rev().find(|(_, v)| *v > 0.01);
        moved.map_or(Duration::ZERO, |(at, _)| {
            at.saturating_duration_since(since)
        })
    }
}

/// A simulated robot on its way to a goal, again and again.
fn robot(domain: u16) -> Latco {
    let domain = domain.to_string();
    let sim = [
        "sim",
        "--image-size",
        "32",
        "--domain",
        &domain,
        "--localhost",
    ];
    Latco::start(&sim)
}

/// How often each process is killed: `LATCO_KILLS`, by default 2.
fn kills() -> u32 {
    std::env::var("LATCO_KILLS").map_or(2, |n| n.parse().expect("LATCO_KILLS is a number"))
}

/// Kills controller, simulated robot and recorder in motion, as often as asked, with this output; the longest time to rest.
fn killed_in_motion(output: &str, domain: u16, most: Duration) {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let more = format!("[control]\noutput = \"{output}\"\n");
    let config = configuration(folder.path(), &more);
    let watch = Watch::new(domain);
    let (mut longest, mut all) = (Duration::ZERO, Vec::new());
    for number in 0..kills() {
        // The robot comes to rest when its controller dies.
        let simulated = robot(domain);
        let mut controller = run(&config, domain, &[]);
        watch.until_fast();
        wait(Duration::from_millis(u64::from(number) * 37 % 300));
        let killed = Instant::now();
        controller.kill();
        let rest = watch.rest_after(killed);
        all.push(rest.as_secs_f64());
        longest = longest.max(rest);
        drop(simulated);
    }
    eprintln!("17: {output}: at rest {longest:?} after kill -9 at the latest, of {all:.2?}");
    assert!(longest < most, "{all:?}");

    // The controller stops when its robot dies, and goes on with another one; a recorder that dies changes nothing.
    let controller = run(&config, domain, &[]);
    for _ in 0..kills() {
        let mut simulated = robot(domain);
        watch.until_fast();
        let bag = tempfile::tempdir().unwrap();
        let out = bag.path().join("bag");
        let place = domain.to_string();
        let record = ["record", "--out", out.to_str().unwrap(), "--domain", &place];
        let mut recorder = Latco::start(&[&record[..], &["--localhost"]].concat());
        assert!(eventually(LONG, || out.is_dir()));
        recorder.kill();
        watch.until_fast();
        simulated.kill();
        watch.speeds.lock().unwrap().clear();
        wait(Duration::from_secs(1));
    }
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn fault_17_the_controller_is_killed_while_it_sends_velocities() {
    // 0.2 s until the robot takes silence for a stop, then its own inertia.
    killed_in_motion("commands", 126, Duration::from_millis(1000));
}

#[test]
fn fault_17_the_controller_is_killed_while_it_sends_trajectories() {
    // A period until the next plan is due, 0.5 s beyond, braking, and the robot's own inertia.
    // A period, half a second of the trajectory, and the time in which the robot's own controller works off the error of position.
    killed_in_motion("joint_trajectory", 127, Duration::from_millis(2600));
}

#[test]
fn fault_26_a_panic_in_any_thread_ends_the_node_with_its_code_and_the_robot_at_rest() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    for kind in ["panic_model", "panic_planner", "panic_commands"] {
        let faults = folder.path().join("faults.toml");
        std::fs::write(
            &faults,
            format!("[[fault]]\nkind = \"{kind}\"\nfrom_s = 1.5\n"),
        )
        .unwrap();
        let mut controller = run(&config, 128, &["--inject", faults.to_str().unwrap()]);
        let robot = FakeRobot::new(128);
        robot.until_moved(&mut controller);
        let deadline = Instant::now() + LONG;
        while controller.is_running() && Instant::now() < deadline {
            robot.period();
        }
        let ended = controller.end(LONG);
        ended.assert_code(3);
        assert!(
            ended.stderr.contains(&format!("injected fault: {kind}")),
            "{}",
            ended.stderr
        );
        let last = robot.last_command().unwrap();
        // The executor's own end leaves its last command, which a robot takes for 0.2 s; every other panic brakes first.
        let is_at_rest = last.iter().all(|&v| v == 0.0);
        assert!(is_at_rest || kind == "panic_commands", "{kind}: {last:?}");
    }
}

#[test]
fn fault_29_a_recorder_without_room_on_the_disk_disturbs_nobody_and_leaves_what_it_wrote() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let out = folder.path().join("bag");
    // No file grows beyond 300 kB, as on a disk that is full then; the signal for that is left out.
    let latco = env!("CARGO_BIN_EXE_latco");
    let line = format!(
        "trap '' XFSZ; ulimit -f 300; exec {latco} record --out {} --compression none --domain 129 --localhost",
        out.display()
    );
    let recorder = Latco::start_command(&mut command("/bin/bash".as_ref(), &["-c", &line]));
    let mut controller = run(&config, 129, &[]);
    let robot = FakeRobot::new(129);
    robot.until_moved(&mut controller);
    let before = robot.commands.lock().unwrap().len();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        robot.period();
    }
    let rate =
        (robot.commands.lock().unwrap().len() - before) as f64 / began.elapsed().as_secs_f64();
    assert!(rate > 80.0, "{rate} commands a second");
    controller.terminate();
    controller.end(LONG).assert_code(0);
    recorder.terminate();
    let ended = recorder.end(LONG);
    assert_ne!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.to_lowercase().contains("file too large"),
        "{}",
        ended.stderr
    );
    let reader = BagReader::open(&out).unwrap();
    let read = reader.messages().filter(Result::is_ok).count();
    assert!(read > 50, "{read} messages are readable");
}

#[test]
fn fault_28_what_the_system_refuses_is_told_and_a_held_node_feeds_no_watchdog() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let hear = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    // 64 kB may be locked, and there is no processor 900.
    let latco = env!("CARGO_BIN_EXE_latco");
    let line = format!(
        "ulimit -l 64; exec {latco} run --auto --config {} --domain 130 --localhost --json --lock-memory --processors 900",
        config.display()
    );
    let mut start = command("/bin/bash".as_ref(), &["-c", &line]);
    start.env("NOTIFY_SOCKET", &path);
    let controller = Latco::start_command(&mut start);
    let robot = FakeRobot::new(130);
    assert_eq!(hear().as_deref(), Some("READY=1"));
    for _ in 0..3 {
        assert_eq!(hear().as_deref(), Some("WATCHDOG=1"));
    }
    let refused = || robot.figure("system_refused").unwrap_or_default();
    assert!(
        eventually(LONG, || refused().contains("64 kB")),
        "{}",
        refused()
    );
    assert!(refused().contains("[900]"), "{}", refused());
    controller.signal("STOP");
    socket
        .set_read_timeout(Some(Duration::from_millis(1500)))
        .unwrap();
    while hear().is_some() {}
    controller.signal("CONT");
    controller.terminate();
    assert!(std::iter::from_fn(hear).any(|state| state == "STOPPING=1"));
    let ended = controller.end(LONG);
    assert!(
        ended.stderr.contains("memory is not locked"),
        "{}",
        ended.stderr
    );
    // On one processor that there is.
    let controller = run(&config, 130, &["--processors", "0"]);
    let allowed = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", controller.id()));
        let lines = status.unwrap_or_default();
        let line = lines.lines().find(|l| l.starts_with("Cpus_allowed_list"));
        line.is_some_and(|line| line.ends_with("\t0"))
    };
    assert!(eventually(LONG, allowed));
    controller.terminate();
    controller.end(LONG).assert_code(0);
}
