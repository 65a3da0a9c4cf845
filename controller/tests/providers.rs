//! The CPU provider as a stand-in for others: allowed only at a rate that it can keep.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use latco_controller::{Config, Rehearsal, SetupError};
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

fn config(providers: &str, budget_ms: f64) -> Config {
    let mut config = Config::default();
    config.bundle.providers = providers.parse().unwrap();
    config.planner.budget_ms = Some(budget_ms);
    config.planner.latco.iterations_cold = 5;
    config.planner.latco.iterations_warm = 2;
    config
}

fn bundle(config: &Config) -> Bundle {
    let spec = RandomSpec {
        image: 32,
        stoch: 4,
        deter: 12,
        hidden: 16,
        horizon: 8,
        ..RandomSpec::keypoint()
    };
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &spec, 21).unwrap();
    Bundle::load(dir.path(), &config.bundle.load_options()).unwrap()
}

#[test]
fn a_stand_in_is_measured_and_refused_with_the_figures_when_it_is_too_slow() {
    let fast = config("tensorrt,cuda,cpu", 60_000.0);
    let bundle = bundle(&fast);
    assert!(
        !bundle.provider().is_gpu(),
        "expected the CPU build of ONNX Runtime, with which the CPU stands in; run `make onnxruntime`"
    );
    let rehearsal = Rehearsal::of_stand_in(&fast, &bundle).unwrap().unwrap();
    assert!(0.0 < rehearsal.median_ms && rehearsal.median_ms <= rehearsal.worst_ms);
    // The time between two plans, which is shorter than the budget.
    assert_eq!(
        rehearsal.allowed_ms,
        bundle.manifest().control_period_s * 1e3
    );

    let slow = config("tensorrt,cuda,cpu", 1e-3);
    let error = Rehearsal::of_stand_in(&slow, &bundle).unwrap_err();
    let text = error.to_string();
    match error {
        SetupError::TooSlow(slow) => {
            assert_eq!(slow.rehearsal.allowed_ms, 1e-3);
            assert!(slow.rehearsal.median_ms > 1e-3);
            assert_eq!(slow.declined.len(), 2);
        }
        other => panic!("{other}"),
    }
    for words in [
        "the cpu provider is too slow to stand in",
        "the configuration allows 0.0 ms",
        "\n  - provider tensorrt is not available",
        "\n  - provider cuda is not available",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[test]
fn the_provider_that_was_asked_for_is_used_at_any_rate() {
    let config = config("cpu", 1e-3);
    let bundle = bundle(&config);
    assert_eq!(Rehearsal::of_stand_in(&config, &bundle).unwrap(), None);
}
