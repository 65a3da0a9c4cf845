//! A host on the same network that means harm: malformed and well-formed RTPS, as fast as it can, at a controller in motion whose
//! memory is limited.
//!
//! Only the ports of the controller are flooded: what is asked is how it fares, not its peers.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use latco_testkit::latco::command;

use super::{LONG, memory_kb};
use crate::common::{FakeRobot, Latco, Operator, configuration, eventually, my_turn, wait};

const DOMAIN: u16 = 131;
/// Address space that the controller may take, kB; it has half of it when it starts.
const ADDRESS_SPACE_KB: u32 = 4 << 20;
/// Memory that it may take beyond what it had before the flood, kB.
const MOST_GROWTH_KB: u64 = 400_000;
/// Port at which he hears what the controller sends to him.
const EAR: u16 = 17_731;
/// Least rate of commands while the robot is driven, of 100 a second, on cores that are shared with the flood.
const LEAST_RATE: f64 = 50.0;

/// Random numbers that repeat.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// A number that code may not expect.
    fn odd(&mut self) -> u32 {
        let near = [0, 1, 2, 255, 256, 257, 0x7fff_ffff, 0x8000_0000, u32::MAX];
        match self.below(2) {
            0 => near[self.below(near.len() as u64) as usize],
            _ => self.next() as u32 >> self.below(32),
        }
    }
}

type Prefix = [u8; 12];

const SPDP_WRITER: u32 = 0x0001_00c2;
const SPDP_READER: u32 = 0x0001_00c7;
/// Number of the first of his readers of the commands.
const COMMAND_READERS: u32 = 100_000;
/// The built-in writers of publications, subscriptions, topics, messages of participants, with their readers.
const BUILTIN: [(u32, u32); 4] = [
    (0x0000_03c2, 0x0000_03c7),
    (0x0000_04c2, 0x0000_04c7),
    (0x0000_02c2, 0x0000_02c7),
    (0x0002_00c2, 0x0002_00c7),
];

fn message(prefix: &Prefix, submessages: &[Vec<u8>]) -> Vec<u8> {
    let header = [&b"RTPS\x02\x04\x01\x12"[..], prefix].concat();
    [&header[..], &submessages.concat()].concat()
}

fn submessage(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(0).to_le_bytes();
    [&[kind, flags | 1], &length[..], body].concat()
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn ids(reader: u32, writer: u32) -> Vec<u8> {
    [reader.to_be_bytes(), writer.to_be_bytes()].concat()
}

fn data(reader: u32, writer: u32, number: u32, payload: &[u8]) -> Vec<u8> {
    let head = [&[0, 0, 16, 0], &ids(reader, writer)[..]].concat();
    let body = [&head[..], &words(&[0, number]), payload].concat();
    submessage(0x15, 0x04, &body)
}

fn parameter(id: u16, value: &[u8]) -> Vec<u8> {
    let padded = value.len().next_multiple_of(4);
    let length = u16::try_from(padded).unwrap();
    let mut all = [id.to_le_bytes(), length.to_le_bytes()].concat();
    all.extend(value);
    all.resize(4 + padded, 0);
    all
}

fn parameters(list: &[Vec<u8>]) -> Vec<u8> {
    [&[0, 3, 0, 0], &list.concat()[..], &[1, 0, 0, 0]].concat()
}

fn text(value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len() + 1).unwrap();
    [&length.to_le_bytes(), value.as_bytes(), &[0]].concat()
}

fn locator(port: u16) -> Vec<u8> {
    let mut all = words(&[1, u32::from(port)]);
    all.extend([0; 12]);
    all.extend([127, 0, 0, 1]);
    all
}

fn guid(prefix: &Prefix, entity: u32) -> Vec<u8> {
    [&prefix[..], &entity.to_be_bytes()].concat()
}

