//! Training through the program, killed at random moments.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chacha20::ChaCha8Rng;
use latco_testkit::time::wait;
use latco_trainer::fit::checkpoint::{Checkpoint, Stage};
use rand::{RngExt, SeedableRng};

use support::{collect, latco_train, text};

/// Steps of either stage.
const STEPS: usize = 120;
/// Kills in either stage.
const KILLS: usize = 4;
/// For anything that ends by itself.
const LONG: Duration = Duration::from_secs(300);

const CONFIG: &str = r#"
    held_out = 0.2
    horizon = 4
    [data]
    mirror = true
    [autoencoder]
    steps = 120
    batch = 16
    patience = 50
    [model]
    stoch = 8
    deter = 24
    hidden = 32
    units = 32
    [training]
    steps = 120
    batch = 16
    sequence = 12
    rollout_steps = 4
    normalise_reward = true
    patience = 50
    checkpoint_steps = 7
"#;

/// The last step that was recorded of a stage.
fn recorded(run: &Path, stage: &str) -> usize {
    let losses = std::fs::read_to_string(run.join("losses.csv")).unwrap_or_default();
    let steps = losses.lines().filter_map(|line| {
        let mut fields = line.split(',');
        (fields.next() == Some(stage)).then(|| fields.next()?.parse().ok())?
    });
    steps.max().unwrap_or(0)
}

/// Lets it run until a step of a stage is recorded and a little longer, and kills it.
fn kill_after(mut child: Child, run: &Path, stage: &str, step: usize, longer: Duration) {
    let deadline = Instant::now() + LONG;
    while recorded(run, stage) < step {
        let ended = child.try_wait().unwrap();
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "{stage} {step} was not reached: {ended:?}"
        );
        wait(Duration::from_millis(2));
    }
    wait(longer);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_killed_at_random_moments_ends_with_the_same_losses_and_weights() {
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64;
    eprintln!("the moments are those of seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let [bags, config, whole, killed] =
        ["bags", "config.toml", "whole", "killed"].map(|name| folder.path().join(name));
    collect(&bags, 10);
    std::fs::write(&config, CONFIG).unwrap();
    let fit = |out: &Path, resume: bool| {
        let arguments = ["fit", "--data", text(&bags), "--config", text(&config)];
        let mut command = latco_train(&arguments);
        command.args(["--out", text(out)]);
        if resume {
            command.arg("--resume");
        }
        command.spawn().unwrap()
    };
    assert!(fit(&whole, false).wait().unwrap().success());

    // While it reads the bags or takes its first steps.
    let mut child = fit(&killed, false);
    wait(Duration::from_millis(rng.random_range(0..150)));
    child.kill().unwrap();
    child.wait().unwrap();

    for stage in ["autoencoder", "world"] {
        let mut moments: Vec<usize> = (0..KILLS).map(|_| rng.random_range(1..STEPS)).collect();
        moments.sort_unstable();
        for step in moments {
            let child = fit(&killed, Checkpoint::exists(&killed));
            let longer = Duration::from_millis(rng.random_range(0..60));
            kill_after(child, &killed, stage, step, longer);
            let stage_of = |stage| match stage {
                Stage::Autoencoder => "autoencoder",
                Stage::World => "world",
                Stage::Done => "done",
            };
            if Checkpoint::exists(&killed) {
                let found = Checkpoint::load(&killed).unwrap();
                eprintln!(
                    "killed after {stage} {step} and {longer:?}: {} {}",
                    stage_of(found.stage),
                    found.step
                );
            }
        }
    }
    assert!(fit(&killed, true).wait().unwrap().success());

    let read = |run: &Path, file: &str| std::fs::read(run.join(file)).unwrap();
    let losses = |run: &Path| String::from_utf8(read(run, "losses.csv")).unwrap();
    assert_eq!(losses(&killed), losses(&whole));
    let (found, expected) = (
        Checkpoint::load(&killed).unwrap(),
        Checkpoint::load(&whole).unwrap(),
    );
    assert_eq!(found.stage, Stage::Done);
    assert_eq!(found.params, expected.params);
    assert_eq!(found.autoencoder, expected.autoencoder);
    for graph in ["observe", "dynamics", "reward", "rollout", "decode"] {
        let file = format!("bundle/{graph}.onnx");
        assert!(read(&killed, &file) == read(&whole, &file), "{file}");
    }
}
