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

#[test]
fn the_planner_collects_data_and_repeats_by_seed() {
    use latco_envs::Policy;
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let mut robot = latco_envs::make("reach", 32).unwrap();
    latco_evaluate::check_fit(&bundle, robot.as_ref()).unwrap();
    let mut policy = latco_evaluate::PlannerPolicy::new(&Config::default(), &bundle).unwrap();
    let mut drive = |seed: u64| -> Vec<Vec<f32>> {
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        let actions = (0..10).map(|_| {
            let mut action = vec![9.0; 3];
            policy.act(robot.as_ref(), &mut action);
            robot.step(&action);
            action
        });
        actions.collect()
    };
    let first = drive(4);
    assert_eq!(
        first[0], [0.0; 3],
        "nothing is planned for the first period"
    );
    assert!(first.iter().flatten().all(|a| a.abs() <= 1.0));
    assert!(first[1..].iter().flatten().any(|a| *a != 0.0));
    assert_eq!(first, drive(4));
    assert_ne!(first, drive(5));
}
