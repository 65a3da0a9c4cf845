//! Faults that were found on the running node, each by its number, over real DDS on the loopback interface.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::net::UdpSocket;
use std::time::Duration;

use common::{FakeRobot, Latco, Operator, configuration, eventually, my_turn, wait};
use latco_testkit::latco::command;
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
