//! Topics to and from the peers: what arrives, and whether it is equal.
//!
//! Our side is `latco play` of a bag and `latco record` into one.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use latco_testkit::latco::{latco_command, python_command};
use latco_testkit::program::Program;
use latco_testkit::python::{CYCLONEDDS, Environment, ROS_JAZZY, ROS_KILTED};
use latco_testkit::time::my_turn;

use crate::heard::Heard;
use crate::script;
use crate::streams::{LARGE, SMALL, Stream, jpeg, write_bag};

const LONG: Duration = Duration::from_secs(60);
/// How long messages are sent.
const SECONDS: u32 = 6;

/// A foreign implementation of DDS.
struct Peer {
    name: &'static str,
    python: PathBuf,
    program: &'static str,
    domain: u16,
    settings: Vec<(&'static str, String)>,
    /// Whether it may miss the first message of a reliable topic, see docs/peers.md.
    may_miss_first: bool,
}

impl Peer {
    /// A release of ROS 2 as it comes, or with the receive buffer that raw images need.
    fn rclpy(ros: Environment, large_buffer: bool) -> Self {
        let settings = if large_buffer {
            // The profile keeps it on the loopback interface; the range would replace the profile's transport.
            let profile = script("fastdds.xml").to_string_lossy().into_owned();
            vec![
                ("FASTRTPS_DEFAULT_PROFILES_FILE", profile),
                ("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET".to_owned()),
            ]
        } else {
            Vec::new()
        };
        Self {
            name: ros.name,
            python: ros.python(),
            program: "rclpy_peer.py",
            domain: 41,
            settings,
            may_miss_first: false,
        }
    }

    fn cyclonedds() -> Self {
        let uri = format!("file://{}", script("cyclonedds.xml").display());
        Self {
            name: "CycloneDDS",
            python: CYCLONEDDS.python(),
            program: "cyclone_peer.py",
            domain: 42,
            settings: vec![("CYCLONEDDS_URI", uri)],
            may_miss_first: true,
        }
    }

    fn start(&self, arguments: &[String]) -> Program {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let script = script(self.program);
        let mut command = python_command(&self.python, &script, &arguments, self.domain);
        Program::start(command.envs(self.settings.iter().cloned()))
    }

    fn latco(&self, arguments: &[&str]) -> Command {
        let mut command = latco_command(arguments);
        command.args([
            "--json",
            "--localhost",
            "--domain",
            &self.domain.to_string(),
        ]);
        command
    }

    /// A bag is played; the peer hears it.
    fn hears_what_we_play(&self, streams: &[Stream]) {
        let _turn = my_turn();
        let folder = tempfile::tempdir().unwrap();
        let bag = folder.path().join("bag");
        let mut sent = write_bag(&bag, streams, SECONDS);
        let mut arguments = vec!["listen".to_owned()];
        arguments.extend(streams.iter().map(|s| s.to_hear()));
        let mut peer = self.start(&arguments);
        peer.says("ready", LONG);
        let bag = bag.to_string_lossy();
        let play = self
            .latco(&["play", &bag, "--keep-stamps", "--delay-s", "3"])
            .output();
        let play = play.unwrap();
        assert!(
            play.status.success(),
            "{}",
            String::from_utf8_lossy(&play.stderr)
        );
        latco_testkit::time::wait(Duration::from_secs(1));
        let mut heard = Heard::said(&peer.stop(LONG).assert_code(0).last_line_json());
        if self.may_miss_first {
            for stream in streams.iter().filter(|stream| stream.is_reliable()) {
                sent.leave_out_first(stream.topic, &mut heard);
            }
        }
        sent.assert_arrived(&heard, &format!("latco play to {}", self.name));
    }

    /// The peer sends; it is recorded.
    fn is_recorded(&self, streams: &[Stream]) {
        let _turn = my_turn();
        let folder = tempfile::tempdir().unwrap();
        let (bag, file) = (folder.path().join("bag"), folder.path().join("image.jpg"));
        std::fs::write(&file, jpeg(0).data).unwrap();
        let topics: Vec<String> = streams.iter().map(|s| s.to_record()).collect();
        let out = bag.to_string_lossy();
        let mut record = self.latco(&["record", "--out", &out]);
        let recorder = Program::start(record.args(&topics));
        let mut arguments = vec![
            "talk".to_owned(),
            SECONDS.to_string(),
            file.to_string_lossy().into_owned(),
        ];
        arguments.extend(streams.iter().map(|s| s.to_say()));
        let sent = Heard::said(
            &self
                .start(&arguments)
                .end(LONG)
                .assert_code(0)
                .last_line_json(),
        );
        let summary = recorder.stop(LONG).assert_code(0).json();
        assert_eq!(summary["dropped"], 0, "{summary}");
        sent.assert_arrived(
            &Heard::recorded(&bag),
            &format!("{} to latco record", self.name),
        );
    }
}

#[test]
#[ignore = "needs ROS 2 Jazzy from PyPI: make test-interop"]
fn rclpy_hears_what_is_played() {
    Peer::rclpy(ROS_JAZZY, false).hears_what_we_play(&SMALL);
}

#[test]
#[ignore = "needs ROS 2 Jazzy from PyPI: make test-interop"]
fn what_rclpy_sends_is_recorded() {
    let peer = Peer::rclpy(ROS_JAZZY, false);
    peer.is_recorded(&SMALL);
    peer.is_recorded(&LARGE);
}

/// The kernel must allow sockets receive buffers of 4 MiB for this one and its like.
#[test]
#[ignore = "needs ROS 2 Jazzy from PyPI and net.core.rmem_max of 4 MiB: make test-interop"]
fn rclpy_hears_raw_images_of_640x480_given_a_receive_buffer() {
    Peer::rclpy(ROS_JAZZY, true).hears_what_we_play(&LARGE);
}

#[test]
#[ignore = "needs ROS 2 Kilted from PyPI: make test-interop"]
fn rclpy_of_kilted_hears_what_is_played_and_is_recorded() {
    let peer = Peer::rclpy(ROS_KILTED, false);
    peer.hears_what_we_play(&SMALL);
    peer.is_recorded(&SMALL);
    peer.is_recorded(&LARGE);
}

#[test]
#[ignore = "needs CycloneDDS from PyPI: make test-interop"]
fn cyclonedds_hears_what_is_played() {
    Peer::cyclonedds().hears_what_we_play(&SMALL);
}

#[test]
#[ignore = "needs CycloneDDS from PyPI and net.core.rmem_max of 4 MiB: make test-interop"]
fn cyclonedds_hears_raw_images_of_640x480_given_a_receive_buffer() {
    Peer::cyclonedds().hears_what_we_play(&LARGE);
}

#[test]
#[ignore = "needs CycloneDDS from PyPI: make test-interop"]
fn what_cyclonedds_sends_is_recorded() {
    let peer = Peer::cyclonedds();
    peer.is_recorded(&SMALL);
    peer.is_recorded(&LARGE);
}
