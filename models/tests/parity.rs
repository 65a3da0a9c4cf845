//! ONNX Runtime against the plain reference implementation, both families of encoders and decoders.

mod support;

use latco_export::{
    Family, RandomSpec, golden, random_weights, write_bundle, write_bundle_of_kind,
};
use latco_models::{
    BenchOptions, Bundle, DynamicsKind, Graph, LoadOptions, Reward, RewardRange, bench, report,
};
use latco_reference::{Decoder, Penalty, graphs, image, step};
use ndarray::{Array2, Array3, Array4};
use support::{Fixture, small};

/// Deterministic numbers between -1 and 1.
fn wave(count: usize, phase: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7 + phase).sin()).collect()
}

fn close(name: &str, expected: impl IntoIterator<Item = f32>, got: &[f32], tolerance: f32) {
    let expected: Vec<f32> = expected.into_iter().collect();
    assert_eq!(expected.len(), got.len(), "{name}");
    for (at, (e, g)) in expected.iter().zip(got).enumerate() {
        assert!(
            (e - g).abs() <= tolerance * e.abs().max(1.0),
            "{name}[{at}] is {g}, expected {e}"
        );
    }
}

#[test]
fn golden_vectors_and_jacobian_agree_at_load() {
    let specs = [
        small(Family::Conv),
        small(Family::Keypoint),
        RandomSpec::planet(),
        RandomSpec::keypoint(),
    ];
    for spec in specs {
        let bundle = Fixture::new(&spec, 3).load().unwrap();
        let verification = bundle.verification();
        assert_eq!(verification.golden_worst.len(), Graph::ALL.len());
        for (graph, worst) in &verification.golden_worst {
            assert!(*worst < 2e-5, "{graph} of {spec:?} differs by {worst}");
        }
        assert!(
            verification.jacobian_worst < 5e-3,
            "{spec:?}: {}",
            verification.jacobian_worst
        );
        assert!(
            verification.gradient_worst < 5e-3,
            "{spec:?}: {}",
            verification.gradient_worst
        );
    }
}

/// Batch sizes other than that of the golden vectors, through the typed sessions.
#[test]
fn typed_sessions_agree_with_the_reference() {
    for family in [Family::Conv, Family::Keypoint] {
        let spec = small(family);
        let (weights, _) = random_weights(&spec, 11);
        let bundle = Fixture::new(&spec, 11).load().unwrap();
        let (n, na, h, side) = (
            spec.stoch + spec.deter,
            spec.action,
            spec.horizon,
            spec.image,
        );
        let state =
            |count: usize| Array2::from_shape_vec((count, n), wave(count * n, 0.3)).unwrap();
        let action =
            |count: usize| Array2::from_shape_vec((count, na), wave(count * na, 1.1)).unwrap();

        let mut observe = bundle.observe(2).unwrap();
        let pixels: Vec<u8> = (0..2 * side * side * 3)
            .map(|i| (i * 37 % 251) as u8)
            .collect();
        let joints =
            Array2::from_shape_vec((2, 2 * spec.joints), wave(4 * spec.joints, 0.9)).unwrap();
        observe.image_mut().copy_from_slice(&pixels);
        match observe.joints_mut() {
            Some(buffer) => buffer.copy_from_slice(joints.as_slice().unwrap()),
            None => assert_eq!(spec.joints, 0),
        }
        observe
            .state_mut()
            .copy_from_slice(state(2).as_slice().unwrap());
        observe
            .action_mut()
            .copy_from_slice(action(2).as_slice().unwrap());
        observe.run().unwrap();
        let camera = Array4::from_shape_vec((2, side, side, 3), pixels).unwrap();
        let (mean, std) = graphs::observe(
            &weights,
            &camera,
            Some(joints.view()),
            state(2).view(),
            action(2).view(),
        );
        close("posterior mean", mean, observe.mean(), 2e-5);
        close("posterior std", std, observe.std(), 2e-5);

        let mut dynamics = bundle.dynamics(7).unwrap();
        dynamics
            .state_mut()
            .copy_from_slice(state(7).as_slice().unwrap());
        dynamics
            .action_mut()
            .copy_from_slice(action(7).as_slice().unwrap());
        dynamics.run().unwrap();
        let expected = step::prior(&weights.step, state(7).view(), action(7).view());
        close("prior mean", expected.mean, dynamics.mean(), 2e-5);
        close("prior std", expected.std, dynamics.std(), 2e-5);
        close("factors", expected.factors, dynamics.factors(), 2e-5);
        assert!(dynamics.jacobian_state().is_empty());

        let mut reward = bundle.reward(h).unwrap();
        reward
            .state_mut()
            .copy_from_slice(state(h).as_slice().unwrap());
        reward.run().unwrap();
        let (value, gradient) = graphs::reward(&weights, state(h).view());
        close("reward", value, reward.reward(), 2e-5);
        close("gradient", gradient, reward.gradient(), 2e-5);

        let mut rollout = bundle.rollout(5).unwrap();
        let actions = Array3::from_shape_vec((5, h, na), wave(5 * h * na, 0.2)).unwrap();
        rollout
            .state_mut()
            .copy_from_slice(state(5).as_slice().unwrap());
        rollout
            .action_mut()
            .copy_from_slice(actions.as_slice().unwrap());
        rollout.run().unwrap();
        let range = bundle.manifest().reward.range;
        let (rewards, returns) = graphs::rollout(&weights, range, state(5).view(), actions.view());
        close("rewards", rewards, rollout.rewards(), 2e-5);
        close("returns", returns, rollout.returns(), 2e-5);

        let mut decode = bundle.decode(3).unwrap();
        decode
            .state_mut()
            .copy_from_slice(state(3).as_slice().unwrap());
        decode.run().unwrap();
        let images = image::decode(&weights, state(3).view(), side, side);
        let inside = images.iter().filter(|&&v| v > 0.0 && v < 1.0).count();
        assert!(inside * 2 > images.len(), "most pixels must not be clipped");
        close("image", images, decode.image(), 2e-5);
    }
}

