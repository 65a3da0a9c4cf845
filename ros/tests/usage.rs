//! What the command says when it cannot do what it is asked, and its exit status.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::time::Duration;

use common::{Latco, configuration};
use latco_controller::config::PlannerKind;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_missing_onnx_runtime_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let out = folder.path().join("demo");
    let config = config.to_str().unwrap();
    for arguments in [
        &["demo", "--config", config, "--out", out.to_str().unwrap()][..],
        &[
            "run",
            "--auto",
            "--config",
            config,
            "--localhost",
            "--domain",
            "41",
        ],
    ] {
        let ended = Latco::start_with(arguments, |command| {
            command.env("ORT_DYLIB_PATH", folder.path().join("no.so"));
        })
        .end(LONG);
        ended.assert_code(2);
        assert!(
            ended.stderr.contains("make onnxruntime"),
            "{}",
            ended.stderr
        );
    }
    assert!(!out.exists(), "nothing is left behind");
}

#[test]
fn all_errors_of_a_configuration_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    let text = "[bundle]\npath = \"x\"\ncolour = 1\n[control]\ncommand_rate_hz = -5.0\n[planner.latco]\ndamping = \"low\"\n[goal]\nimage = \"goal.png\"\n";
    std::fs::write(&file, text).unwrap();
    let check = ["config", "check", file.to_str().unwrap()];
    let ended = Latco::run(&check, LONG);
    ended.assert_code(2);
    for field in [
        "bundle.colour",
        "control.command_rate_hz",
        "planner.latco.damping",
        "goal.weight",
    ] {
        assert!(
            ended.stderr.contains(field),
            "no {field} in {}",
            ended.stderr
        );
    }
    assert_eq!(ended.stdout, "");
    std::fs::write(&file, "[bundle]\npath = \"x\"\n").unwrap();
    let ended = Latco::run(&[&check[..], &["--json"]].concat(), LONG);
    assert_eq!(ended.assert_code(0).json()["ok"], true);
}

#[test]
fn all_errors_of_ros_arguments_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let run = [
        "run",
        "--auto",
        "--config",
        config.to_str().unwrap(),
        "--ros-args",
    ];
    // The form first, ...
    let wrong = ["-r", "a", "-p", "b", "--params-file", "none.yaml"];
    let ended = Latco::run(&[&run[..], &wrong].concat(), LONG);
    ended.assert_code(2);
    for part in ["3 errors", "-r a: ", "-p b: ", "none.yaml"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    // ... then the meaning.
    let file = folder.path().join("parameters.yaml");
    let text = "/**:\n  ros__parameters:\n    colour: red\nlatco:\n  ros__parameters:\n    planner:\n      kind: a_star\n";
    std::fs::write(&file, text).unwrap();
    let wrong = [
        "--params-file",
        file.to_str().unwrap(),
        "-p",
        "planner.budget_ms:=fast",
        "-p",
        "planner.budget:=3",
        "-p",
        "planner.mppi.gamma:=3.0",
        "-p",
        "other:planner.budget:=3",
        "-p",
        "planner.cem.samples:=10",
    ];
    let ended = Latco::run(&[&run[..], &wrong].concat(), LONG);
    ended.assert_code(2);
    let kinds = PlannerKind::ALL.map(PlannerKind::name);
    for part in [
        "5 errors",
        &format!(
            "line 7: planner.kind: expected one of {}, found \"a_star\"",
            kinds.join(", ")
        ),
        "planner.budget_ms: expected a number above 0 and up to 86400000, found \"fast\"",
        "planner.budget: there is no such parameter",
        "planner.mppi.gamma: is gone: planner.cem.gamma takes its place",
        "planner.cem.elites: expected at most planner.cem.samples (10), found 100",
        "colour is no parameter",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let sim = ["sim", "--ros-args", "-p", "speed:=3"];
    let ended = Latco::run(&sim, LONG);
    ended.assert_code(2);
    assert!(
        ended.stderr.contains("no parameter speed"),
        "{}",
        ended.stderr
    );
    let ended = Latco::run(&["bench", "tick", "--ros-args"], LONG);
    ended.assert_code(2);
    assert!(ended.stderr.contains("only latco run"), "{}", ended.stderr);
}

#[test]
fn an_environment_that_cannot_be_is_refused() {
    let sim = ["sim", "--localhost"];
    let ended = Latco::start_with(&sim, |command| {
        command.env("ROS_DOMAIN_ID", "1000");
        command.env("RMW_IMPLEMENTATION", "rmw_zenoh_cpp");
    })
    .end(LONG);
    ended.assert_code(2);
    for part in ["ROS_DOMAIN_ID", "rmw_fastrtps_cpp or rmw_cyclonedds_cpp"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn a_damaged_bundle_is_refused_with_every_mismatch() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let bundle = folder.path().join("bundle");
    Latco::run(
        &["model", "check", bundle.to_str().unwrap(), "--json"],
        LONG,
    )
    .assert_code(0);
    let reward = bundle.join("reward.onnx");
    let mut bytes = std::fs::read(&reward).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&reward, bytes).unwrap();
    std::fs::remove_file(bundle.join("decode.onnx")).unwrap();
    let run = [
        "run",
        "--auto",
        "--config",
        config.to_str().unwrap(),
        "--localhost",
        "--domain",
        "42",
    ];
    for arguments in [&["model", "check", bundle.to_str().unwrap()][..], &run] {
        let ended = Latco::run(arguments, LONG);
        ended.assert_code(2);
        for words in ["reward.onnx", "decode.onnx"] {
            assert!(
                ended.stderr.contains(words),
                "no {words} in {}",
                ended.stderr
            );
        }
    }
    let ended = Latco::run(
        &["model", "check", bundle.to_str().unwrap(), "--json"],
        LONG,
    );
    assert_eq!(ended.assert_code(2).json()["passed"], false);
}

#[test]
fn wrong_joint_names_are_refused_before_anything_moves() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(
        folder.path(),
        "[robot]\njoint_names = [\"joint_2\", \"joint_1\", \"joint_3\"]\n",
    );
    let ended = Latco::run(
        &[
            "run",
            "--auto",
            "--config",
            config.to_str().unwrap(),
            "--localhost",
            "--domain",
            "43",
        ],
        LONG,
    );
    assert!(
        ended.assert_code(2).stderr.contains("joint_names"),
        "{}",
        ended.stderr
    );
}

