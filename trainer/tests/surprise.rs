//! Surprise through the program: calibrated, written into the manifest, tried, and in the bundles of this repository.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::Path;
use std::process::{Output, Stdio};

use latco_models::{read_manifest, surprise::shortcoming};
use serde_json::Value;
use support::{collect, latco_train, random_bundle};

fn trainer(arguments: &[&str]) -> Output {
    let mut command = latco_train(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn message(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    text(&output.stderr)
}

#[test]
fn surprise_is_calibrated_written_and_tried_on_the_simulated_robot() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("random");
    random_bundle(&bundle, "reach");
    let path = bundle.to_str().unwrap();

    let refused = message(&trainer(&["surprise", "--bundle", path]));
    assert!(refused.contains("not calibrated"), "{refused}");

    let calibrate = [
        "surprise",
        "--calibrate",
        "--bundle",
        path,
        "--hours",
        "0.5",
    ];
    let calibrated = trainer(&[&calibrate[..], &["--json"]].concat());
    assert!(calibrated.status.success(), "{calibrated:?}");
    let log = text(&calibrated.stderr);
    assert!(log.contains("does not stop the robot"), "{log}");
    let json: Value = serde_json::from_slice(&calibrated.stdout).unwrap();
    let written = read_manifest(&bundle).unwrap().surprise.unwrap();
    let told = json["bundles"][0]["surprise"].clone();
    assert_eq!(written, serde_json::from_value(told).unwrap());
    // 512 episodes of 5 s, a quarter of them for the weights.
    assert_eq!((written.episodes, written.hours), (384, 0.53333));
    assert!(!written.may_stop());
    // 1 - 0.05^(1/384), 720 episodes an hour.
    assert!(
        (written.false_stops_per_hour - 5.595).abs() < 1e-3,
        "{written:?}"
    );
    assert_eq!(written.weights.len(), 4);

    let again = trainer(&calibrate);
    assert!(
        text(&again.stdout).contains("| slow above | stop above |"),
        "{again:?}"
    );
    assert_eq!(read_manifest(&bundle).unwrap().surprise.unwrap(), written);

    let tried = trainer(&[
        "surprise", "--bundle", path, "--hours", "0.05", "--faulty", "5", "--json",
    ]);
    assert!(tried.status.success(), "{tried:?}");
    let json: Value = serde_json::from_slice(&tried.stdout).unwrap();
    assert_eq!(json["rows"][0]["tried_per_fault"], 5);
    assert_eq!(json["rows"][1]["threshold_kind"], "fixed");
    assert!(json["rows"][0]["caught"]["black"].is_number(), "{json}");
}

#[test]
fn bags_calibrate_and_too_few_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("robot");
    random_bundle(&bundle, "a-real-robot");
    let path = bundle.to_str().unwrap();
    let refused = message(&trainer(&["surprise", "--calibrate", "--bundle", path]));
    assert!(
        refused.contains("a-real-robot") && refused.contains("--data"),
        "{refused}"
    );

    let calibrate = |episodes: usize| {
        let bags = folder.path().join(episodes.to_string());
        collect(&bags, episodes);
        let bags = bags.to_str().unwrap();
        let alone = message(&trainer(&["surprise", "--bundle", path, "--data", bags]));
        assert!(alone.contains("expected --calibrate beside it"), "{alone}");
        trainer(&["surprise", "--calibrate", "--bundle", path, "--data", bags])
    };
    let few = message(&calibrate(8));
    assert!(few.contains("at least 20 episodes"), "{few}");
    assert_eq!(read_manifest(&bundle).unwrap().surprise, None);
    assert!(calibrate(24).status.success());
    let surprise = read_manifest(&bundle).unwrap().surprise.unwrap();
    assert_eq!(
        (surprise.episodes, surprise.source.as_str()),
        (18, "held-out episodes")
    );
}

#[test]
fn the_bundles_of_this_repository_may_stop_a_robot() {
    let bundles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bundles");
    let mut seen = 0;
    for entry in std::fs::read_dir(bundles).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() {
            let manifest = read_manifest(&folder).unwrap();
            // Of simulators of others hours of driving take hours.
            if latco_envs::TASKS.contains(&&*manifest.task) {
                let lacking = shortcoming(manifest.surprise.as_ref());
                assert_eq!(lacking, None, "{}", folder.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 7, "{seen}");
}
