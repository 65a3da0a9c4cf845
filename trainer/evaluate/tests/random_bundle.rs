//! The loop with random weights: nothing is solved, but everything must run, and repeat by seed.

use std::ops::ControlFlow;

use latco_controller::Config;
use latco_controller::config::{PlannerKind, SolverKind};
use latco_evaluate::{Evaluation, Options, evaluate};
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

fn small() -> RandomSpec {
    RandomSpec {
        image: 32,
        stoch: 4,
        deter: 12,
        hidden: 16,
        horizon: 8,
        ..RandomSpec::keypoint()
    }
}

fn run(bundle: &Bundle, config: &Config) -> Evaluation {
    let options = Options {
        task: "reach".into(),
        episodes: 2,
        seed: 3,
        expert: true,
    };
    let result = evaluate(bundle, config, &options, |_| ControlFlow::Continue(()));
    let mut evaluation = result.expect("the random bundle has the arm's joints and period");
    // Measured, so different each time.
    (evaluation.plan_ms_p50, evaluation.plan_ms_p99) = (0.0, 0.0);
    evaluation
}

#[test]
fn both_planners_run_and_repeat_by_seed() {
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let mut config = Config::default();
    config.planner.cem.samples = 50;
    config.planner.cem.elites = 10;
    for kind in [PlannerKind::Latco, PlannerKind::Cem] {
        config.planner.kind = kind;
        let first = run(&bundle, &config);
        assert_eq!(first.plans, 100, "a plan at every image");
        assert_eq!(first.expert_success, Some(1.0));
        assert_eq!(
            first,
            run(&bundle, &config),
            "the same seed, the same result"
        );
        config.planner.seed += 1;
        assert_ne!(
            first.mean_predicted_return,
            run(&bundle, &config).mean_predicted_return,
            "another seed, other noise"
        );
    }
}

#[test]
fn the_block_tridiagonal_solver_runs_too() {
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let mut config = Config::default();
    config.planner.latco.solver = SolverKind::BlockTridiagonal;
    let evaluation = run(&bundle, &config);
    assert_eq!(evaluation.plans, 100);
    assert!(
        !evaluation.stop_causes.contains_key("model_failed"),
        "{evaluation:?}"
    );
}

#[test]
fn a_bundle_for_another_robot_is_refused_with_every_mismatch() {
    let dir = tempfile::tempdir().unwrap();
    let spec = RandomSpec {
        joints: 4,
        action: 4,
        ..small()
    };
    write_random_bundle(dir.path(), &spec, 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let options = Options {
        task: "reach".into(),
        episodes: 1,
        seed: 0,
        expert: false,
    };
    let error = evaluate(&bundle, &Config::default(), &options, |_| {
        ControlFlow::Continue(())
    })
    .unwrap_err();
    assert!(error.to_string().contains("joint_4"), "{error}");
}
