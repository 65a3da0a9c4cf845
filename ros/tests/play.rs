//! `latco play`: timing at rates, from a start, in a loop, with pauses by service and by key.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Latco, Operator, eventually, my_turn, network, wait};
use latco_bag::messages::Float64;
use latco_bag::{BagOptions, BagWriter, Compression, Storage};
use latco_ros::middleware::{NodeBuilder, RunningNode, qos};
use latco_ros::player::services::{IsPaused, Nothing, Rate, Success};
use ros2_client::ServiceMapping;

const LONG: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_millis(50);

/// Numbers every 50 ms in a sqlite3 bag.
fn write_bag(folder: &Path, count: i64) -> String {
    let options = BagOptions {
        storage: Storage::Sqlite3,
        compression: Compression::None,
    };
    let mut bag = BagWriter::create_with(folder, options).unwrap();
    for number in 0..count {
        let time = 1_700_000_000_000_000_000 + number * PERIOD.as_nanos() as i64;
        let message = Float64 {
            data: number as f64,
        };
        bag.write("/number", time, &message).unwrap();
    }
    bag.finish().unwrap();
    folder.to_str().unwrap().to_owned()
}

type Heard = Arc<Mutex<Vec<(i64, Instant)>>>;

/// Hears the numbers, with the times of their arrival.
fn listen(domain: u16) -> (Heard, RunningNode) {
    let mut node = NodeBuilder::open(network(domain), "/", "listener").unwrap();
    let heard = Heard::default();
    let hearing = heard.clone();
    node.subscribe::<Float64>("number", qos::commands(), move |m| {
        let now = Instant::now();
        hearing.lock().unwrap().push((m.unwrap().data as i64, now));
    })
    .unwrap();
    (heard, RunningNode::start(node).unwrap())
}

fn numbers(heard: &Heard) -> Vec<i64> {
    heard
        .lock()
        .unwrap()
        .iter()
        .map(|(number, _)| *number)
        .collect()
}

fn span(heard: &Heard) -> Duration {
    let heard = heard.lock().unwrap();
    heard[heard.len() - 1].1 - heard[0].1
}

fn close(found: Duration, wanted: Duration) -> bool {
    found.abs_diff(wanted) < Duration::from_millis(400)
}

