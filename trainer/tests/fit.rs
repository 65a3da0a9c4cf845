//! Training runs on a few simulated episodes: resuming, export and parity with ONNX Runtime.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use latco_envs::PolicyKind;
use latco_trainer::export::export;
use latco_trainer::fit::checkpoint::{Checkpoint, DataFacts, Stage};
use latco_trainer::fit::config::FitConfig;
use latco_trainer::fit::dataset::Frames;
use latco_trainer::fit::run::{RunError, RunOptions, run};
use latco_trainer::rssm::model::Model;

const TWO_STAGE: &str = r#"
    horizon = 4
    [autoencoder]
    steps = 4
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

const PLANET: &str = r#"
    recipe = "planet"
    horizon = 4
    [model]
    stoch = 4
    deter = 8
    hidden = 12
    units = 10
    [training]
    steps = 2
    batch = 2
    sequence = 3
"#;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("latco-fit-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn episodes(count: u64, steps: usize, size: usize) -> (Frames, DataFacts) {
    let mut robot = latco_envs::make("reach", size).unwrap();
    let mut policy = PolicyKind::Mixture.make();
    let mut frames = Frames::new(size, size, 6, 3);
    for seed in 0..count {
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        let (mut images, mut joints) = (Vec::new(), Vec::new());
        let (mut actions, mut rewards) = (Vec::new(), Vec::new());
        for _ in 0..steps {
            let mut image = vec![0; size * size * 3];
            robot.render(&mut image);
            images.extend(image);
            let mut now = vec![0.0; 6];
            robot.write_joints(&mut now);
            joints.extend(now);
            rewards.push(robot.reward() as f32);
            let mut action = vec![0.0; 3];
            policy.act(robot.as_ref(), &mut action);
            robot.step(&action);
            actions.extend(action);
        }
        frames.push(&images, &joints, &actions, &rewards);
    }
    let limits = robot.limits();
    let mut facts = DataFacts {
        task: "reach".to_owned(),
        control_period_s: robot.control_period_s(),
        height: size,
        width: size,
        action_scale: robot.action_scale().iter().map(|s| *s as f32).collect(),
        joint_names: robot
            .joint_names()
            .iter()
            .map(|n| (*n).to_owned())
            .collect(),
        position_lower_rad: limits.iter().map(|l| l.lower_rad).collect(),
        position_upper_rad: limits.iter().map(|l| l.upper_rad).collect(),
        velocity_limit_rad_s: limits.iter().map(|l| l.velocity_rad_s).collect(),
        ..DataFacts::default()
    };
    (facts.joints_mean, facts.joints_std) = frames.joints_statistics();
    (frames, facts)
}

fn go(
    config: &str,
    out: &Path,
    resume: bool,
    stop: bool,
    data: &(Frames, DataFacts),
) -> Result<Checkpoint, RunError> {
    let stop = AtomicBool::new(stop);
    let options = RunOptions {
        out: out.to_owned(),
        resume,
        seed: 3,
        base: None,
        stop: &stop,
    };
    run(
        &FitConfig::parse(config).unwrap(),
        &data.1,
        &data.0,
        &options,
    )
}

#[test]
fn a_run_stopped_after_every_step_equals_an_uninterrupted_one() {
    let data = episodes(4, 10, 32);
    let (whole, parts) = (Folder::new("whole"), Folder::new("parts"));
    let expected = go(TWO_STAGE, &whole.0, false, false, &data).unwrap();
    assert_eq!(expected.stage, Stage::Done);

    let mut found = go(TWO_STAGE, &parts.0, false, true, &data).unwrap();
    let mut calls = 1;
    while found.stage != Stage::Done {
        found = go(TWO_STAGE, &parts.0, true, true, &data).unwrap();
        calls += 1;
        assert!(calls < 20, "every call does a step");
    }
    assert!(calls > 8, "the run was interrupted {calls} times");
    assert_eq!(found.params, expected.params);
    assert_eq!(found.average, expected.average);
    let losses = |folder: &Folder| std::fs::read_to_string(folder.0.join("losses.csv")).unwrap();
    assert_eq!(losses(&parts), losses(&whole));
}

