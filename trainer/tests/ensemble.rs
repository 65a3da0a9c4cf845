//! Heads beside the prior: what they change, what they tell, and the penalty made of them.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use burn::tensor::Tensor;
use chacha20::ChaCha8Rng;
use latco_models::{Bundle, LoadOptions};
use latco_trainer::export::export;
use latco_trainer::fit::checkpoint::{Checkpoint, DataFacts, Stage};
use latco_trainer::fit::config::FitConfig;
use latco_trainer::fit::dataset::{Frames, normals};
use latco_trainer::fit::error::RunOptions;
use latco_trainer::fit::run::run;
use latco_trainer::fit::trained::Model;
use latco_trainer::fit::world;
use latco_trainer::rssm::ensemble::{self, Ensemble, PREFIX};
use latco_trainer::rssm::params::{Params, tensor, to_vec};
use rand::{RngExt, SeedableRng};

/// So small a clip that every gradient is limited.
const CONFIG: &str = r#"
    horizon = 4
    [autoencoder]
    steps = 20
    batch = 8
    [model]
    stoch = 4
    deter = 8
    hidden = 12
    units = 10
    reward = "both"
    [training]
    steps = 300
    batch = 8
    sequence = 6
    rollout_steps = 3
    clip = 0.05
    checkpoint_steps = 100
    patience = 50
    pictures = false
"#;

fn with_heads(more: &str) -> String {
    CONFIG.replace("[model]", &format!("[model]\nensemble = 4\n{more}"))
}

fn episodes(count: u64, steps: usize) -> (Frames, DataFacts) {
    support::episodes(count, steps, 32)
}

fn train(
    config: &str,
    out: &Path,
    data: &(Frames, DataFacts),
    base: Option<&Checkpoint>,
    stop: bool,
) -> Checkpoint {
    let held_out = episodes(9, 8).0;
    let options = RunOptions {
        out: out.to_owned(),
        resume: false,
        seed: 3,
        held_out: &held_out,
        base,
        device: latco_trainer::rssm::device::cpu(),
        stop: &AtomicBool::new(stop),
    };
    let config = FitConfig::parse(config).unwrap();
    run(&config, &data.1, &data.0, &options).unwrap()
}

/// The parameters of all but the heads.
fn without_heads(params: &Params) -> Params {
    let mut params = params.clone();
    params.entries.retain(|p| !p.name.starts_with(PREFIX));
    params
}

#[test]
fn the_model_is_trained_as_without_and_the_heads_know_what_is_far_from_the_data() {
    let data = episodes(12, 12);
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name);
    let plain = train(CONFIG, &out("plain"), &data, None, false);
    let checkpoint = train(
        &with_heads("penalty = 0.8"),
        &out("heads"),
        &data,
        None,
        false,
    );
    assert_eq!(checkpoint.stage, Stage::Done);
    assert_eq!(checkpoint.held_out, plain.held_out);
    assert_eq!(without_heads(&checkpoint.params), plain.params);

    let model = Model::of(&checkpoint);
    let sizes = model.sizes().core;
    let world = model.build();
    let heads = world.ensemble.as_ref().unwrap();
    let (fresh, seen) = {
        // Other episodes of the same kind, filtered from their beginning.
        let frames = episodes(20, 12).0;
        let episode = frames.range(19);
        let frames = frames.of(&episode.collect::<Vec<_>>()).unwrap();
        let before = [&[0.0; 3][..], &frames.actions[..11 * 3]].concat();
        let unrolled = world.core.unroll(
            tensor(model.embed(&frames).unwrap(), [12, sizes.embed]),
            tensor(before, [12, 3]),
            tensor(vec![0.0; 12 * sizes.stoch], [12, sizes.stoch]),
            1,
        );
        (unrolled.posterior.deter.unwrap(), unrolled.posterior.mean)
    };
    let untrained = world::create(&model.sizes(), 99);
    let untrained = Ensemble::new(&untrained.leaves(false), 4);
    let everything = tensor(vec![1.0; 12 * 4], [12, 4]);
    let error = |heads: &Ensemble| -> f32 {
        let error = heads.loss(fresh.clone(), seen.clone(), &everything);
        error.into_scalar()
    };
    assert!(
        error(heads) < 0.8 * error(&untrained),
        "{} {}",
        error(heads),
        error(&untrained)
    );
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let far: Tensor<2> = tensor(
        (0..200 * sizes.deter)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect(),
        [200, sizes.deter],
    );
    let mean = |x: Tensor<2>| x.mean().into_scalar::<f32>();
    let (near, away) = (
        mean(heads.disagreement(fresh.clone())),
        mean(heads.disagreement(far.clone())),
    );
    assert!(away > 4.0 * near, "far {away}, near {near}");
    let (near, away) = (mean(heads.distance(fresh)), mean(heads.distance(far)));
    // It is one half at the reference, which few predictions on data exceed.
    assert!(near < 0.4 && away > 0.5, "far {away}, near {near}");
}

