//! The programs one after the other, as a user runs them: from bags to a bundle that drives the controller node.
//!
//! The second test is on real camera data, which is not part of the project: see `LATCO_REAL_DATA`.

#![allow(clippy::unwrap_used)] // in tests and what they share

use std::path::{Path, PathBuf};
use std::time::Duration;

use latco_bag::messages::Float64MultiArray;
use latco_bag::{BagReader, topics};
use latco_testkit::latco::{command, latco};
use latco_testkit::paths::{text, workspace};
use latco_testkit::program::Program;
use latco_testkit::time::my_turn;
use serde_json::Value;

/// For anything that ends by itself; far more than it takes, for a machine with other things to do.
const LONG: Duration = Duration::from_secs(300);
/// ROS domain of the loop, on loopback only.
const DOMAIN: &str = "87";
/// Rate of the real data.
const RATE_HZ: f64 = 5.0;
/// Files of the real data that are played: about 20 s with the pauses between them.
const PLAYED_FILES: usize = 6;

fn trainer() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_latco-train"))
}

fn start(program: &Path, arguments: &[&str]) -> Program {
    Program::start(&mut command(program, arguments))
}

/// The one JSON object of a run that ends well.
fn json(program: &Path, arguments: &[&str]) -> Value {
    let value = start(program, arguments).end(LONG).assert_code(0).json();
    assert!(value.is_object(), "{value}");
    value
}

/// Both stages are there, and every number is finite.
fn assert_losses_are_finite(run: &Path) {
    let losses = std::fs::read_to_string(run.join("losses.csv")).unwrap();
    let mut lines = losses.lines();
    assert_eq!(lines.next(), Some("stage,step,name,value"));
    let mut stages = std::collections::BTreeSet::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let [stage, step, name, value] = fields[..] else {
            panic!("{line:?}");
        };
        stages.insert(stage.to_owned());
        assert!(step.parse::<u64>().unwrap() > 0, "{line:?}");
        assert!(!name.is_empty(), "{line:?}");
        assert!(value.parse::<f64>().unwrap().is_finite(), "{line:?}");
    }
    assert_eq!(Vec::from_iter(stages), ["autoencoder", "world"], "{losses}");
}

fn assert_report_has_gates(run: &Path, fit: &Value, task: &str) {
    let report = std::fs::read_to_string(run.join("report.md")).unwrap();
    assert!(
        report.contains(&format!("Training report: {task}")),
        "{report}"
    );
    let gates = fit["gates"].as_array().unwrap();
    assert!(!gates.is_empty(), "{fit}");
    for gate in gates {
        let name = gate["name"].as_str().unwrap();
        assert!(report.contains(name), "{name} in {report}");
    }
    let worst = fit["export_worst_difference"].as_f64().unwrap();
    assert!(worst < 1e-3, "{fit}");
}

fn assert_bundle_checks(bundle: &Path) -> toml::Table {
    let check = json(latco(), &["model", "check", text(bundle), "--json"]);
    assert_eq!(check["passed"], true, "{check}");
    assert_eq!(check["mismatches"], serde_json::json!([]), "{check}");
    std::fs::read_to_string(bundle.join("manifest.toml"))
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn the_tiny_chain_makes_a_bundle_that_checks() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let [bags, run, bundle] = ["bags", "run", "bundle"].map(|name| folder.path().join(name));
    let config = workspace().join("configs/train/tiny.toml");

    let collected = json(
        trainer(),
        &[
            "collect",
            "--task",
            "reach",
            "--episodes",
            "10",
            "--image-size",
            "32",
            "--out",
            text(&bags),
            "--json",
        ],
    );
    assert_eq!(collected["episodes"], 10, "{collected}");
    assert_eq!(collected["policy"], "mixture", "{collected}");
    assert!(bags.join("collect.json").is_file());

    let fit = json(
        trainer(),
        &[
            "fit",
            "--data",
            text(&bags),
            "--config",
            text(&config),
            "--out",
            text(&run),
            "--json",
        ],
    );
    assert_losses_are_finite(&run);
    assert_report_has_gates(&run, &fit, "reach");
    assert!(run.join("bundle/manifest.toml").is_file());

    let exported = json(
        trainer(),
        &["export", text(&run), "--out", text(&bundle), "--json"],
    );
    assert_eq!(exported["finished"], true, "{exported}");
    let manifest = assert_bundle_checks(&bundle);
    assert_eq!(manifest["task"].as_str(), Some("reach"));
    assert!(!manifest["gates"].as_table().unwrap().is_empty());

    let evaluation = json(
        trainer(),
        &[
            "eval",
            "--bundle",
            text(&bundle),
            "--task",
            "reach",
            "--episodes",
            "1",
            "--json",
        ],
    );
    assert_eq!(evaluation["episodes"], 1, "{evaluation}");
    assert!(evaluation["plans"].as_u64() > Some(0), "{evaluation}");
    assert!(evaluation["mean_return"].is_f64(), "{evaluation}");
}