/// Runs the reward graph at `base` `[n]`, row 0, and on both sides of it along every axis, and checks
/// the gradient of row 0 against the central differences.
fn with_true_slopes(bundle: &Bundle, base: &[f32]) -> Reward {
    let n = base.len();
    let mut reward = (bundle.reward(1 + 2 * n)).expect("the bundle has a reward graph");
    let step = 1e-2;
    for (row, state) in reward.state_mut().chunks_exact_mut(n).enumerate() {
        state.copy_from_slice(base);
        if row > 0 {
            state[(row - 1) / 2] += if row % 2 == 1 { step } else { -step };
        }
    }
    reward.run().expect("the reward graph runs");
    for i in 0..n {
        let difference = (reward.reward()[1 + 2 * i] - reward.reward()[2 + 2 * i]) / (2.0 * step);
        let gradient = reward.gradient()[i];
        assert!(
            (difference - gradient).abs() < 2e-3,
            "entry {i}: {gradient}, differences give {difference}"
        );
    }
    reward
}

/// The reward gradient against central differences of the graph itself.
#[test]
fn reward_gradient_is_the_slope_of_the_reward() {
    let spec = small(Family::Keypoint);
    let n = spec.stoch + spec.deter;
    let bundle = Fixture::new(&spec, 5).load().unwrap();
    with_true_slopes(&bundle, &wave(n, 0.4));
}

