//! The gates through the program: measured on a bundle, written into its manifest, and spoken of where it is used.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::process::{Command, Output};

use latco_models::gates::{PLAN_CALIBRATION, POSTERIOR_REWARD_AUC, RULES};
use latco_models::{Bundle, read_manifest};
use serde_json::Value;
use support::random_bundle;

fn trainer(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latco-train"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn gates_of_a_simulated_task_are_measured_written_and_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("random");
    random_bundle(&bundle, "reach");
    let path = bundle.to_str().unwrap();

    // Without measuring, everything is open, and using the bundle says so.
    let table = trainer(&["gates", "--bundle", path]);
    assert!(table.status.success(), "{table:?}");
    let rows = text(&table.stdout);
    assert_eq!(rows.matches("not measured").count(), RULES.len(), "{rows}");
    let eval = [
        "eval",
        "--bundle",
        path,
        "--task",
        "reach",
        "--episodes",
        "1",
        "--json",
    ];
    let log = text(&trainer(&eval).stderr);
    assert!(
        log.contains("gate plan_calibration was not measured"),
        "{log}"
    );

    let measured = trainer(&["gates", "--measure", "--bundle", path, "--json"]);
    assert!(measured.status.success(), "{measured:?}");
    let json: Value = serde_json::from_slice(&measured.stdout).unwrap();
    assert_eq!(json["bundles"][0]["name"], "random");

    let loaded = Bundle::load(&bundle, &Default::default()).unwrap();
    let gates = &loaded.manifest().gates;
    assert_eq!(gates.len(), RULES.len(), "{gates:?}");
    let posterior = &gates[POSTERIOR_REWARD_AUC.name];
    assert_eq!(
        posterior.passed,
        Some(false),
        "random weights see nothing: {posterior:?}"
    );
    for name in [
        "open_loop_joint_error_rad",
        "object_position_error",
        "expert_predicted_reward",
    ] {
        assert!(gates[name].value.is_some(), "{name}: {gates:?}");
    }
    let calibration = &gates[PLAN_CALIBRATION.name];
    assert!(
        calibration.note.contains("200 plans of latco"),
        "{calibration:?}"
    );

    let log = text(&trainer(&eval).stderr);
    assert!(log.contains("gate posterior_reward_auc failed"), "{log}");
    let table = text(&trainer(&["gates", "--bundle", path, path]).stdout);
    assert!(
        table.contains("| gate | needed | random | random |"),
        "{table}"
    );
    assert!(
        table.contains("Failing: posterior_reward_auc of random"),
        "{table}"
    );
}

#[test]
fn what_cannot_be_measured_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("robot");
    random_bundle(&bundle, "a-real-robot");
    let path = bundle.to_str().unwrap();
    let refused = trainer(&["gates", "--measure", "--bundle", path]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let message = text(&refused.stderr);
    assert!(
        message.contains("a-real-robot") && message.contains("--data"),
        "{message}"
    );

    let bags = folder.path().join("bags");
    let bags = bags.to_str().unwrap();
    let collect = [
        "collect",
        "--task",
        "reach",
        "--episodes",
        "8",
        "--image-size",
        "32",
        "--out",
        bags,
    ];
    assert!(trainer(&collect).status.success());
    let measured = trainer(&["gates", "--measure", "--bundle", path, "--data", bags]);
    assert!(measured.status.success(), "{measured:?}");
    let gates = read_manifest(&bundle).unwrap().gates;
    assert!(
        gates[POSTERIOR_REWARD_AUC.name].value.is_some(),
        "{gates:?}"
    );
    let calibration = &gates[PLAN_CALIBRATION.name];
    assert_eq!(calibration.value, None);
    assert!(
        calibration
            .note
            .contains("not measured: the task is not a simulated one"),
        "{calibration:?}"
    );
}