/// The announcement of a participant that says to listen on this port.
fn participant(prefix: &Prefix, port: u16) -> Vec<u8> {
    let list = [
        parameter(0x0015, &[2, 4]),
        parameter(0x0016, &[1, 0x12]),
        parameter(0x0050, &guid(prefix, 0x0000_01c1)),
        parameter(0x0031, &locator(port)),
        parameter(0x0032, &locator(port)),
        parameter(0x0002, &words(&[100, 0])),
        parameter(0x0058, &words(&[0x0000_0fff])),
    ];
    let announced = data(SPDP_READER, SPDP_WRITER, 1, &parameters(&list));
    message(prefix, &[announced])
}

/// The announcement number `number` of an endpoint, by a participant that is known.
fn endpoint(prefix: &Prefix, is_reader: bool, number: u32, names: [&str; 2], port: u16) -> Vec<u8> {
    let kind = if is_reader { 0x04 } else { 0x03 };
    let list = [
        parameter(0x005a, &guid(prefix, number << 8 | kind)),
        parameter(0x0005, &text(names[0])),
        parameter(0x0007, &text(names[1])),
        parameter(0x002f, &locator(port)),
        // Reliable.
        parameter(0x001a, &words(&[2, 0, 0])),
    ];
    let (writer, reader) = BUILTIN[usize::from(is_reader)];
    let announced = data(reader, writer, number, &parameters(&list));
    message(prefix, &[announced])
}

/// Everything about numbers of samples and fragments, with any numbers: HEARTBEAT, GAP, ACKNACK, NACKFRAG, HEARTBEATFRAG, DATAFRAG.
fn numbers(chance: &mut Chance, prefix: &Prefix) -> Vec<u8> {
    let (builtin_writer, builtin_reader) = BUILTIN[chance.below(4) as usize];
    let user = (chance.below(64) as u32) << 8;
    let (writer, reader) = match chance.below(4) {
        0 => (builtin_writer, builtin_reader),
        // From one of his readers of the commands, which the controller's writer has taken up.
        1 => (user | 0x03, (COMMAND_READERS + user / 256) << 8 | 0x04),
        2 => (user | 0x03, user | 0x04),
        _ => (user | 0x03, 0),
    };
    let mut n = || chance.odd();
    let bits = n() % 300;
    let set = |first: [u32; 2], bits: u32| {
        let map = vec![u32::MAX; (bits as usize).div_ceil(32).min(8)];
        [words(&first), words(&[bits]), words(&map)].concat()
    };
    let (kind, rest) = match n() % 6 {
        0 => (0x07, words(&[n() >> 1, n(), n() >> 1, n(), n()])),
        1 => {
            let start = words(&[n() >> 1, n()]);
            (0x08, [start, set([n() >> 1, n()], bits)].concat())
        }
        2 => (0x06, [set([n() >> 1, n()], bits), words(&[n()])].concat()),
        3 => {
            let fragments = [words(&[n(), bits]), words(&[u32::MAX; 8])].concat();
            (0x12, [words(&[0, n()]), fragments, words(&[n()])].concat())
        }
        4 => (0x13, words(&[0, n(), n(), n()])),
        _ => {
            let (first, count, size) = (n(), n() & 0xffff, n() << 16);
            let head = [&[0, 0, 28, 0], &ids(reader, writer)[..]].concat();
            let rest = words(&[0, n() % 1000, first, count | size, n()]);
            let body = [&head[..], &rest, &[7; 300]].concat();
            return message(prefix, &[submessage(0x16, 0, &body)]);
        }
    };
    let body = [ids(reader, writer), rest].concat();
    message(prefix, &[submessage(kind, 0, &body)])
}

/// A good message, changed in a few places, or nothing that was ever a message.
fn noise(chance: &mut Chance, prefix: &Prefix) -> Vec<u8> {
    if chance.below(4) == 0 {
        let length = chance.below(1400);
        return chance.bytes(length);
    }
    let mut packet = match chance.below(3) {
        0 => participant(prefix, EAR),
        1 => endpoint(prefix, true, 7, ["rt/x", "x"], 9),
        _ => numbers(chance, prefix),
    };
    for _ in 0..=chance.below(8) {
        let at = 8 + chance.below(packet.len() as u64 - 8) as usize;
        packet[at] = chance.next() as u8;
    }
    if chance.below(3) == 0 {
        packet.truncate(20 + chance.below(packet.len() as u64 - 19) as usize);
    }
    packet
}

