//! Online runs through the program: to the end, killed on the way, and with a collector elsewhere.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use latco_models::Bundle;
use serde_json::Value;

/// For anything that ends by itself; far more than it takes, for a machine with other things to do.
const LONG: Duration = Duration::from_secs(300);

const TINY: &str = r#"
    horizon = 4
    held_out = 0.1
    [online]
    seed_episodes = 6
    episodes = 18
    hours = 1
    steps_per_episode = 2
    round_episodes = 4
    recent_episodes = 6
    renew_at = [12]
    [data]
    image_size = 32
    [autoencoder]
    steps = 6
    batch = 4
    [model]
    stoch = 4
    deter = 8
    hidden = 12
    units = 10
    [training]
    steps = 6
    batch = 4
    sequence = 6
    rollout_steps = 3
    checkpoint_steps = 2
"#;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Already dead in a test that passed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    let config = folder.join("tiny.toml");
    std::fs::write(&config, TINY).unwrap();
    Command::new(env!("CARGO_BIN_EXE_latco-train"))
        .args(["online", "--task", "reach", "--json", "--config"])
        .arg(config)
        .arg("--out")
        .arg(folder.join("run"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the program prints when it ended well.
fn summary(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Episodes that were handed over completely.
fn episodes(exchange: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(exchange.join("episodes"))
        .into_iter()
        .flatten();
    let folders = entries.map(|entry| entry.unwrap().path());
    let complete = folders.filter(|folder| folder.join("metadata.yaml").exists());
    complete
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn curve_names(run: &Path) -> Vec<String> {
    let curve = std::fs::read_to_string(run.join("curve.csv")).unwrap();
    let names = curve
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap().to_owned());
    names.collect()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < LONG, "{what} did not happen");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn assert_complete(run: &Path, exchange: &Path, summary: &Value) {
    assert_eq!(summary["ended"], true, "{summary}");
    let found = summary["episodes"].as_u64().unwrap() as usize;
    assert!((18..=20).contains(&found), "{summary}");
    let names = curve_names(run);
    assert_eq!(names.len(), found);
    assert_eq!(
        names.into_iter().collect::<BTreeSet<_>>(),
        episodes(exchange)
    );
    // Anew at 6 and from 12 on; every other round goes on.
    assert!(summary["rounds"].as_u64().unwrap() >= 3, "{summary}");
    let curve = std::fs::read_to_string(run.join("curve.csv")).unwrap();
    assert!(curve.contains("planner latco noise 0.3"), "{curve}");
    let plot = image::open(run.join("curve.png")).unwrap();
    assert!(plot.width() > 600);
    let bundle = Bundle::load(run.join("bundle"), &Default::default()).unwrap();
    assert_eq!(
        bundle.manifest().gates.len(),
        latco_models::gates::RULES.len()
    );
}

#[test]
fn a_killed_run_goes_on_and_loses_no_episode_that_was_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let exchange = run.join("exchange");
    let mut kept = BTreeSet::new();
    // While seeds are collected, while the first round trains, and while the planner collects.
    let there_are = |count: usize| episodes(&exchange).len() >= count;
    for what in ["two episodes", "a checkpoint", "ten episodes"] {
        let mut child = Killed(start(folder.path(), &["--collectors", "2"]));
        until(what, || {
            if let Some(status) = child.0.try_wait().unwrap() {
                panic!("ended with {status} before {what}");
            }
            match what {
                "two episodes" => there_are(2),
                "a checkpoint" => run.join("rounds/0001/checkpoint.postcard").exists(),
                _ => there_are(10),
            }
        });
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        let there = episodes(&exchange);
        assert!(kept.is_subset(&there), "{what}: {kept:?}, {there:?}");
        kept = there;
    }
    let done = summary(start(folder.path(), &["--collectors", "2"]));
    assert!(kept.is_subset(&episodes(&exchange)));
    assert_complete(&run, &exchange, &done);

    // A run that is at its end stays there, and is not mixed with another.
    assert_eq!(
        summary(start(folder.path(), &[]))["episodes"],
        done["episodes"]
    );
    let other = start(folder.path(), &["--seed", "5"])
        .wait_with_output()
        .unwrap();
    let message = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(2), "{message}");
    assert!(message.contains("another seed"), "{message}");
}

#[test]
fn collectors_elsewhere_and_offline_bags_feed_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (bags, exchange) = (path("bags"), path("exchange"));
    support::collect(Path::new(&bags), 5);
    let trainer = start(
        folder.path(),
        &[
            "--collectors",
            "0",
            "--exchange",
            &exchange,
            "--data",
            &bags,
        ],
    );
    let collector = Command::new(env!("CARGO_BIN_EXE_latco-train"))
        .args(["collector", "--name", "far-away", "--exchange", &exchange])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let done = summary(trainer);
    // It ends with the run.
    let collector = collector.wait_with_output().unwrap();
    let log = String::from_utf8(collector.stderr).unwrap();
    assert!(collector.status.success(), "{log}");
    assert!(log.contains("18 episodes handed over"), "{log}");
    assert_complete(&folder.path().join("run"), &PathBuf::from(exchange), &done);
}
