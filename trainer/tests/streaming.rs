//! Data larger than the memory for them, and damaged bags among good ones.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use latco_testkit::time::wait;
use latco_trainer::data::DataError;
use latco_trainer::fit::checkpoint::Checkpoint;
use latco_trainer::fit::config::FitConfig;
use latco_trainer::fit::error::RunOptions;
use latco_trainer::fit::run::run;
use latco_trainer::fit::trained::Model;
use latco_trainer::source::{self, Source, read, read_within};

use support::{collect, latco_train, text};

const CONFIG: &str = r#"
    held_out = 0.1
    horizon = 4
    [data]
    memory_mb = 1
    [autoencoder]
    steps = 6
    batch = 8
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
    checkpoint_steps = 3
"#;

fn train(config: &FitConfig, source: &Source, out: PathBuf) -> Checkpoint {
    let options = RunOptions {
        out,
        resume: false,
        seed: 5,
        held_out: &source.held_out,
        base: None,
        device: latco_trainer::rssm::device::cpu(),
        stop: &AtomicBool::new(false),
    };
    run(config, &source.facts, &source.train, &options).unwrap()
}

#[test]
fn ten_times_the_memory_trains_as_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let bags = folder.path().join("bags");
    collect(&bags, 70);
    let limit = 1_000_000;
    for mirror in [false, true] {
        let mut config = FitConfig::parse(CONFIG).unwrap();
        config.data.mirror = mirror;
        if mirror {
            // Codes of twice as many frames.
            config.data.memory_mb = 2;
        }
        let limit = limit * config.data.memory_mb;
        let out = folder.path().join(format!("streamed-{mirror}"));
        let bags = [bags.clone()];
        let streamed = read_within(&bags, &[], &config, &out).unwrap();
        let whole = read(&bags, &[], &config).unwrap();
        let images = 70 * 50 * 32 * 32 * 3;
        if !mirror {
            assert!(images > 10 * limit, "{images}");
        }
        assert!(streamed.train.is_set_aside() && streamed.held_out.is_set_aside());
        assert!(!whole.train.is_set_aside());
        let held = source::trained_on(&streamed, &config);
        assert!(held <= limit, "{held} of {limit}");
        assert!(source::trained_on(&whole, &config) > images);
        // Among these the hash of all images.
        assert_eq!(streamed.facts, whole.facts);
        assert_eq!(streamed.train.starts, whole.train.starts);
        assert_eq!(streamed.held_out.starts, whole.held_out.starts);

        let from_disk = train(&config, &streamed, out.clone());
        let memory = folder.path().join(format!("whole-{mirror}"));
        let from_memory = train(&config, &whole, memory.clone());
        assert_eq!(from_disk.params, from_memory.params);
        assert_eq!(from_disk.autoencoder, from_memory.autoencoder);
        let losses = |run: &Path| std::fs::read_to_string(run.join("losses.csv")).unwrap();
        assert_eq!(losses(&out), losses(&memory));
        let model = Model::of(&from_disk);
        assert_eq!(
            model.codes(&streamed.held_out).unwrap(),
            model.codes(&whole.held_out).unwrap()
        );
    }
}

#[test]
fn a_limit_below_what_must_be_in_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bags = folder.path().join("bags");
    collect(&bags, 70);
    let mut config = FitConfig::parse(CONFIG).unwrap();
    config.autoencoder.code = 200;
    let error = read_within(&[bags], &[], &config, folder.path()).err();
    match error {
        Some(DataError::Memory { needed, found: 1 }) => assert!((3..6).contains(&needed)),
        other => panic!("{other:?}"),
    }
}

/// Largest resident memory of a training run, kB.
fn peak_memory(data: &Path, config: &Path, out: &Path) -> usize {
    let arguments = ["fit", "--data", text(data), "--config", text(config)];
    let mut child = latco_train(&[&arguments[..], &["--out", text(out)]].concat())
        .spawn()
        .unwrap();
    let mut peak = 0;
    loop {
        // Rises only, so that what is missed between two looks at it is in the next.
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let line = status.unwrap_or_default();
        let line = line.lines().find(|line| line.starts_with("VmHWM:"));
        let found = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        peak = peak.max(found.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return peak;
        }
        wait(Duration::from_millis(5));
    }
}

#[test]
fn the_process_stays_within_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let [small, large, limited, unlimited] =
        ["small", "large", "limited.toml", "unlimited.toml"].map(|name| folder.path().join(name));
    collect(&small, 20);
    collect(&large, 680);
    let config = |memory: usize| CONFIG.replace("memory_mb = 1", &format!("memory_mb = {memory}"));
    std::fs::write(&limited, config(10)).unwrap();
    std::fs::write(&unlimited, config(0)).unwrap();
    let out = |name: &str| folder.path().join(name);
    let base = peak_memory(&small, &limited, &out("a"));
    let streamed = peak_memory(&large, &limited, &out("b"));
    let whole = peak_memory(&large, &unlimited, &out("c"));
    eprintln!("peak kB: {base} small, {streamed} streamed, {whole} whole");
    assert!(streamed < base + 25_000, "{streamed} kB after {base} kB");
    assert!(whole > base + 95_000, "{whole} kB after {base} kB");
}

/// The recordings in the bags of a folder.
fn recordings(bags: &Path) -> Vec<PathBuf> {
    let children = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    };
    children(bags)
        .into_iter()
        .filter(|path| path.is_dir())
        .flat_map(|bag| children(&bag))
        .filter(|file| file.extension().is_some_and(|end| end == "mcap"))
        .collect()
}

#[test]
fn a_damaged_bag_is_named_and_the_rest_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let [bags, config, run] = ["bags", "config.toml", "run"].map(|name| folder.path().join(name));
    for (index, name) in ["whole", "nonsense", "cut", "last"].into_iter().enumerate() {
        let one = folder.path().join(name);
        collect(&one, 5);
        let recording = recordings(&one).remove(0);
        let to = bags.join(format!("{index}-{name}"));
        std::fs::create_dir_all(&to).unwrap();
        std::fs::rename(recording, to.join("data.mcap")).unwrap();
    }
    // One that is no recording at all, and one that a full disk or a power cut left behind.
    std::fs::write(bags.join("1-nonsense/data.mcap"), b"not a recording").unwrap();
    let cut = bags.join("2-cut/data.mcap");
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
    std::fs::write(&config, CONFIG).unwrap();

    let arguments = ["fit", "--data", text(&bags), "--config", text(&config)];
    let output = latco_train(&[&arguments[..], &["--out", text(&run), "--json"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let markdown = std::fs::read_to_string(run.join("report.md")).unwrap();
    let problems: Vec<&str> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p.as_str().unwrap())
        .collect();
    let names = |text: &str, bag: &str| text.contains(bag);
    for bag in ["1-nonsense", "2-cut"] {
        assert!(names(&log, bag), "{bag} in the log: {log}");
        assert!(
            problems.iter().any(|p| names(p, bag)),
            "{bag}: {problems:?}"
        );
        assert!(names(&markdown, bag), "{bag} in {markdown}");
    }
    for bag in ["0-whole", "3-last"] {
        assert!(
            !problems.iter().any(|p| names(p, bag)),
            "{bag}: {problems:?}"
        );
    }
    // All of two bags and a part of the third.
    let episodes =
        report["train_episodes"].as_u64().unwrap() + report["held_out_episodes"].as_u64().unwrap();
    assert!((11..15).contains(&episodes), "{episodes} episodes");
}