/// The UDP ports of a process.
fn ports(process: &Latco) -> Vec<u16> {
    let folder = format!("/proc/{}/fd", process.id());
    let links = std::fs::read_dir(folder).unwrap().filter_map(|fd| {
        let link = std::fs::read_link(fd.ok()?.path()).ok()?;
        let name = link.to_str()?.strip_prefix("socket:[")?;
        Some(name.strip_suffix(']')?.to_owned())
    });
    let inodes: HashSet<String> = links.collect();
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let sockets = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = fields[1].rsplit(':').next()?;
        inodes
            .contains(fields[9])
            .then(|| u16::from_str_radix(port, 16).unwrap())
    });
    sockets.filter(|&port| port > 7000).collect()
}

/// How long each kind of packets is sent: `LATCO_FLOOD_S`, by default less than a second.
fn flood_time() -> Duration {
    let seconds = std::env::var("LATCO_FLOOD_S").map_or(0.8, |s| s.parse().expect("seconds"));
    Duration::from_secs_f64(seconds)
}

type Packets = fn(&mut Chance, u64) -> Vec<u8>;

fn prefix_of(number: u64) -> Prefix {
    let mut prefix = *b"\x01\x12evil\0\0\0\0\0\0";
    prefix[6..].copy_from_slice(&number.to_be_bytes()[2..]);
    prefix
}

const COMMANDS: [&str; 2] = ["rt/commands", "std_msgs::msg::dds_::Float64MultiArray_"];

/// What is sent, by name. Participant 0 is announced before.
const FLOODS: [(&str, Packets); 7] = [
    ("noise", |chance, _| noise(chance, &prefix_of(0))),
    ("numbers of samples and fragments", |chance, _| {
        numbers(chance, &prefix_of(0))
    }),
    ("participants", |chance, number| {
        participant(&prefix_of(1 + number), 10_000 + chance.below(50_000) as u16)
    }),
    ("endpoints with any names", |chance, number| {
        let length = chance.below(30_000) as usize;
        let names = ["rt/x".to_owned() + &"x".repeat(length), number.to_string()];
        let names = [names[0].as_str(), names[1].as_str()];
        endpoint(&prefix_of(0), chance.below(2) == 0, number as u32, names, 9)
    }),
    (
        "readers of the commands that acknowledge nothing",
        |chance, number| {
            // One in a hundred is where he listens.
            let port = match number % 100 {
                0 => EAR,
                _ => 10_000 + chance.below(50_000) as u16,
            };
            endpoint(
                &prefix_of(0),
                true,
                COMMAND_READERS + number as u32,
                COMMANDS,
                port,
            )
        },
    ),
    (
        "writers of joint states with anything in them",
        |chance, number| {
            let writer = 7 << 8 | 0x03;
            let names = ["rt/joint_states", "sensor_msgs::msg::dds_::JointState_"];
            if number.is_multiple_of(1000) {
                return endpoint(&prefix_of(0), false, 7, names, 9);
            }
            let length = chance.below(200);
            let payload = [&[0, 1, 0, 0], &chance.bytes(length)[..]].concat();
            message(&prefix_of(0), &[data(0, writer, number as u32, &payload)])
        },
    ),
    ("all of it in the name of the robot", |chance, number| {
        // Whoever is heard is known by name.
        let robot = prefix_of(number % 50);
        match chance.below(2) {
            0 => numbers(chance, &robot),
            _ => noise(chance, &robot),
        }
    }),
];