/// The reward less a penalty: the graphs against the reference, its gradient against central differences.
#[test]
fn a_penalty_is_taken_off_the_reward_and_is_part_of_its_gradient() {
    let spec = small(Family::Keypoint);
    let (n, na, h) = (spec.stoch + spec.deter, spec.action, spec.horizon);
    let (plain, mut metadata) = random_weights(&spec, 5);
    metadata.reward_range = RewardRange {
        low: -3.0,
        high: 1.0,
    };
    let mut weights = plain.clone();
    // Any layers from a state to several values will do.
    let Decoder::Patch { head, .. } = &plain.decoder else {
        panic!("the family has patches");
    };
    let mut deviations = head.clone();
    let last = deviations.layers.last_mut().unwrap();
    last.kernel *= 0.3;
    weights.penalty = Some(Penalty {
        deviations,
        weight: 0.7,
        heads: 3,
        reference: 0.02,
    });
    let vectors = golden::from_reference(&weights, &metadata, 3, 2).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_bundle(folder.path(), &weights, &metadata, &vectors).unwrap();
    let said = manifest.reward.penalty.unwrap();
    assert_eq!((said.heads, said.weight, said.reference), (3, 0.7, 0.02));
    let bundle = Bundle::load(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(bundle.manifest().reward.penalty, Some(said));

    let base = wave(n, 0.4);
    let reward = with_true_slopes(&bundle, &base);
    let state = Array2::from_shape_vec((1, n), base).unwrap();
    let (expected, gradient) = graphs::reward(&weights, state.view());
    close("reward", expected.clone(), &reward.reward()[..1], 2e-5);
    close("gradient", gradient, &reward.gradient()[..n], 2e-5);
    let (without, gradient) = graphs::reward(&plain, state.view());
    let taken_off = (without[0] - expected[0]) / 0.7;
    assert!((0.1..0.9).contains(&taken_off), "{taken_off}");
    let change = gradient.iter().zip(reward.gradient());
    let change = change.fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(change > 0.05, "the gradient changes by {change} only");

    let mut rollout = bundle.rollout(2).unwrap();
    let start = Array2::from_shape_vec((2, n), wave(2 * n, 0.3)).unwrap();
    let actions = Array3::from_shape_vec((2, h, na), wave(2 * h * na, 0.2)).unwrap();
    rollout
        .state_mut()
        .copy_from_slice(start.as_slice().unwrap());
    rollout
        .action_mut()
        .copy_from_slice(actions.as_slice().unwrap());
    rollout.run().unwrap();
    let range = metadata.reward_range;
    let (rewards, returns) = graphs::rollout(&weights, range, start.view(), actions.view());
    assert!(rewards.iter().any(|r| *r < 0.0), "the range matters");
    close("rewards", rewards, rollout.rewards(), 2e-5);
    close("returns", returns, rollout.returns(), 2e-5);
}

/// A bundle with dense Jacobians is checked and gives the same linearisation as the factors.
#[test]
fn dense_kind_gives_the_same_jacobian() {
    let spec = small(Family::Keypoint);
    let (weights, metadata) = random_weights(&spec, 9);
    let mut vectors = golden::from_reference(&weights, &metadata, 3, 2).unwrap();
    for case in &mut vectors.cases {
        case.outputs.clear();
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |kind| write_bundle_of_kind(folder.path(), &weights, &metadata, &vectors, kind);
    write(DynamicsKind::Dense).unwrap();
    let bundle = Bundle::load(folder.path(), &LoadOptions::default()).unwrap();
    assert!(bundle.weights().is_none());
    assert!(bundle.verification().jacobian_worst < 5e-3);
    let (n, na) = (spec.stoch + spec.deter, spec.action);
    let mut dynamics = bundle.dynamics(2).unwrap();
    assert_eq!(dynamics.kind(), DynamicsKind::Dense);
    dynamics.state_mut().copy_from_slice(&wave(2 * n, 0.1));
    dynamics.action_mut().copy_from_slice(&wave(2 * na, 0.5));
    dynamics.run().unwrap();

    write(DynamicsKind::GruFactors).unwrap();
    let factored = Bundle::load(folder.path(), &LoadOptions::default()).unwrap();
    let mut other = factored.dynamics(2).unwrap();
    other.state_mut().copy_from_slice(&wave(2 * n, 0.1));
    other.action_mut().copy_from_slice(&wave(2 * na, 0.5));
    other.run().unwrap();
    close("mean", other.mean().to_vec(), dynamics.mean(), 1e-5);
    let dims = factored.manifest().dims;
    let gru = factored.weights().unwrap();
    for t in 0..2 {
        let row = &other.factors()[t * dims.factors()..][..dims.factors()];
        let row = latco_models::FactorRow::new(row, &dims);
        for i in 0..n + na {
            let mut unit = vec![0.0; n + na];
            unit[i] = 1.0;
            let column = gru.jvp(row, &unit[..n], &unit[n..]);
            let got: Vec<f32> = (0..n)
                .map(|out| match i.checked_sub(n) {
                    None => dynamics.jacobian_state()[(t * n + out) * n + i],
                    Some(a) => dynamics.jacobian_action()[(t * n + out) * na + a],
                })
                .collect();
            close("column", column.into_iter().map(|v| v as f32), &got, 1e-5);
        }
    }
}

#[test]
fn reports_can_be_serialised_and_hold_every_graph() {
    let fixture = Fixture::keypoint();
    let info = report::info(fixture.dir()).unwrap();
    assert_eq!(info.state, 17);
    let total: u64 = info.manifest.files.values().map(|f| f.bytes).sum();
    assert_eq!(info.total_bytes, total);
    let check = report::check(fixture.dir(), &LoadOptions::default()).unwrap();
    assert!(check.passed && check.mismatches.is_empty());
    let options = BenchOptions {
        runs: 20,
        starts: 3,
        allocations: None,
    };
    let bench = bench(&fixture.load().unwrap(), &options).unwrap();
    let json = serde_json::to_value(&bench).unwrap();
    for (graph, batches) in [
        (Graph::Observe, &[1][..]),
        (Graph::Dynamics, &[1, 4, 12]),
        (Graph::Reward, &[4, 12]),
        (Graph::Rollout, &[1, 3]),
        (Graph::Decode, &[1]),
    ] {
        let latencies = json["graphs"][graph.name()].as_array().unwrap();
        let found: Vec<u64> = latencies
            .iter()
            .map(|latency| latency["batch"].as_u64().unwrap())
            .collect();
        assert_eq!(found, batches, "{graph}");
        for latency in latencies {
            let figure = |name: &str| latency[name].as_f64().unwrap();
            assert!(figure("median_us") > 0.0 && figure("p99_us") >= figure("median_us"));
            assert!(figure("load_ms") > 0.0 && figure("warm_up_ms") > 0.0);
            assert!(latency["allocations_per_run"].is_null());
        }
    }
    assert!(json["load_ms"].as_f64().unwrap() > 0.0);
    assert!(json["sessions_ms"].as_f64().unwrap() > json["warm_up_ms"].as_f64().unwrap());
    serde_json::to_string(&info).unwrap();
    serde_json::to_string(&check).unwrap();
}
