//! Gates in the manifest: what is said about them, and writing them into a bundle.
#![allow(clippy::unwrap_used)]

mod support;

use latco_models::gates::{
    self, EXPERT_PREDICTED_REWARD, OBJECT_POSITION_ERROR, OPEN_LOOP_JOINT_ERROR,
    OPEN_LOOP_REWARD_AUC, PLAN_CALIBRATION, POSTERIOR_REWARD_AUC, RULES, Rule,
};
use latco_models::{Manifest, read_manifest};
use support::Fixture;

fn with(manifest: &Manifest, gates: &[(Rule, Option<f64>)]) -> Manifest {
    let gates = gates
        .iter()
        .map(|(rule, value)| (rule.name.to_owned(), rule.gate(*value, "")))
        .collect();
    Manifest {
        gates,
        ..manifest.clone()
    }
}

fn manifest() -> Manifest {
    read_manifest(Fixture::keypoint().dir()).unwrap()
}

#[test]
fn what_failed_and_what_is_missing_is_named() {
    let base = manifest();
    let manifest = with(
        &base,
        &[
            (POSTERIOR_REWARD_AUC, Some(0.995)),
            (OPEN_LOOP_REWARD_AUC, Some(0.853)),
            (OPEN_LOOP_JOINT_ERROR, Some(0.05)),
            (OBJECT_POSITION_ERROR, Some(0.22)),
            (EXPERT_PREDICTED_REWARD, Some(f64::NAN)),
        ],
    );
    let found = gates::shortcomings(&manifest);
    assert_eq!(found.len(), 4, "{found:?}");
    for (line, part) in found.iter().zip([
        "open_loop_reward_auc failed: 0.853, needed >= 0.95",
        "object_position_error failed: 0.220, needed <= 0.03",
        "expert_predicted_reward was not measured",
        "plan_calibration was not measured",
    ]) {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert_eq!(gates::lines(&manifest).len(), RULES.len());

    let all: Vec<_> = RULES.iter().map(|r| (*r, Some(r.threshold))).collect();
    assert_eq!(
        gates::shortcomings(&with(&base, &all)),
        Vec::<String>::new()
    );
}

#[test]
fn the_table_has_a_column_for_every_bundle_and_names_what_failed() {
    let base = manifest();
    let good: Vec<_> = RULES.iter().map(|r| (*r, Some(r.threshold))).collect();
    let table = gates::markdown(&[
        ("reach".into(), with(&base, &good)),
        (
            "push".into(),
            with(&base, &[(PLAN_CALIBRATION, Some(0.25))]),
        ),
    ]);
    for part in [
        "| gate | needed | reach | push |\n|---|---|---|---|\n",
        "| plan_calibration | >= 0.5 | 0.500 | **0.250** |",
        "| posterior_reward_auc | >= 0.99 | 0.990 | not measured |",
        "Failing: plan_calibration of push.\n",
    ] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
}

#[test]
fn gates_are_replaced_and_the_bundle_still_loads() {
    let bundle = Fixture::keypoint();
    let before = read_manifest(bundle.dir()).unwrap();
    let files = || std::fs::read_dir(bundle.dir()).unwrap().count();
    let count = files();
    let gates = with(
        &before,
        &[(PLAN_CALIBRATION, Some(0.9)), (POSTERIOR_REWARD_AUC, None)],
    )
    .gates;
    gates::write(bundle.dir(), gates.clone()).unwrap();
    assert_eq!(files(), count, "no part file is left");
    let after = bundle.load().unwrap().manifest().clone();
    assert_eq!(after.gates, gates);
    assert_eq!(
        Manifest {
            gates: before.gates.clone(),
            ..after
        },
        before
    );
}

#[test]
fn contradictory_gates_are_refused() {
    let bundle = Fixture::keypoint();
    bundle.edit_manifest(|manifest| {
        let mut gate = PLAN_CALIBRATION.gate(Some(0.9), "");
        gate.value = None;
        manifest.gates.insert("plan_calibration".into(), gate);
    });
    let mismatches = bundle.refused();
    assert!(
        mismatches
            .iter()
            .any(|m| m.contains("gates.plan_calibration")),
        "{mismatches:?}"
    );
}
