//! Faults that robot and controller inject themselves.

use std::time::Duration;

use crate::common::{Latco, configuration, my_turn};

const LONG: Duration = Duration::from_secs(90);

#[test]
fn injected_faults_strike_are_counted_and_are_said() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let faults = folder.path().join("faults.toml");
    let text = "[[fault]]\nkind = \"delay_frames\"\namount = 20\n[[fault]]\nkind = \"nan_planner\"\nprobability = 0.2\n";
    std::fs::write(&faults, text).unwrap();
    let config = config.to_str().unwrap();
    let faults = faults.to_str().unwrap();
    let ends = ["--domain", "88", "--localhost", "--json"];
    let run = ["run", "--auto", "--config", config, "--inject", faults];
    let controller = Latco::start(&[&run[..], &ends].concat());
    let sim =
        "sim --episodes 1 --image-size 32 --drop-frames 0.3 --nan-joints 0.05 --freeze-image 1s@1s";
    let sim: Vec<&str> = sim.split(' ').collect();
    let robot = Latco::run(&[&sim[..], &ends].concat(), LONG);
    let said = robot.stderr.clone();
    let robot = robot.assert_code(0).json();
    let struck = |of: &serde_json::Value, name: &str| of["injected"][name].as_u64().unwrap_or(0);
    for name in ["drop_frames", "nan_joints", "freeze_image"] {
        assert!(struck(&robot, name) > 1, "{name}: {robot}");
        let line = format!("a fault is injected: {name}");
        assert_eq!(said.matches(&line).count(), 1, "{said}");
    }
    controller.terminate();
    let controller = controller.end(LONG);
    let said = controller.stderr.clone();
    let controller = controller.assert_code(0).json();
    assert!(struck(&controller, "delay_frames") > 5, "{controller}");
    assert!(
        controller["failed_plans"].as_u64() > Some(0),
        "{controller}"
    );
    assert!(
        controller["joint_states_refused"].as_u64() > Some(1),
        "{controller}"
    );
    assert!(said.contains("faults are injected on purpose"), "{said}");
    assert!(said.contains("a fault is injected: nan_planner"), "{said}");
}

#[test]
fn faults_that_cannot_be_are_refused() {
    let refused = |arguments: &[&str], parts: &[&str]| {
        let ended = Latco::run(arguments, LONG);
        ended.assert_code(2);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
    };
    refused(
        &["sim", "--drop-frames", "often"],
        &["--drop-frames", "found often"],
    );
    refused(
        &["sim", "--occlude", "2"],
        &["occlude_image", "0e0 to 1e0", "found 2"],
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faults.toml");
    let faults = "[[fault]]\nkind = \"panic_planner\"\n[[fault]]\nkind = \"panic_model\"\n";
    std::fs::write(&file, faults).unwrap();
    let file = file.to_str().unwrap();
    refused(
        &["sim", "--inject", file],
        &["panic_planner", "panic_model", "latco run --inject"],
    );
    let config = configuration(folder.path(), "");
    let nowhere = [
        "run",
        "--config",
        config.to_str().unwrap(),
        "--inject",
        "/nowhere.toml",
    ];
    refused(&nowhere, &["cannot read the faults /nowhere.toml"]);
}