/// The episode files of the real data.
fn real_data() -> Vec<PathBuf> {
    let folder = std::env::var_os("LATCO_REAL_DATA").expect("LATCO_REAL_DATA names the folder");
    let folder = Path::new(&folder).join("bridge/episodes");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "npz"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .npz in {}", folder.display());
    files
}

/// The bag of the files.
fn import(files: &[PathBuf], out: &Path) -> Value {
    let rate = RATE_HZ.to_string();
    let mut arguments = vec!["import", "--rate-hz", &rate, "--out", text(out), "--json"];
    arguments.push("--npz");
    arguments.extend(files.iter().map(|file| text(file)));
    json(trainer(), &arguments)
}

/// `configs/train/real.toml` with fewer steps.
fn short_training(file: &Path) {
    let config = std::fs::read_to_string(workspace().join("configs/train/real.toml")).unwrap();
    let mut config: toml::Table = config.parse().unwrap();
    for (section, key, value) in [
        ("autoencoder", "steps", 30),
        ("training", "steps", 30),
        ("training", "checkpoint_steps", 15),
    ] {
        config[section][key] = value.into();
    }
    std::fs::write(file, config.to_string()).unwrap();
}

/// A robot for the bundle, and little work for the planner.
fn robot_configuration(bundle: &Path, manifest: &toml::Table, file: &Path) {
    let config = format!(
        "[bundle]\npath = {:?}\n\
         [robot]\njoint_names = {}\n\
         [control]\noutput = \"commands\"\ncommand_rate_hz = 50.0\n\
         [planner]\nkind = \"latco\"\nbudget_ms = 120.0\n\
         [planner.latco]\niterations_cold = 6\niterations_warm = 3\n\
         [timeouts]\ncamera_ms = 5000.0\njoints_ms = 5000.0\n\
         [topics]\nimage = {:?}\njoint_states = {:?}\n",
        text(bundle),
        manifest["joints"]["names"],
        topics::CAMERA_IMAGE.trim_start_matches('/'),
        topics::JOINT_STATES.trim_start_matches('/'),
    );
    std::fs::write(file, config).unwrap();
    let check = ["config", "check", text(file)];
    start(latco(), &check).end(LONG).assert_code(0);
}

/// Number of finite arrays on a topic; panics at one that is not.
fn finite_arrays(bag: &BagReader, topic: &str, width: Option<usize>) -> u64 {
    let mut count = 0;
    for message in bag.messages() {
        let message = message.unwrap();
        if !topics::matches(&message.topic, topic) {
            continue;
        }
        let message: Float64MultiArray = message.decode().unwrap();
        assert!(!message.data.is_empty(), "{topic}");
        assert!(
            message.data.iter().all(|v| v.is_finite()),
            "{topic}: {:?}",
            message.data
        );
        if let Some(width) = width {
            assert_eq!(message.data.len(), width, "{topic}");
        }
        count += 1;
    }
    count
}