#[test]
fn a_run_goes_on_from_another_with_recent_episodes() {
    let mut data = episodes(4, 10, 32);
    let (first, second) = (Folder::new("first"), Folder::new("second"));
    let base = go(TWO_STAGE, &first.0, false, false, &data).unwrap();
    data.0.append(&episodes(2, 10, 32).0);
    data.0.recent_episodes = 2;
    let from = |config: &str, base: &Checkpoint| {
        let options = RunOptions {
            out: second.0.clone(),
            resume: false,
            seed: 3,
            base: Some(base),
            stop: &AtomicBool::new(false),
        };
        run(
            &FitConfig::parse(config).unwrap(),
            &data.1,
            &data.0,
            &options,
        )
    };
    let message = from(&TWO_STAGE.replace("deter = 8", "deter = 9"), &base)
        .unwrap_err()
        .to_string();
    assert!(message.contains("model: expected"), "{message}");
    let mut stopped = base.clone();
    stopped.stage = Stage::World;
    let message = from(TWO_STAGE, &stopped).unwrap_err().to_string();
    assert!(message.contains("expected a finished run"), "{message}");

    let refined = from(TWO_STAGE, &base).unwrap();
    assert_eq!(refined.stage, Stage::Done);
    assert_eq!(refined.autoencoder, base.autoencoder);
    assert_ne!(refined.params, base.params);
}

#[test]
fn a_run_is_not_overwritten_nor_resumed_with_another_configuration() {
    let data = episodes(3, 8, 32);
    let folder = Folder::new("again");
    assert!(matches!(
        go(TWO_STAGE, &folder.0, true, true, &data),
        Err(RunError::NothingToResume(_))
    ));
    go(TWO_STAGE, &folder.0, false, true, &data).unwrap();
    assert!(matches!(
        go(TWO_STAGE, &folder.0, false, true, &data),
        Err(RunError::Exists(_))
    ));
    let other = TWO_STAGE.replace("deter = 8", "deter = 9");
    let message = go(&other, &folder.0, true, true, &data)
        .unwrap_err()
        .to_string();
    assert!(message.contains("configuration"), "{message}");
}

#[test]
fn sequences_longer_than_the_episodes_are_refused() {
    let data = episodes(2, 5, 32);
    let message = go(TWO_STAGE, &Folder::new("short").0, false, false, &data)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("training.sequence") && message.contains("5 frames"),
        "{message}"
    );
}

#[test]
fn the_two_stage_model_agrees_with_onnx_runtime_on_every_graph() {
    let data = episodes(4, 10, 32);
    let folder = Folder::new("two-stage");
    let model = Model::of(&go(TWO_STAGE, &folder.0, false, false, &data).unwrap());
    let worst = export(&model, &[], &folder.0.join("bundle")).unwrap();
    assert!(worst <= 1e-4, "{worst}");
}

#[test]
fn the_planet_model_agrees_with_onnx_runtime_on_every_graph() {
    let mut data = episodes(2, 4, 64);
    for joints in [false, true] {
        let config = if joints {
            PLANET.replace("[model]", "[model]\njoints = true")
        } else {
            PLANET.to_owned()
        };
        if !joints {
            data.1.joints_mean.clear();
            data.1.joints_std.clear();
        } else {
            (data.1.joints_mean, data.1.joints_std) = data.0.joints_statistics();
        }
        let folder = Folder::new(if joints { "planet-joints" } else { "planet" });
        let model = Model::of(&go(&config, &folder.0, false, false, &data).unwrap());
        let worst = export(&model, &[], &folder.0.join("bundle")).unwrap();
        assert!(worst <= 1e-4, "{worst}");
    }
}
