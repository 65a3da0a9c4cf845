//! `latco demo` with a model of random weights: nothing is solved, everything is there.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;
mod layouts;

use std::time::Duration;

use common::{Latco, configuration, eventually, install, my_turn};
use latco_bag::{BagReader, topics};

const LONG: Duration = Duration::from_secs(120);

/// Processes of this program that were started with `word` among their arguments.
fn processes_with(word: &str) -> usize {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return 0;
    };
    processes
        .flatten()
        .filter(|p| {
            let arguments = std::fs::read(p.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            arguments.contains(word) && arguments.contains("until-stdin-closes")
        })
        .count()
}

#[test]
fn the_folder_and_the_table_are_complete() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    // Installed, in another folder than the repository, with the configuration and the bundle that came with it.
    let prefix = folder.path().join("opt");
    assert!(install(prefix.to_str().unwrap(), None).status.success());
    let mut installed = latco_testkit::latco::command(
        &prefix.join("bin/latco"),
        &[
            "demo",
            "--episodes",
            "1",
            "--out",
            "output",
            "--domain",
            "51",
            "--json",
        ],
    );
    installed.current_dir(&folder).env_remove("ORT_DYLIB_PATH");
    let ended = Latco::start_command(&mut installed).end(LONG);
    assert_eq!(ended.assert_code(0).json()["output_dir"], "output");
    assert!(layouts::check(&folder.path().join("output/bag")) > 15);

    let config = configuration(folder.path(), "");
    let out = folder.path().join("output");
    let demo = [
        "demo",
        "--episodes",
        "1",
        "--config",
        config.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    // It replaces what the one before left.
    let ended = Latco::run(&[&demo[..], &["--domain", "51", "--json"]].concat(), LONG);
    let report = ended.assert_code(0).json();
    assert_eq!(report["episodes"], 1, "{report}");
    for field in [
        "successes",
        "plan_ms_p50",
        "plan_ms_p99",
        "stamp_to_command_ms_p99",
        "deadline_misses",
        "commands_sent",
    ] {
        assert!(report[field].is_number(), "{field}: {report}");
    }
    assert!(report["commands_sent"].as_u64() > Some(50), "{report}");
    assert_eq!(report["output_dir"].as_str(), out.to_str());
    assert_eq!(
        ended.stdout.trim().lines().count(),
        1,
        "one object and nothing else: {}",
        ended.stdout
    );
    for name in ["film_strip.png", "plan_curves.png", "latency_histogram.png"] {
        let bytes = std::fs::read(out.join(name)).unwrap();
        assert!(
            bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000,
            "{name}"
        );
    }
    let report = std::fs::read_to_string(out.join("report.md")).unwrap();
    assert!(
        report.contains("| episodes solved | 0 of 1 |")
            || report.contains("| episodes solved | 1 of 1 |"),
        "{report}"
    );
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(page.contains("\"strip\":{\"steps\":[0,"), "imagined plans");
    // Nothing is fetched: the browser is told so, and no address is named but the name space of SVG.
    assert!(page.contains("default-src 'none'"));
    assert_eq!(
        page.matches("://").count(),
        page.matches("http://www.w3.org/2000/svg").count()
    );
    let bag = BagReader::open(out.join("bag")).unwrap();
    assert_eq!(bag.damage().count(), 0);
    for topic in [
        topics::CAMERA_IMAGE,
        topics::JOINT_STATES,
        topics::COMMANDS,
        topics::REWARD,
        topics::EPISODE,
    ] {
        assert!(bag.topic(topic).is_some_and(|t| t.messages > 0), "{topic}");
    }
    assert_eq!(processes_with(config.to_str().unwrap()), 0);
}

#[test]
fn an_interrupted_demonstration_leaves_its_bag_and_no_process() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let out = folder.path().join("output");
    let demo = Latco::start(&[
        "demo",
        "--config",
        config.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--domain",
        "52",
        "--json",
    ]);
    let begun = || {
        std::fs::read_to_string(out.join("run.log")).is_ok_and(|log| log.contains("episode begins"))
    };
    assert!(eventually(LONG, begun));
    demo.terminate();
    let ended = demo.end(LONG);
    assert!(
        ended.assert_code(1).stderr.contains("interrupted"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
    let bag = BagReader::open(out.join("bag")).unwrap();
    assert_eq!(bag.damage().count(), 0, "the bag is complete");
    assert!(bag.message_count() > 0);
    assert!(eventually(LONG, || processes_with(
        config.to_str().unwrap()
    ) == 0));
}

#[test]
fn a_killed_demonstration_leaves_no_process() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let out = folder.path().join("output");
    let mut demo = Latco::start(&[
        "demo",
        "--config",
        config.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--domain",
        "53",
    ]);
    let begun = || {
        std::fs::read_to_string(out.join("run.log")).is_ok_and(|log| log.contains("episode begins"))
    };
    assert!(eventually(LONG, begun));
    assert_eq!(
        processes_with(config.to_str().unwrap()),
        1,
        "the controller; the robot has no configuration"
    );
    demo.kill();
    assert!(
        eventually(LONG, || processes_with(config.to_str().unwrap()) == 0),
        "the children end by themselves"
    );
}