#[test]
fn the_penalised_reward_agrees_with_onnx_runtime_near_its_reference() {
    let data = episodes(6, 12);
    let folder = tempfile::tempdir().unwrap();
    let config = with_heads("penalty = 0.8").replace("steps = 300", "steps = 20");
    let checkpoint = train(&config, &folder.path().join("run"), &data, None, false);
    let mut model = Model::of(&checkpoint);
    let bundle_folder = folder.path().join("bundle");
    // Compares reward, gradient and rollouts on the golden inputs as well.
    assert!(export(&model, &[], &bundle_folder).unwrap() <= 1e-4);
    let bundle = Bundle::load(&bundle_folder, &LoadOptions::default()).unwrap();
    let said = bundle.manifest().reward.penalty.unwrap();
    assert_eq!((said.heads, said.weight), (4, 0.8));
    assert!(said.reference > 0.0, "{}", said.reference);

    // States about as far away as the reference, where the penalty is steep.
    let n = model.sizes().core.state();
    let rows = 64;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let states: Vec<f32> = normals(rows * n, &mut rng)
        .iter()
        .map(|x| 0.3 * x)
        .collect();
    let mut session = bundle.reward(rows).unwrap();
    session.state_mut().copy_from_slice(&states);
    session.run().unwrap();
    let state = tensor::<2>(states.clone(), [rows, n])
        .autodiff()
        .require_grad();
    let reward = model.build().reward(state.clone());
    let expected = to_vec(reward.clone().without_autodiff());
    let gradient = to_vec(state.grad(&reward.sum().backward()).unwrap());
    let worst = |a: &[f32], b: &[f32]| {
        let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        differences.fold(0.0f32, f32::max)
    };
    assert!(worst(&expected, session.reward()) < 1e-5);
    assert!(worst(&gradient, session.gradient()) < 1e-4);

    model.config.model.penalty = 0.0;
    let plain = to_vec(model.build().reward(tensor(states, [rows, n])));
    let taken_off: Vec<f32> = (plain.iter().zip(&expected))
        .map(|(plain, reward)| (plain - reward) / 0.8)
        .collect();
    let between = taken_off.iter().filter(|x| (0.1..0.9).contains(*x)).count();
    assert!(between > rows / 8, "{between} of {rows}: {taken_off:?}");
    assert!(taken_off.iter().all(|x| (-1e-6..=1.0 + 1e-6).contains(x)));
    export(&model, &[], &bundle_folder).unwrap();
    let bundle = Bundle::load(&bundle_folder, &LoadOptions::default()).unwrap();
    assert_eq!(bundle.manifest().reward.penalty, None);
}

#[test]
fn heads_are_added_to_a_run_without_and_exported_with_any_penalty() {
    let data = episodes(6, 12);
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name);
    let short = |config: &str| config.replace("steps = 300", "steps = 10");
    let base = train(&short(CONFIG), &out("base"), &data, None, false);
    let plain = train(&short(CONFIG), &out("plain"), &data, Some(&base), false);
    let first = train(
        &short(&with_heads("")),
        &out("heads"),
        &data,
        Some(&base),
        false,
    );
    assert_eq!(without_heads(&first.params), plain.params);
    let count = |c: &Checkpoint| {
        c.params
            .entries
            .iter()
            .filter(|p| p.name.starts_with(PREFIX))
            .count()
    };
    assert_eq!(count(&first), 4 * 4 + 2);
    assert!(first.params.get(ensemble::REFERENCE).values[0] > 0.0);
    // And left out again.
    let none = train(&short(CONFIG), &out("none"), &data, Some(&first), false);
    assert_eq!(count(&none), 0);

    let export = |run: &str, penalty: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_latco-train"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
            .args(["export", "--penalty", penalty, "--out"])
            .args([out("bundle"), out(run)])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = export("heads", "0.5");
    assert_eq!(code, Some(0), "{said}");
    let manifest = latco_models::read_manifest(&out("bundle")).unwrap();
    assert_eq!(manifest.reward.penalty.unwrap().weight, 0.5);
    assert_eq!(export("heads", "0").0, Some(0));
    let manifest = latco_models::read_manifest(&out("bundle")).unwrap();
    assert_eq!(manifest.reward.penalty, None);
    let (code, said) = export("plain", "0.5");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("model.ensemble = 0"), "{said}");
    let (code, said) = export("heads", "-1");
    assert_eq!(code, Some(2), "{said}");

    // The reference is measured when training ends.
    let config = short(&with_heads("penalty = 1"));
    train(&config, &out("stopped"), &data, Some(&base), true);
    let (code, said) = export("stopped", "1");
    assert_ne!(code, Some(0));
    assert!(said.contains("expected a finished run"), "{said}");
}
