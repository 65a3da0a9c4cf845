//! Training runs on a few simulated episodes: resuming, export and parity with ONNX Runtime.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use latco_trainer::export::export;
use latco_trainer::fit::checkpoint::{Checkpoint, DataFacts, Stage};
use latco_trainer::fit::config::FitConfig;
use latco_trainer::fit::dataset::Frames;
use latco_trainer::fit::error::{RunError, RunOptions};
use latco_trainer::fit::run::run;
use latco_trainer::fit::trained::Model;
use latco_trainer::tensorboard::Event;
use prost::Message;

use support::episodes;

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

fn go(
    config: &str,
    out: &Path,
    resume: bool,
    stop: bool,
    data: &(Frames, DataFacts),
) -> Result<Checkpoint, RunError> {
    let held_out = Frames::new(data.0.height, data.0.width, 6, 3);
    go_measured(config, out, resume, stop, data, &held_out)
}

fn go_measured(
    config: &str,
    out: &Path,
    resume: bool,
    stop: bool,
    data: &(Frames, DataFacts),
    held_out: &Frames,
) -> Result<Checkpoint, RunError> {
    let stop = AtomicBool::new(stop);
    let options = RunOptions {
        out: out.to_owned(),
        resume,
        seed: 3,
        held_out,
        base: None,
        device: latco_trainer::rssm::device::cpu(),
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
            held_out: &Frames::new(32, 32, 6, 3),
            base: Some(base),
            device: latco_trainer::rssm::device::cpu(),
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

#[test]
fn a_model_with_both_heads_exports_the_one_it_plans_with() {
    let data = episodes(4, 10, 32);
    let both = TWO_STAGE.replace("[model]", "[model]\n    reward = \"both\"");
    let logit = both.replace("[model]", "[model]\n    plan_with = \"bernoulli_logit\"");
    let mut trained = Vec::new();
    for (name, config, kind) in [
        ("regression", &both, "regression"),
        ("logit", &logit, "bernoulli_logit"),
    ] {
        let folder = Folder::new(name);
        let checkpoint = go(config, &folder.0, false, false, &data).unwrap();
        let model = Model::of(&checkpoint);
        let bundle = folder.0.join("bundle");
        // Compares the reward graph with the head that the gates use.
        assert!(export(&model, &[], &bundle).unwrap() <= 1e-4);
        let manifest = std::fs::read_to_string(bundle.join("manifest.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(manifest["reward"]["kind"].as_str(), Some(kind));
        let state = latco_trainer::rssm::params::tensor::<2>(vec![0.3; 12], [1, 12]);
        let world = model.build();
        let predicted = world.predict(state.clone());
        let expected = match kind {
            "regression" => predicted.reward,
            _ => predicted.logit,
        };
        assert_eq!(
            world.reward(state).into_scalar::<f32>(),
            expected.unwrap().into_scalar::<f32>()
        );
        let losses = std::fs::read_to_string(folder.0.join("losses.csv")).unwrap();
        for name in ["world,6,reward,", "world,6,rollout_reward_logit,"] {
            assert!(losses.contains(name), "{name} in {losses}");
        }
        trained.push(checkpoint.params);
    }
    assert_eq!(trained[0], trained[1], "both are trained the same way");
}

#[test]
fn with_both_heads_only_the_logit_shapes_the_state() {
    use latco_trainer::rssm::params::{tensor, to_vec};
    let data = episodes(4, 10, 32);
    let both = TWO_STAGE.replace("[model]", "[model]\n    reward = \"both\"");
    let folder = Folder::new("gradients");
    let model = Model::of(&go(&both, &folder.0, false, false, &data).unwrap());
    let world = latco_trainer::rssm::world::World::new(&model.world.leaves(true), model.sizes());
    let gradient = |of_logit: bool| {
        let state = tensor::<2>(vec![0.3; 12], [1, 12])
            .autodiff()
            .require_grad();
        let predicted = world.predict(state.clone());
        let output = if of_logit {
            predicted.logit
        } else {
            predicted.reward
        };
        let gradients = output.unwrap().sum().backward();
        state.grad(&gradients).map(to_vec)
    };
    assert!(gradient(true).is_some_and(|g| g.iter().any(|x| *x != 0.0)));
    assert!(gradient(false).is_none_or(|g| g.iter().all(|x| *x == 0.0)));
}

#[test]
fn rewards_that_no_bernoulli_head_can_learn_are_refused() {
    let mut data = episodes(3, 8, 32);
    data.0.rewards[4] = -0.5;
    let config = TWO_STAGE.replace("[model]", "[model]\n    reward = \"both\"");
    let message = go(&config, &Folder::new("dense").0, false, false, &data)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("model.reward") && message.contains("-0.5"),
        "{message}"
    );
}

#[test]
fn dense_rewards_are_learned_normalised_and_predicted_in_their_own_unit() {
    let mut data = episodes(4, 10, 32);
    // Far from the scale of a network's outputs.
    for (frame, reward) in data.0.rewards.iter_mut().enumerate() {
        *reward = 500.0 + 20.0 * (frame as f32).sin();
    }
    let config = TWO_STAGE.replace("[training]", "[training]\n    normalise_reward = true");
    let folder = Folder::new("normalised");
    let checkpoint = go(&config, &folder.0, false, false, &data).unwrap();
    let losses = std::fs::read_to_string(folder.0.join("losses.csv")).unwrap();
    let reward = losses.lines().find(|l| l.starts_with("world,6,reward,"));
    let loss: f32 = reward.unwrap().rsplit(',').next().unwrap().parse().unwrap();
    assert!(loss < 5.0, "of normalised rewards, found {loss}");

    let model = Model::of(&checkpoint);
    let state = || latco_trainer::rssm::params::tensor::<2>(vec![0.1; 12], [1, 12]);
    let predicted = model.build().reward(state()).into_scalar::<f32>();
    assert!((predicted - 500.0).abs() < 100.0, "{predicted}");
    assert!(export(&model, &[], &folder.0.join("bundle")).is_ok());

    // Moments are part of what is resumed.
    let parts = Folder::new("normalised-parts");
    let mut found = go(&config, &parts.0, false, true, &data).unwrap();
    while found.stage != Stage::Done {
        found = go(&config, &parts.0, true, true, &data).unwrap();
    }
    assert_eq!(found.params, checkpoint.params);
    assert_eq!(found.rewards, checkpoint.rewards);
}

#[test]
fn training_ends_early_and_keeps_the_weights_of_the_least_held_out_loss() {
    let data = episodes(4, 10, 32);
    let held_out = episodes(7, 10, 32).0;
    // So large a step that the loss must rise at some time; the same at every step, so that a
    // shorter run takes the same steps.
    let config = TWO_STAGE
        .replace(
            "steps = 6",
            "steps = 40\n    patience = 2\n    learning_rate = 0.5\n    final_learning_rate = 0.5",
        )
        .replace("checkpoint_steps = 2", "checkpoint_steps = 1");
    let (whole, parts) = (Folder::new("early"), Folder::new("early-parts"));
    let checkpoint = go_measured(&config, &whole.0, false, false, &data, &held_out).unwrap();
    assert_eq!(checkpoint.stage, Stage::Done);
    let csv = std::fs::read_to_string(whole.0.join("losses.csv")).unwrap();
    let measured: Vec<f32> = csv
        .lines()
        .filter(|line| line.starts_with("world,") && line.contains(",held_out_loss,"))
        .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
        .collect();
    let least = measured.iter().copied().fold(f32::INFINITY, f32::min);
    let at = measured.iter().position(|loss| *loss == least).unwrap();
    assert!(
        checkpoint.step < 40,
        "ended after {} steps",
        checkpoint.step
    );
    assert_eq!(
        measured.len(),
        at + 3,
        "two more than the least: {measured:?}"
    );
    let kept = checkpoint.held_out.unwrap();
    assert_eq!((kept.step, kept.loss), (at + 1, least));
    assert!(checkpoint.best.is_none());

    // The kept weights are those of a run that ends there.
    let short = config
        .replace("patience = 2", "patience = 0")
        .replace("steps = 40", &format!("steps = {}", kept.step));
    let folder = Folder::new("early-short");
    let short = go_measured(&short, &folder.0, false, false, &data, &held_out).unwrap();
    assert_eq!(&checkpoint.params, short.world_params());

    let mut found = go_measured(&config, &parts.0, false, true, &data, &held_out).unwrap();
    while found.stage != Stage::Done {
        found = go_measured(&config, &parts.0, true, true, &data, &held_out).unwrap();
    }
    assert_eq!(found.params, checkpoint.params);
    assert_eq!(
        csv,
        std::fs::read_to_string(parts.0.join("losses.csv")).unwrap()
    );
}

#[test]
fn a_patience_needs_held_out_episodes() {
    let data = episodes(3, 8, 32);
    let config = TWO_STAGE.replace("steps = 6", "steps = 6\n    patience = 2");
    let message = go(&config, &Folder::new("patience").0, false, false, &data)
        .unwrap_err()
        .to_string();
    assert!(message.contains("training.patience"), "{message}");
}

#[test]
fn mirrored_episodes_are_trained_on() {
    let data = episodes(3, 8, 32);
    let mut mirrored = (episodes(3, 8, 32).0, data.1.clone());
    mirrored.0.mirror();
    (mirrored.1.joints_mean, mirrored.1.joints_std) = mirrored.0.joints_statistics();
    let (plain, both) = (Folder::new("plain"), Folder::new("mirrored"));
    let plain = go(TWO_STAGE, &plain.0, false, false, &data).unwrap();
    let both = go(TWO_STAGE, &both.0, false, false, &mirrored).unwrap();
    assert_ne!(plain.params, both.params);
    // Codes of mirrored frames are those of the flipped pictures.
    let model = Model::of(&both);
    let codes = model.codes(&mirrored.0).unwrap();
    let mut flipped = Frames::new(32, 32, 6, 3);
    for episode in 0..3 {
        let frames: Vec<usize> = mirrored.0.range(3 + episode).collect();
        let count = frames.len();
        let bytes = mirrored.0.bytes(&frames).unwrap();
        flipped.push(
            &bytes,
            &vec![0.0; 6 * count],
            &vec![0.0; 3 * count],
            &vec![0.0; count],
        );
    }
    let expected = model.codes(&flipped).unwrap();
    let half = codes.len() / 2;
    for (a, b) in codes[half..].iter().zip(&expected) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    assert_ne!(codes[..half], codes[half..]);
}

/// Pictures of the event files of a run: tag, step, and the decoded image.
fn pictures(run: &Path) -> Vec<(String, i64, image::RgbImage)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(run.join("tensorboard")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let event = Event::decode(&rest[12..12 + length]).unwrap();
            rest = &rest[16 + length..];
            for value in event.summary.unwrap_or_default().value {
                let Some(picture) = value.image else { continue };
                let png = image::load_from_memory(&picture.encoded_image_string).unwrap();
                let rgb = png.to_rgb8();
                assert_eq!(
                    (rgb.width() as i32, rgb.height() as i32, 3),
                    (picture.width, picture.height, picture.colorspace)
                );
                found.push((value.tag, event.step, rgb));
            }
        }
    }
    found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    found
}

#[test]
fn checkpoints_come_with_pictures_of_input_reconstruction_and_open_loop() {
    let data = episodes(3, 10, 32);
    let held_out = episodes(5, 10, 32).0;
    let folder = Folder::new("pictures");
    let checkpoint = go_measured(TWO_STAGE, &folder.0, false, false, &data, &held_out).unwrap();
    let found = pictures(&folder.0);
    let tags: Vec<(&str, i64)> = found.iter().map(|(tag, step, _)| (&**tag, *step)).collect();
    let stage = |name: &'static str, steps: &'static [i64]| steps.iter().map(move |s| (name, *s));
    let expected: Vec<_> = stage("autoencoder/input", &[2, 4])
        .chain(stage("autoencoder/reconstruction", &[2, 4]))
        .chain(stage("world/input", &[2, 4, 6]))
        .chain(stage("world/open_loop", &[2, 4, 6]))
        .chain(stage("world/reconstruction", &[2, 4, 6]))
        .collect();
    assert_eq!(tags, expected);

    let strip = |tag: &str, step: i64| {
        let found = found.iter().find(|(t, s, _)| t == tag && *s == step);
        &found.unwrap().2
    };
    let column = |strip: &image::RgbImage, index: u32| {
        image::imageops::crop_imm(strip, 32 * index, 0, 32, 32)
            .to_image()
            .into_raw()
    };
    // The horizon is 4: 4 frames seen and 4 predicted of the first held-out episode.
    let (input, filtered, open_loop) = (
        strip("world/input", 6),
        strip("world/reconstruction", 6),
        strip("world/open_loop", 6),
    );
    assert_eq!(input.dimensions(), (8 * 32, 32));
    for t in 0..8 {
        assert_eq!(column(input, t), held_out.image(t as usize));
        let same = column(filtered, t) == column(open_loop, t);
        assert_eq!(same, t < 4, "frame {t}");
    }
    // The last is that of the model that was exported.
    let model = Model::of(&checkpoint);
    let again = latco_trainer::fit::pictures::of_world(&model, &held_out).unwrap();
    assert_eq!(again[2].rgb, open_loop.as_raw().as_slice());

    let none = Folder::new("no-pictures");
    let config = TWO_STAGE.replace("steps = 6", "steps = 6\n    pictures = false");
    go_measured(&config, &none.0, false, false, &data, &held_out).unwrap();
    assert!(pictures(&none.0).is_empty());
}

#[test]
fn planet_has_pictures_as_well() {
    let data = episodes(2, 6, 64);
    let folder = Folder::new("planet-pictures");
    let mut facts = data.1.clone();
    facts.joints_mean.clear();
    facts.joints_std.clear();
    go(PLANET, &folder.0, false, false, &(data.0, facts)).unwrap();
    let tags: Vec<String> = pictures(&folder.0).into_iter().map(|p| p.0).collect();
    assert_eq!(
        tags,
        ["world/input", "world/open_loop", "world/reconstruction"]
    );
}

/// Value of a loss in the last row that has it.
fn last(run: &Path, stage: &str, name: &str) -> Option<f32> {
    let losses = std::fs::read_to_string(run.join("losses.csv")).unwrap();
    let mut rows = losses.lines().rev().filter_map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0] == stage && fields[2] == name).then(|| fields[3].parse().unwrap())
    });
    rows.next()
}