#[test]
fn wrong_usage_has_status_2() {
    for (arguments, words) in [
        (&["sim", "--task", "fly"][..], "reach"),
        (&["sim", "--image-size", "3"], "16"),
        (&["sim", "--domain", "999"], "232"),
        (&["play", "x", "--rate", "0"], "rate"),
        (&["demo", "--episodes", "0"], "episodes"),
        (&["fly"], "fly"),
    ] {
        let ended = Latco::run(arguments, LONG);
        ended.assert_code(2);
        assert!(
            ended.stderr.contains(words),
            "no {words:?} in {}",
            ended.stderr
        );
    }
    let ended = Latco::start_with(&["sim"], |c| {
        c.env("ROS_DOMAIN_ID", "many");
    })
    .end(LONG);
    assert!(
        ended.assert_code(2).stderr.contains("ROS_DOMAIN_ID"),
        "{}",
        ended.stderr
    );
}

/// Without a GPU build of ONNX Runtime: what is missing and what to install, at once.
#[test]
fn a_gpu_provider_without_its_library_is_refused_within_5_s() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let bundle = folder.path().join("bundle");
    let (bundle, config) = (bundle.to_str().unwrap(), config.to_str().unwrap());
    let probe = Latco::run(&["model", "info", bundle, "--provider", "cuda"], LONG);
    assert!(
        probe
            .stderr
            .contains("is a build of ONNX Runtime without it"),
        "expected the CPU build of ONNX Runtime, run `make onnxruntime`: {}",
        probe.stderr
    );
    let out = folder.path().join("demo");
    let out = out.to_str().unwrap();
    for (provider, part) in [
        ("cuda", "libonnxruntime_providers_cuda.so"),
        ("tensorrt", "libonnxruntime_providers_tensorrt.so"),
    ] {
        for command in [
            &["model", "info", bundle][..],
            &["model", "check", bundle],
            &["model", "bench", bundle, "--json"],
            &[
                "run",
                "--auto",
                "--config",
                config,
                "--localhost",
                "--domain",
                "44",
            ],
            &["demo", "--config", config, "--out", out],
        ] {
            let began = std::time::Instant::now();
            let ended = Latco::run(&[command, &["--provider", provider]].concat(), LONG);
            assert!(began.elapsed() < Duration::from_secs(5), "{command:?}");
            ended.assert_code(2);
            assert_eq!(ended.stdout, "");
            for words in [part, "make onnxruntime-gpu", "ORT_DYLIB_PATH"] {
                assert!(
                    ended.stderr.contains(words),
                    "{command:?}: no {words:?} in {}",
                    ended.stderr
                );
            }
        }
    }
    assert!(!folder.path().join("demo").exists());
}

#[test]
fn a_list_of_providers_is_tried_in_order_and_its_winner_said() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(
        folder.path(),
        "[planner]\nbudget_ms = 0.001\n[planner.latco]\niterations_cold = 5\niterations_warm = 2\n",
    );
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().unwrap();
    let list = ["--provider", "cuda,cpu"];
    for command in ["info", "check", "bench"] {
        let ended = Latco::run(
            &[&["model", command, bundle, "--json"][..], &list].concat(),
            LONG,
        );
        let json = ended.assert_code(0).json();
        assert_eq!(json["provider"], "cpu", "{command}");
        assert_eq!(json["declined"][0]["provider"], "cuda", "{command}");
    }
    // At this rate the CPU cannot stand in, which is found out before the node is up.
    let run = [
        "run",
        "--auto",
        "--config",
        config.to_str().unwrap(),
        "--localhost",
        "--domain",
        "45",
    ];
    let ended = Latco::run(&[&run[..], &list].concat(), LONG);
    ended.assert_code(2);
    for words in ["too slow to stand in", "the configuration allows 0.0 ms"] {
        assert!(
            ended.stderr.contains(words),
            "no {words:?} in {}",
            ended.stderr
        );
    }
    for (wrong, words) in [("gpu", "unknown provider"), ("cpu,cpu", "named twice")] {
        let ended = Latco::run(&["model", "check", bundle, "--provider", wrong], LONG);
        ended.assert_code(2);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}