#[test]
#[ignore = "needs real camera data: LATCO_REAL_DATA=FOLDER make test-data"]
fn real_camera_data_goes_through_the_whole_loop() {
    let files = real_data();
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let [bags, played_bags, run, bundle, heard] =
        ["bags", "played", "run", "bundle", "heard"].map(|name| folder.path().join(name));

    let imported = import(&files, &bags);
    assert_eq!(imported["episodes"], files.len(), "{imported}");
    let part = &files[..files.len().min(PLAYED_FILES)];
    let to_play = import(part, &played_bags);
    let frames = to_play["frames"].as_u64().unwrap();
    assert!(frames > 0, "{to_play}");
    let bag = to_play["bags"][0].as_str().unwrap();

    let training = folder.path().join("training.toml");
    short_training(&training);
    let fit = json(
        trainer(),
        &[
            "fit",
            "--data",
            text(&bags),
            "--config",
            text(&training),
            "--out",
            text(&run),
            "--json",
        ],
    );
    assert_losses_are_finite(&run);
    assert_report_has_gates(&run, &fit, "bridge");
    let export = ["export", text(&run), "--out", text(&bundle)];
    start(trainer(), &export).end(LONG).assert_code(0);
    let manifest = assert_bundle_checks(&bundle);
    let actions = manifest["action"]["scale"].as_array().unwrap().len();

    let robot = folder.path().join("robot.toml");
    robot_configuration(&bundle, &manifest, &robot);
    let network = ["--domain", DOMAIN, "--localhost", "--json"];
    let mut recorder = start(
        latco(),
        &[&["record", "--out", text(&heard)][..], &network].concat(),
    );
    let mut controller = start(
        latco(),
        &[&["run", "--auto", "--config", text(&robot)][..], &network].concat(),
    );
    recorder.says("recording;", LONG);
    controller.says("waiting for images", LONG);
    // The recorded commands are those of the person who moved the arm; here the controller's are wanted.
    let played = json(
        latco(),
        &[
            &["play", bag, "--delay-s", "5"][..],
            &["--topic", topics::CAMERA_IMAGE],
            &["--topic", topics::JOINT_STATES],
            &["--topic", topics::EPISODE],
            &network,
        ]
        .concat(),
    );
    assert_eq!(played["rounds"], 1, "{played}");
    assert_eq!(played["refused"], 0, "{played}");
    assert!(played["messages"].as_u64() > Some(2 * frames), "{played}");
    let controller = controller.stop(LONG).assert_code(0).json();
    let recorder = recorder.stop(LONG).assert_code(0).json();
    eprintln!("{frames} frames played: {played}\ncontroller: {controller}\nrecorder: {recorder}");

    let figure = |name: &str| {
        controller[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} in {controller}"))
    };
    // A busy machine may lose a few pictures, or take two at once.
    let most = |n: u64| n * 8 / 10;
    assert_eq!(figure("images_refused"), 0, "{controller}");
    assert_eq!(figure("joint_states_refused"), 0, "{controller}");
    assert!(figure("images") >= most(frames), "{controller}");
    assert!(figure("joint_states") >= most(frames), "{controller}");
    assert!(figure("plans") >= most(frames), "{controller}");
    assert!(figure("failed_plans") <= frames / 10, "{controller}");
    assert!(figure("commands_sent") >= frames, "{controller}");
    for name in ["plan_ms_p50", "plan_ms_p99", "stamp_to_command_ms_p50"] {
        assert!(
            controller[name].as_f64() > Some(0.0),
            "{name}: {controller}"
        );
    }

    let heard = BagReader::open(&heard).unwrap();
    assert_eq!(heard.damage().count(), 0);
    let plans = finite_arrays(&heard, "latco/plan", None);
    assert!(plans >= most(figure("plans")), "{plans} plans were heard");
    let commands = finite_arrays(&heard, topics::COMMANDS, Some(actions));
    assert!(commands >= frames, "{commands} commands were heard");
}