#[test]
fn latent_overshooting_is_trained_on_by_both_recipes() {
    // A new model's divergence would lie below the free nats.
    let with = |config: &str, more: &str| {
        config.replace(
            "[training]",
            &format!("[training]\n    free_nats = 0{more}"),
        )
    };
    let (two_stage, planet) = (
        with(TWO_STAGE, "\n    overshooting = 3"),
        with(PLANET, "\n    overshooting = 2"),
    );
    for (name, config, plain, size) in [
        ("two-stage", &two_stage, with(TWO_STAGE, ""), 32),
        ("planet", &planet, with(PLANET, ""), 64),
    ] {
        let (frames, mut facts) = episodes(3, 8, size);
        if size == 64 {
            facts.joints_mean.clear();
            facts.joints_std.clear();
        }
        let data = (frames, facts);
        let with = Folder::new(&format!("overshot-{name}"));
        let without = Folder::new(&format!("not-overshot-{name}"));
        let weightless = Folder::new(&format!("weightless-{name}"));
        let a = go(config, &with.0, false, false, &data).unwrap();
        let b = go(&plain, &without.0, false, false, &data).unwrap();
        assert!(last(&with.0, "world", "overshooting").unwrap() > 0.0);
        assert_eq!(last(&without.0, "world", "overshooting"), None);
        assert!(a.params != b.params, "{name}: nothing was learned from it");
        // Without weight it is only measured.
        let config = config.replace("overshooting", "overshooting_weight = 0\n    overshooting");
        let c = go(&config, &weightless.0, false, false, &data).unwrap();
        assert!(last(&weightless.0, "world", "overshooting").unwrap() > 0.0);
        let worst = c.params.entries.iter().zip(&b.params.entries);
        let worst = worst
            .flat_map(|(c, b)| c.values.iter().zip(&b.values))
            .fold(0.0f32, |worst, (c, b)| worst.max((c - b).abs()));
        assert!(worst < 1e-5, "{name}: {worst}");
    }
}