#[test]
fn a_bag_is_played_from_a_start_at_a_rate_and_again() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let bag = write_bag(&folder.path().join("bag"), 81);
    let network = ["--domain", "28", "--localhost", "--json", "--delay-s", "3"];
    let play = |more: &[&str]| Latco::start(&[&["play", &bag], &network[..], more].concat());

    // From 2 s on at half the speed: 41 messages in 4 s.
    let (heard, node) = listen(28);
    let played = play(&["--start", "2", "--rate", "0.5"]).end(LONG);
    let json = played.assert_code(0).json();
    assert_eq!(json["messages"], 41, "{json}");
    assert!(json["latest_ms"].as_f64() < Some(400.0), "{json}");
    assert!(eventually(LONG, || numbers(&heard).len() == 41));
    assert_eq!(numbers(&heard), (40..81).collect::<Vec<_>>());
    assert!(
        close(span(&heard), Duration::from_secs(4)),
        "{:?}",
        span(&heard)
    );
    // Every gap is the recorded one, but for the machine.
    let gaps: Vec<Duration> = (heard.lock().unwrap().windows(2))
        .map(|pair| pair[1].1 - pair[0].1)
        .collect();
    let good = gaps
        .iter()
        .filter(|gap| gap.abs_diff(PERIOD * 2) < PERIOD)
        .count();
    assert!(good * 10 > gaps.len() * 8, "{gaps:?}");
    drop(node);

    // In a loop, every round from the start.
    let (heard, node) = listen(28);
    let player = play(&["--start", "3.5", "--loop"]);
    assert!(eventually(LONG, || numbers(&heard).len() > 30));
    player.terminate();
    let json = player.end(LONG).assert_code(0).json();
    assert!(json["rounds"].as_u64() >= Some(3), "{json}");
    let round: Vec<i64> = (70..81).collect();
    let all = numbers(&heard);
    for (index, number) in all.iter().enumerate() {
        assert_eq!(*number, round[index % round.len()], "{all:?}");
    }
    drop(node);

    for (arguments, words) in [
        (&["--start", "5"][..], "4.000 s"),
        (&["--start", "-1"], "--start"),
        (&["--rate", "0"], "--rate"),
        (&["--rate", "NaN"], "--rate"),
    ] {
        let ended = play(arguments).end(LONG);
        assert!(
            ended.assert_code(2).stderr.contains(words),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_player_is_paused_and_resumed_by_its_services() {
    let folder = tempfile::tempdir().unwrap();
    let bag = write_bag(&folder.path().join("bag"), 61);
    let (heard, _node) = listen(29);
    let play = [
        "play",
        &bag,
        "--domain",
        "29",
        "--localhost",
        "--json",
        "--start-paused",
    ];
    let player = Latco::start(&play);
    let mut operator = Operator::new(29);
    let package = "rosbag2_interfaces";
    let paused = |operator: &mut Operator| -> bool {
        let nothing = Nothing::default();
        let reply: IsPaused = operator.ask("/player/is_paused", package, "IsPaused", &nothing);
        reply.paused
    };
    let tell = |operator: &mut Operator, name: &str, ty: &str| {
        let service = format!("/player/{name}");
        let _: Nothing = operator.ask(&service, package, ty, &Nothing::default());
    };
    assert!(paused(&mut operator));
    wait(Duration::from_secs(2));
    assert_eq!(numbers(&heard), [0; 0], "it waits before the first message");

    tell(&mut operator, "resume", "Resume");
    assert!(eventually(LONG, || numbers(&heard).len() >= 10));
    tell(&mut operator, "pause", "Pause");
    assert!(paused(&mut operator));
    let before = numbers(&heard).len();
    wait(Duration::from_secs(1));
    assert!(numbers(&heard).len() <= before + 1, "a pause is silent");
    let before = numbers(&heard).len();
    assert!(before < 61);

    let mut rate = |wanted: f64| -> bool {
        let request = Rate { rate: wanted };
        let reply: Success = operator.ask("/player/set_rate", package, "SetRate", &request);
        reply.success
    };
    assert!(!rate(-1.0) && !rate(f64::NAN) && !rate(0.0));
    assert!(rate(4.0));
    let reply: Rate = operator.ask("/player/get_rate", package, "GetRate", &Nothing::default());
    assert_eq!(reply.rate, 4.0);
    let reply: Success = operator.ask(
        "/player/play_next",
        package,
        "PlayNext",
        &Nothing::default(),
    );
    assert!(reply.success);
    assert!(eventually(LONG, || numbers(&heard).len() > before));
    let before = numbers(&heard).len();

    // The player may be at its end, and gone, before its reply is here.
    let _: Option<Nothing> = operator.call_as(
        ServiceMapping::Enhanced,
        "/player/resume",
        (package, "Resume"),
        Nothing::default(),
    );
    let ended = player.end(LONG);
    assert_eq!(ended.assert_code(0).json()["messages"], 61);
    assert!(eventually(LONG, || numbers(&heard).len() == 61));
    assert_eq!(
        numbers(&heard),
        (0..61).collect::<Vec<_>>(),
        "nothing is lost by a pause"
    );
    // What was left took a quarter of its time.
    let rest = (60 - before) as u32 * PERIOD / 4;
    let heard = heard.lock().unwrap();
    let took = heard[60].1 - heard[before].1;
    assert!(close(took, rest), "{took:?} instead of {rest:?}");
}

#[test]
fn the_space_key_pauses_on_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let bag = write_bag(&folder.path().join("bag"), 101);
    let (heard, _node) = listen(20);
    // A session of its own, whose terminal this is: that makes the player its foreground program.
    let terminal = nix::pty::openpty(None, None).unwrap();
    let modes = || {
        nix::sys::termios::tcgetattr(&terminal.slave)
            .unwrap()
            .local_flags
    };
    let usual = modes();
    let mut player = Command::new("setsid")
        .args([
            "--ctty",
            "--wait",
            env!("CARGO_BIN_EXE_latco"),
            "play",
            &bag,
        ])
        .args(["--domain", "20", "--localhost", "--delay-s", "3", "--json"])
        .stdin(terminal.slave.try_clone().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut keyboard = std::fs::File::from(terminal.master);
    assert!(eventually(LONG, || numbers(&heard).len() >= 10));
    assert_ne!(modes(), usual, "keys are read one by one");
    keyboard.write_all(b" ").unwrap();
    wait(Duration::from_millis(300));
    let before = numbers(&heard).len();
    wait(Duration::from_secs(1));
    assert_eq!(numbers(&heard).len(), before, "a pause is silent");
    assert!(before < 101);
    keyboard.write_all(b"\x1b[C").unwrap();
    assert!(
        eventually(LONG, || numbers(&heard).len() == before + 1),
        "one step"
    );
    keyboard.write_all(b"\x1b[A ").unwrap();
    let status = player.wait().unwrap();
    assert!(status.success(), "{status}");
    let mut said = String::new();
    player
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(said.contains("\"messages\":101"), "{said}");
    assert!(eventually(LONG, || numbers(&heard).len() == 101));
    assert_eq!(modes(), usual, "the terminal is given back");
}