#[test]
fn a_hostile_host_neither_ends_the_controller_nor_holds_up_its_loop() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let latco = env!("CARGO_BIN_EXE_latco");
    let line = format!(
        "ulimit -v {ADDRESS_SPACE_KB}; exec {latco} run --auto --config {} --domain {DOMAIN} --localhost --json",
        config.display()
    );
    let mut controller = Latco::start_command(&mut command("/bin/sh".as_ref(), &["-c", &line]));
    let robot = FakeRobot::new(DOMAIN);
    robot.until_moved(&mut controller);
    let mut operator = Operator::new(DOMAIN);
    assert!(operator.call("/latco/reset").success, "discovered");
    let ports = ports(&controller);
    assert!(ports.len() >= 2, "{ports:?}");
    let memory = memory_kb(&controller);
    let figure = |key: &str| -> u64 { robot.figure(key).map_or(0, |n| n.parse().unwrap()) };

    let stop = Arc::new(AtomicBool::new(false));
    let (sent, flood) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
    let hostile = {
        let (stop, sent, flood, ports) = (stop.clone(), sent.clone(), flood.clone(), ports.clone());
        std::thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let (mut chance, mut number) = (Chance(18), 0);
            while !stop.load(Ordering::SeqCst) {
                let kind: Option<Packets> = *flood.lock().unwrap();
                let Some(make) = kind else {
                    wait(Duration::from_millis(1));
                    continue;
                };
                for _ in 0..50 {
                    let packet = make(&mut chance, number);
                    for port in &ports {
                        let _ = socket.send_to(&packet, ("127.0.0.1", *port));
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    number += 1;
                }
                // So that with two cores somebody else has his turn.
                wait(Duration::from_millis(1));
            }
        })
    };
    let socket = UdpSocket::bind(("127.0.0.1", EAR)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let heard = || std::iter::from_fn(|| socket.recv(&mut [0; 2048]).ok()).count();
    let is_known = eventually(Duration::from_secs(10), || {
        for port in &ports {
            let own = participant(&prefix_of(0), EAR);
            socket.send_to(&own, ("127.0.0.1", *port)).unwrap();
        }
        robot.period();
        heard() > 0
    });
    assert!(is_known, "what is sent to him says that he is known");
    for (name, packets) in FLOODS {
        let commands = || robot.commands.lock().unwrap().len();
        let (packets_before, began) = (sent.load(Ordering::Relaxed), Instant::now());
        let (before, late_before) = (commands(), figure("late_ticks"));
        *flood.lock().unwrap() = Some(packets);
        while began.elapsed() < flood_time() {
            robot.period();
        }
        *flood.lock().unwrap() = None;
        let answers = heard();
        let seconds = began.elapsed().as_secs_f64();
        let rate = (commands() - before) as f64 / seconds;
        let packets = (sent.load(Ordering::Relaxed) - packets_before) as f64 / seconds;
        assert!(controller.is_running(), "{name}: {}", controller.output());
        let grown = memory_kb(&controller).saturating_sub(memory);
        let status = robot.last_status().map_or(String::new(), |s| s.message);
        let late = figure("late_ticks") - late_before;
        println!(
            "hostile: {name}: {packets:.0} packets/s, {rate:.0} commands/s, {late} late ticks, {answers} answers, {grown} kB more, {status:?}"
        );
        assert!(grown < MOST_GROWTH_KB, "{name}: {grown} kB more");
        assert!(!status.contains("executor_stalled"), "{name}: {status}");
        // The robot is driven, or stopped for a reason that is told.
        let is_controlled = rate > LEAST_RATE || status.starts_with("stopped:");
        assert!(is_controlled, "{name}: {rate:.0} commands/s, {status}");
    }
    stop.store(true, Ordering::SeqCst);
    hostile.join().unwrap();
    let finite = |command: &Vec<f64>| command.iter().all(|v| v.is_finite());
    assert!(robot.commands.lock().unwrap().iter().all(finite));
    // When it is over the robot goes on, and the services answer.
    let over = Instant::now();
    let goes_on = eventually(LONG, || {
        robot.commands.lock().unwrap().clear();
        (0..3).for_each(|_| robot.period());
        robot.moved()
    });
    assert!(
        goes_on,
        "{:?}\n{}",
        robot.last_status(),
        controller.output()
    );
    println!("hostile: moves again after {:.1?}", over.elapsed());
    assert!(operator.call("/latco/estop").success, "services answer");
    controller.terminate();
    let ended = controller.end(LONG);
    ended.assert_code(0);
}