#[test]
fn a_model_without_a_deterministic_part_is_trained_and_agrees_with_onnx_runtime() {
    for (name, config, size) in [("two-stage", TWO_STAGE, 32), ("planet", PLANET, 64)] {
        let data = episodes(4, 10, size);
        let config = config
            .replace("deter = 8", "deter = 0")
            .replace("[model]", "[model]\n    joints = true");
        let folder = Folder::new(&format!("ssm-{name}"));
        let checkpoint = go(&config, &folder.0, false, false, &data).unwrap();
        let names: Vec<&str> = (checkpoint.params.entries.iter())
            .map(|p| p.name.as_str())
            .collect();
        assert!(names.contains(&"input.kernel"), "{names:?}");
        assert!(!names.iter().any(|n| n.contains("gru")), "{names:?}");
        let model = Model::of(&checkpoint);
        let bundle = folder.0.join("bundle");
        // Also compares the Jacobian with finite differences of the graph.
        let worst = export(&model, &[], &bundle).unwrap();
        assert!(worst <= 1e-4, "{worst}");
        let manifest = std::fs::read_to_string(bundle.join("manifest.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(manifest["dims"]["deter"].as_integer(), Some(0));
        assert_eq!(manifest["dynamics"]["kind"].as_str(), Some("dense"));

        // The controller plans with it.
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_latco-train"))
            .args(["eval", "--task", "reach", "--episodes", "1", "--json"])
            .arg("--bundle")
            .arg(&bundle)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(said["plans"].as_u64() > Some(0), "{said}");
        for field in ["bundle_sha256", "head", "machine", "version", "settings"] {
            assert!(!said[field].is_null(), "{field}: {said}");
        }
    }
}
